"""Other networks than Rupa, over real sockets: one by configuration alone."""

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
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if len(self.results(practitioner)) >= count:
                break
            time.sleep(0.05)
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


if __name__ == "__main__":
    unittest.main()
