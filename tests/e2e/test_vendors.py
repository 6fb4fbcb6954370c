"""Other networks than Rupa, over real sockets: one by configuration alone, and Fullscript by the sandbox's faces."""

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import threading
import time
import unittest

from house import House
from sandbox import NetworkHouse, request

KEY = bytes(range(32))
SETTINGS = """
[sources.newlab]
vendor = "generic"
secrets = ["file:newlab.secret"]
pointer_time = "/sent_at"
pointer_type = "/event"
pointer_clinic = "/payload/site/id"
pointer_practitioner = "/payload/provider"
pointer_patient = "/payload/patient"
pointer_order = "/payload/accession"
pointer_status = "/payload/state"
pointer_tests = "/payload/panels"
pointer_test = "/id"
pointer_lab_test = "/code"
pointer_received = "/reported_at"
pointer_hl7 = "/hl7"
pointer_pdf = "/pdf"
"""
PDF = b"%PDF-1.4\n% a report\n%%EOF\n"
HL7 = ("MSH|^~\\&|LAB|NEWLAB|APP|CLINIC|20260301100000||ORU^R01|1|P|2.5.1\rPID|1||pt1||INVENTED^ADA\rOBR|1||1|CBC^Blood count\r"
       "OBX|1|NM|718-7^Hemoglobin^LN||{}|g/dL|12.0-16.0|N|||F\r")


def event(order="acc-1", clinic="site-1", value="13.5", sent="2026-03-01T10:00:00Z", pdf=None, state="final"):
    return json.dumps({"event": "report.ready", "sent_at": sent, "payload": {
        "accession": order, "state": state, "provider": "prov-1", "patient": "pt-1", "site": {"id": clinic},
        "panels": [{"id": "panel-" + order, "code": "CBC", "reported_at": sent, "hl7": HL7.format(value), "pdf": pdf}]}}).encode()


class Files:
    """The network's server of documents."""

    def __init__(self):
        outer = self
        self.asked, self.gone = 0, False

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                self.send_response(404 if outer.gone else 200)
                self.send_header("Content-Length", "0" if outer.gone else str(len(PDF)))
                self.end_headers()
                if not outer.gone:
                    self.wfile.write(PDF)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Generic(unittest.TestCase):
    def setUp(self):
        self.files = Files()
        self.addCleanup(self.files.close)
        self.house = House()
        self.addCleanup(self.house.remove)
        (self.house.folder / "newlab.secret").write_text("whsec_" + base64.b64encode(KEY).decode() + "\n")
        self.house.configure(SETTINGS + f'document_hosts = ["127.0.0.1"]\napi_http = true\napi_allow = ["{self.files.host}"]\n')
        self.house.start()
        status, answer = self.house.api("PUT", "/v1/practitioners/anna", {"source": "newlab", "clinic_id": "site-1"})
        self.assertIn(status, (200, 201), answer)
        status, answer = self.house.api("PUT", "/v1/practitioners/ben", {"source": "newlab", "clinic_id": "site-2"})
        self.assertIn(status, (200, 201), answer)

    def send(self, body, message="msg_1", key=KEY):
        now = str(int(time.time()))
        mac = hmac.new(key, f"{message}.{now}.".encode() + body, hashlib.sha256).digest()
        connection = http.client.HTTPConnection(self.house.addresses["public"], timeout=20)
        connection.request("POST", "/webhooks/newlab", body, {
            "webhook-id": message, "webhook-timestamp": now, "webhook-signature": "v1," + base64.b64encode(mac).decode()})
        status = connection.getresponse().status
        connection.close()
        return status

    def results(self, practitioner):
        return [item for item in self.house.feed(practitioner) if item["type"] == "result"]

    def wait_results(self, practitioner, count):
        self.house.wait_for(lambda: len(self.results(practitioner)) >= count)
        items = self.results(practitioner)
        self.assertEqual(len(items), count, self.house.log_text()[-2000:])
        return items

    def test_a_network_that_needs_no_code_reaches_the_right_feed_with_its_documents(self):
        self.assertEqual(self.send(event(pdf=f"http://{self.files.host}/report?sig=1")), 200)
        item = self.wait_results("anna", 1)[0]
        self.assertEqual((item["event_id"], item["order_id"], item["ordered_test_id"], item["clinic_id"]), ("msg_1", "acc-1", "panel-acc-1", "site-1"))
        self.assertEqual(item["patient_id"], "pt-1")
        self.assertEqual(item["created_at"][:19], "2026-03-01T10:00:00")
        self.assertEqual(item["ordered_test"]["attributes"]["results_pdf"], "document:sha256:" + hashlib.sha256(PDF).hexdigest())
        self.assertEqual(item["order"]["attributes"]["status"], "final")
        self.assertNotIn(self.files.host, json.dumps(item), "a network's link is a secret")
        self.assertEqual(self.house.feed("ben"), [], "another clinic")
        observation = item["result"]["reports"][0]["observations"][0]
        self.assertEqual(observation["code"]["codings"][0]["code"], "718-7")

        # A correction, its duplicate, and an older one that comes late.
        self.assertEqual(self.send(event(value="11.0", sent="2026-03-02T10:00:00Z"), "msg_2"), 200)
        self.assertEqual(self.send(event(value="11.0", sent="2026-03-02T10:00:00Z"), "msg_2"), 200)
        self.assertEqual(self.send(event(value="9.0", sent="2026-02-01T10:00:00Z"), "msg_0"), 200)
        items = self.wait_results("anna", 3)
        self.assertEqual([(i["event_id"], i["result"]["version"], i["current"]) for i in items],
                         [("msg_1", 1, True), ("msg_2", 2, True), ("msg_0", 3, False)])
        code, out, err = self.house.run("verify", "--rebuild", "--config", "resultsync.toml")
        self.assertEqual(code, 0, out + err)

        # What came is kept as it came.
        status, shown = self.house.api("GET", "/v1/events/msg_2?source=newlab&body=1")
        self.assertEqual(shown["body"], json.loads(event(value="11.0", sent="2026-03-02T10:00:00Z")))

    def test_hostile_and_odd_bodies_reach_nobody_and_none_is_lost(self):
        self.assertEqual(self.send(event(), key=bytes(32)), 400, "another key")
        self.assertEqual(self.send(event(clinic="site-9"), "msg_unknown"), 200)
        for number, body in enumerate([b"", b"no json", b"[]", b"{}", b'{"payload":[]}', b'{"event":"report.ready","payload":{"accession":{}}}', b"[" * 2000]):
            self.assertEqual(self.send(body, f"msg_odd{number}"), 200, body)
        self.house.settled()
        self.assertEqual(self.house.feed("anna"), [])
        self.assertEqual(self.house.feed("ben"), [])
        _, events = self.house.api("GET", "/v1/events?source=newlab")
        self.assertEqual(len(events["items"]), 8)
        outcomes = {item["id"]: (item["outcome"], item.get("reason")) for item in events["items"]}
        self.assertEqual(outcomes["msg_unknown"], ("waiting", "nobody_connected"))

    def test_what_a_sample_would_be_read_as_is_shown(self):
        code, out, err = self.house.run("events", "try", "-", "--config", "resultsync.toml", "--source", "newlab", "-o", "json",
                                        stdin=event(pdf="https://files.example.com/a?sig=secret"))
        self.assertEqual(code, 0, err)
        shown = json.loads(out)
        self.assertEqual((shown["order_id"], shown["clinic_id"], shown["type"]), ("acc-1", "site-1", "report.ready"))
        self.assertEqual(shown["ordered_tests"][0]["results_pdf"], "a link, to be fetched")
        self.assertNotIn("sig=secret", out)
        self.assertEqual(shown["outcome"], "synced to whoever is connected to clinic site-1")
        code, out, err = self.house.run("events", "try", "--config", "resultsync.toml", "--source", "newlab", stdin=b'{"event":"x","payload":{}}')
        self.assertEqual(code, 0, err)
        self.assertIn("no order's id was found", out)
        self.assertIn("nothing that can be used", out)
        code, out, err = self.house.run("events", "try", "--config", "resultsync.toml", stdin=b"{}")
        self.assertEqual(code, 2, err)
        self.assertIn("newlab, rupa", err)
        code, out, err = self.house.run("events", "try", "--config", "resultsync.toml", "--source", "rupa", stdin=b"{")
        self.assertIn("it is no JSON", out)



class FullscriptHouse(NetworkHouse):
    """A server whose network is Fullscript, as the sandbox plays it."""

    def __init__(self, *sandbox_options, settings=""):
        super().__init__("--network", "fullscript", *sandbox_options, settings=settings)
        (self.folder / "challenge.secret").write_text(self.sandbox.facts["challenge"] + "\n")

    def configure(self, more=""):
        if not hasattr(self, "sandbox"):
            return
        (self.folder / "resultsync.toml").write_text(
            '[server]\npublic = "127.0.0.1:0"\nprivate = "127.0.0.1:0"\ndata_dir = "./data"\n\n'
            '[sources.fullscript]\nvendor = "fullscript"\npath = "/webhook"\nsecrets = ["file:rupa.secret"]\nchallenge = "file:challenge.secret"\n'
            f'api = "{self.sandbox.base}"\napi_http = true\napi_allow = ["{self.sandbox.host}"]\n'
            f'client_id = "{self.sandbox.facts["client_id"]}"\nclient_secret = "file:client.secret"\nrequests_per_second = 200\n'
            + self.settings + '\n[limits]\nfree_space = "1 MiB"\n' + more
        )


class Fullscript(unittest.TestCase):
    SETTINGS = "\n[documents]\nretry_seconds = 1\nretry_most_seconds = 2\n"

    def setUp(self):
        self.house = FullscriptHouse("--orders", "0", "--seed", "7", settings=self.SETTINGS)
        self.addCleanup(self.house.remove)
        self.house.start()
        self.sandbox = self.house.sandbox
        clinics = self.sandbox.control("GET", "/state")["clinics"]
        self.clinic, self.other = clinics[0], clinics[1]
        self.anna = self.clinic["practitioners"][0]["id"]

    def connect(self, name="anna", practitioner=None):
        status, page = self.house.consent(name, practitioner or self.anna)
        self.assertEqual(status, 200, page)
        self.assertIn("Connected", page)
        self.house.wait_for(lambda: (self.house.reading(name) or {}).get("state") == "finished")
        self.house.documents_settled()

    def results(self, name, test):
        return [i for i in self.house.feed(name) if i["type"] == "result" and i["ordered_test_id"] == test]

    def wait_results(self, name, test, count):
        return self.house.wait_for(lambda: len(self.results(name, test)) >= count and self.results(name, test))

    def released(self, test):
        return [line["result"]["pdf_sha256"] for line in self.sandbox.ledger() if line["ordered_test"] == test and line["result"]]

    def test_a_thin_event_is_followed_by_a_reading_and_the_result_is_told_with_its_report(self):
        self.connect()
        _, row = self.house.api("GET", "/v1/practitioners/anna")
        self.assertEqual(row["connections"][0]["clinic_id"], self.clinic["id"])
        self.assertEqual(row["connections"][0]["vendor_practitioner_id"], self.anna, "the token's resource owner")
        for form in ("wrapped", "event", "bare"):
            self.sandbox.control("PATCH", "/switches", {"envelope": form})
            order = self.sandbox.control("POST", "/orders", {"clinic": self.clinic["id"]})
            test = order["ordered_tests"][0]
            self.sandbox.control("POST", f"/ordered-tests/{test}/release", {"stage": "final"})
            item = self.wait_results("anna", test, 1)[0]
            self.assertEqual(item["ordered_test"]["attributes"]["results_pdf"], "document:sha256:" + self.released(test)[-1], form)
            self.assertEqual(item["clinic_id"], self.clinic["id"])
            self.assertTrue(item["patient_id"])
            self.sandbox.control("POST", f"/ordered-tests/{test}/correct", {})
            items = self.wait_results("anna", test, 2)
            self.assertEqual([i["result"]["version"] for i in items], [1, 2])
            self.assertEqual(items[1]["ordered_test"]["attributes"]["results_pdf"], "document:sha256:" + self.released(test)[-1])
            _, shown = self.house.api("GET", f"/v1/orders/{order['order']}")
            self.assertEqual(shown["status"], "results_amended")
        self.assertEqual(self.sandbox.quiet()["counts"]["deliveries_given_up"], 0, "each answer repeated the challenge")
        log = self.house.log_text() + json.dumps(self.house.feed("anna"))
        self.assertNotIn("/documents/", log)
        self.assertNotIn(self.sandbox.facts["challenge"], log)
        code, out, err = self.house.run("verify", "--rebuild", "--config", "resultsync.toml")
        self.assertEqual(code, 0, out + err)

    def test_what_is_read_reaches_its_own_clinic_only_and_also_what_was_there_before(self):
        order = self.sandbox.control("POST", "/orders", {"clinic": self.clinic["id"]})
        test = order["ordered_tests"][0]
        self.sandbox.control("POST", f"/ordered-tests/{test}/release", {"stage": "final"})
        self.connect()
        self.connect("ben", self.other["practitioners"][0]["id"])
        self.assertEqual(len(self.results("anna", test)), 1, "back-filled")
        self.assertEqual(self.results("ben", test), [])
        own = {item["clinic_id"] for item in self.house.feed("ben")}
        self.assertLessEqual(own, {self.other["id"]})

    def test_what_is_told_of_a_clinic_that_nobody_connected_waits_with_advice_and_is_taken_up_by_the_consent(self):
        # Another application of the network has the consent; this one gets the events of its clinic all the same.
        self.house.api("PUT", "/v1/practitioners/zoe", {"clinic_id": self.other["id"]})
        self.connect()
        order = self.sandbox.control("POST", "/orders", {"clinic": self.clinic["id"]})
        test = order["ordered_tests"][0]
        self.house.api("DELETE", "/v1/practitioners/anna")
        self.sandbox.control("POST", f"/ordered-tests/{test}/release", {"stage": "final"})
        self.sandbox.quiet()

        def listed():
            return [d for d in self.house.api("GET", "/v1/documents?state=waiting")[1]["items"] if d["order_id"] == order["order"]]

        waiting = self.house.wait_for(listed)
        self.assertEqual({(d["member"], d["reason"], d["tries"], d["next_try_at"]) for d in waiting}, {("order", "no_consent", 1, None)})
        self.assertIn("connect link", waiting[0]["advice"])
        _, network = self.house.api("GET", "/v1/network")
        self.assertEqual((network["documents"]["given_up"], network["documents"]["missing"]), (0, 0), "nobody has to be alarmed")
        code, out, err = self.house.run("documents", "--data-dir", "data")
        self.assertEqual(code, 0, err)
        self.assertIn("no_consent", out)
        self.assertIn("connect link", err)
        _, unmatched = self.house.api("GET", "/v1/unmatched")
        self.assertIn("nobody_connected", json.dumps(unmatched))
        self.connect()
        self.assertEqual(len(self.wait_results("anna", test, 1)), 1)
        self.house.wait_for(lambda: not listed())

    def test_what_its_documentation_names_beside_results_alarms_nobody(self):
        self.connect()
        self.sandbox.control("PATCH", "/switches", {"envelope": "mixed"})
        order = self.sandbox.control("POST", "/orders", {"clinic": self.clinic["id"], "plan": "running"})
        self.sandbox.control("POST", "/advance", {"seconds": 86400})
        self.sandbox.quiet()
        self.house.settled()
        _, events = self.house.api("GET", "/v1/events?type=order.placed")
        self.assertTrue(events["items"], order)
        self.assertEqual({e["outcome"] for e in events["items"]}, {"no_results"})
        _, status = self.house.api("GET", "/v1/status")
        self.assertNotIn("unknown_type", status["events_by_outcome"])

    def test_a_reading_that_fails_is_made_again_also_by_the_next_process(self):
        self.connect()
        order = self.sandbox.control("POST", "/orders", {"clinic": self.clinic["id"]})
        test = order["ordered_tests"][0]
        self.sandbox.quiet()
        self.sandbox.control("PATCH", "/switches", {"api_failing": 1})
        self.sandbox.control("POST", f"/ordered-tests/{test}/release", {"stage": "final"})
        self.sandbox.quiet()
        self.house.settled()
        missing = self.house.wait_for(lambda: [d for d in self.house.api("GET", "/v1/documents")[1]["items"] if d["order_id"] == order["order"]])
        self.assertEqual((missing[0]["member"], missing[0]["state"], missing[0]["ordered_test_id"]), ("order", "pending", None))
        self.assertEqual(self.results("anna", test), [])
        self.house.kill()
        self.sandbox.control("PATCH", "/switches", {"api_failing": 0})
        self.house.start()
        self.assertEqual(len(self.wait_results("anna", test, 1)), 1)

    def test_what_was_never_sent_is_found_by_reconciliation(self):
        self.connect()
        order = self.sandbox.control("POST", "/orders", {"clinic": self.clinic["id"]})
        test = order["ordered_tests"][0]
        self.sandbox.control("POST", "/lose-next", {"count": 9})
        self.sandbox.control("POST", f"/ordered-tests/{test}/release", {"stage": "final"})
        self.sandbox.control("POST", "/lose-next", {"count": 0})
        self.sandbox.quiet()
        self.assertEqual(self.results("anna", test), [])
        self.assertGreaterEqual(sum(run["gaps"] for run in self.house.reconcile()), 1)
        self.house.documents_settled()
        self.assertEqual(len(self.wait_results("anna", test, 1)), 1)
        self.assertEqual(sum(run["gaps"] for run in self.house.reconcile()), 0, "reconciling twice adds nothing")

    def test_an_expired_token_is_refreshed_with_the_redirect_uri_and_an_ended_one_is_revoked(self):
        self.connect()
        grant = self.sandbox.control("GET", "/grants")[0]
        self.sandbox.control("POST", f"/grants/{grant['id']}/expire")
        self.house.reconcile()
        _, network = self.house.api("GET", "/v1/network")
        self.assertEqual([c["state"] for c in network["consents"]], ["connected"])
        self.assertEqual(self.house.api("DELETE", "/v1/practitioners/anna")[0], 204)
        self.assertEqual(self.sandbox.control("GET", "/grants")[-1]["state"], "revoked")

    def test_the_challenge_answers_what_is_signed_and_the_trial_of_an_address_only_if_that_is_wanted(self):
        url = f"http://{self.house.addresses['public']}/webhook"
        self.assertEqual(request("POST", url, b"")[0], 400)
        self.house.terminate()
        self.house.settings = "challenge_unsigned = true\n" + self.SETTINGS
        self.house.configure()
        self.house.start()
        url = f"http://{self.house.addresses['public']}/webhook"
        status, _, body = request("POST", url, b"")
        self.assertEqual((status, json.loads(body)), (200, {"challenge": self.sandbox.facts["challenge"]}))
        self.assertEqual(request("POST", url, b"{}")[0], 400, "only a request with nothing in it")
        self.assertEqual(request("POST", url, b"", {"Fullscript-Signature": "t=1,v1=00"})[0], 400, "a wrong signature is a wrong signature")
        self.assertEqual(self.house.api("GET", "/v1/events")[1]["items"], [], "nothing is stored")
        self.assertEqual(self.house.api("POST", "/v1/order-intents", {"practitioner": "anna", "return_url": "https://app.example.com", "patient_id": "p"})[0], 404)


class FullscriptHostile(unittest.TestCase):
    def test_everything_released_is_in_the_right_feeds(self):
        house = FullscriptHouse("--orders", "5", "--orders-per-day", "400", "--seed", "11", "--speed", "20000x", "--hostile", "--clinics", "2",
                                "--practitioners", "2", "--rate-limit", "0/1", "--switch", "envelope=mixed",
                                settings="\n[documents]\nretry_seconds = 1\nretry_most_seconds = 4\n")
        self.addCleanup(house.remove)
        house.start()
        names = house.connect_every_clinic()
        house.wait_for(house.sandbox.is_quiet, 240)
        house.settled()
        house.documents_settled(240)
        house.reconcile(300)
        house.settled()
        house.documents_settled(240)
        last = {}
        for line in house.sandbox.ledger():
            if line["connected"] and line["result"]:
                last[line["ordered_test"]] = line
        self.assertTrue(last)
        for test, line in last.items():
            _, order = house.api("GET", f"/v1/orders/{line['order']}")
            self.assertEqual(order["clinic_id"], line["clinic"])
            shown = [t for t in order["tests"] if t["id"] == test][0]
            self.assertEqual(shown["ordered_test"]["attributes"]["results_pdf"], "document:sha256:" + line["result"]["pdf_sha256"], line)
        for clinic, name in names.items():
            items = [i for i in house.feed(name) if i["type"] == "result"]
            keys = [(i["event_id"], i["ordered_test_id"], i["result"]["version"]) for i in items]
            self.assertEqual(len(keys), len(set(keys)), "given twice")
            foreign = {line["order"] for line in house.sandbox.ledger() if line["clinic"] != clinic}
            self.assertFalse({i["order_id"] for i in items} & foreign, "in a wrong feed")
            self.assertLessEqual({t for t, line in last.items() if line["clinic"] == clinic}, {i["ordered_test_id"] for i in items})


if __name__ == "__main__":
    unittest.main()
