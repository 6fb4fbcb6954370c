"""The network's side, over real sockets: consent in a browser's steps, documents, what was lost and found again."""

import json
import os
import unittest

from sandbox import NetworkHouse, request


def results(items, test=None):
    return [i for i in items if i["type"] == "result" and (test is None or i["ordered_test_id"] == test)]


class Network(unittest.TestCase):
    def setUp(self):
        self.house = NetworkHouse("--orders", "0", "--seed", "7", settings="")
        self.addCleanup(self.house.remove)
        self.house.start()
        self.sandbox = self.house.sandbox
        self.clinic = self.sandbox.control("GET", "/state")["clinics"][0]
        self.anna = self.clinic["practitioners"][0]["id"]

    def connect(self):
        status, page = self.house.consent("anna", self.anna)
        self.assertEqual(status, 200, page)
        self.assertIn("Connected", page)
        self.house.wait_for(lambda: (self.house.reading("anna") or {}).get("state") == "finished")

    def order(self):
        return self.sandbox.control("POST", "/orders", {"clinic": self.clinic["id"]})

    def test_a_practitioner_connects_and_results_with_documents_arrive(self):
        self.connect()
        _, row = self.house.api("GET", "/v1/practitioners/anna")
        self.assertEqual(row["connections"][0]["clinic_id"], self.clinic["id"])
        self.assertEqual(row["connections"][0]["consent"]["state"], "connected")
        order = self.order()
        test = order["ordered_tests"][0]
        self.sandbox.control("POST", f"/ordered-tests/{test}/release", {"stage": "final"})
        items = self.house.wait_for(lambda: results(self.house.feed("anna"), test))
        self.assertEqual(items[0]["result"]["version"], 1)
        self.assertTrue(items[0]["ordered_test"]["attributes"]["results_pdf"].startswith("document:sha256:"), items[0]["ordered_test"])
        released = [line["result"] for line in self.sandbox.ledger() if line["what"] == "final"][0]
        self.assertEqual(items[0]["ordered_test"]["attributes"]["results_pdf"], "document:sha256:" + released["pdf_sha256"])
        self.assertNotIn("/documents/", json.dumps(items), "a network's link is a secret")
        self.assertNotIn(self.sandbox.base, json.dumps(items))
        self.sandbox.control("POST", f"/ordered-tests/{test}/correct", {})
        items = self.house.wait_for(lambda: len(results(self.house.feed("anna"), test)) == 2 and results(self.house.feed("anna"), test))
        self.assertEqual([i["result"]["version"] for i in items], [1, 2])

    def test_orders_from_before_the_connection_are_read_from_the_network(self):
        order = self.order()
        self.sandbox.control("POST", f"/ordered-tests/{order['ordered_tests'][0]}/release", {"stage": "final"})
        self.sandbox.quiet()
        self.connect()
        self.house.wait_for(lambda: results(self.house.feed("anna"), order["ordered_tests"][0]))
        self.house.documents_settled()
        self.assertEqual(len(results(self.house.feed("anna"), order["ordered_tests"][0])), 1)

    def test_what_the_network_never_sent_is_found_once(self):
        self.connect()
        order = self.order()
        test = order["ordered_tests"][0]
        self.sandbox.quiet()
        self.sandbox.control("POST", "/lose-next", {"count": 9})
        lost = self.sandbox.control("POST", f"/ordered-tests/{test}/release", {"stage": "final"})
        self.sandbox.control("POST", "/lose-next", {"count": 0})
        self.sandbox.quiet()
        self.assertEqual(results(self.house.feed("anna"), test), [])
        runs = self.house.reconcile()
        self.assertEqual(sum(run["gaps"] for run in runs), 1)
        self.house.documents_settled()
        items = self.house.wait_for(lambda: results(self.house.feed("anna"), test))
        self.assertEqual([i["result"]["version"] for i in items], [1])
        self.assertEqual(sum(run["gaps"] for run in self.house.reconcile()), 0, "reconciling twice adds nothing")
        before = len(self.house.feed("anna"))
        self.sandbox.control("POST", f"/events/{lost['event']}/send")
        self.sandbox.quiet()
        self.house.documents_settled()
        self.assertEqual(len(results(self.house.feed("anna"), test)), 1, "the lost event is no news when it comes after all")
        self.assertGreaterEqual(len(self.house.feed("anna")), before)
        _, events = self.house.api("GET", "/v1/events")
        self.assertTrue(any("reconciled" in event["flags"] for event in events["items"]))

    def test_links_and_states_are_good_once_and_each_page_says_what_to_do(self):
        url = self.house.link("anna")
        self.assertEqual(request("GET", url)[0], 200, "a look is no use")
        self.assertEqual(request("POST", url)[0], 303)
        status, _, page = request("POST", url)
        self.assertEqual(status, 410)
        self.assertIn(b"ask for a new link", page)
        self.assertEqual(request("GET", url[:-3] + "AAA")[0], 410)
        status, page = self.house.consent("anna", self.anna, "refuse")
        self.assertIn("Not connected", page)
        self.connect()
        status, _, page = request("GET", self.house.callback, None, {"Cookie": self.house.cookie})
        self.assertEqual(status, 410, "a state is good once")
        self.house.link("ben")
        status, _, page = request("GET", self.house.callback)
        self.assertEqual(status, 410, "and in the browser that left only")

    def test_who_connected_by_a_link_is_on_record(self):
        self.connect()
        _, log = self.house.api("GET", "/v1/audit?actor=connect-link")
        self.assertEqual([row["outcome"] for row in log["items"]], ["200", "begun"], "newest first")
        self.assertIn("practitioner=anna", log["items"][0]["objects"])
        self.assertIn("clinic=" + self.clinic["id"], log["items"][0]["objects"])
        self.assertTrue(log["items"][0]["request_id"])
        self.assertEqual(log["items"][0]["request_id"], log["items"][1]["request_id"])

    def test_a_refused_consent_is_on_record_with_its_end(self):
        self.house.consent("anna", self.anna, "refuse")
        _, log = self.house.api("GET", "/v1/audit?actor=connect-link")
        self.assertEqual([row["outcome"] for row in log["items"]], ["403 access_denied", "begun"], "newest first")
        self.assertTrue(log["items"][0]["request_id"])
        self.assertEqual(log["items"][0]["request_id"], log["items"][1]["request_id"])
        for row in log["items"]:
            self.assertIn("practitioner=anna", row["objects"])
            self.assertEqual(row["peer"], "127.0.0.1")
        request("GET", self.house.callback, None, {"Cookie": self.house.cookie})
        self.assertEqual(len(self.house.api("GET", "/v1/audit?actor=connect-link")[1]["items"]), 2, "what is over leaves no further row")

    def test_consent_that_is_withdrawn_shows_and_disconnecting_ends_the_grant(self):
        self.connect()
        grant = self.sandbox.control("GET", "/grants")[0]
        self.sandbox.control("POST", f"/grants/{grant['id']}/withdraw")
        self.house.api("POST", "/v1/reconciliations", {})
        consent = self.house.wait_for(lambda: [c for c in self.house.api("GET", "/v1/network")[1]["consents"] if c["state"] == "needs_consent"])
        self.assertIn("connect link", consent[0]["advice"])
        self.connect()
        self.assertEqual(self.house.api("DELETE", "/v1/practitioners/anna")[0], 204)
        self.assertEqual(self.sandbox.control("GET", "/grants")[-1]["state"], "revoked")

    def test_an_expired_token_is_refreshed_and_nothing_secret_is_logged(self):
        self.connect()
        grant = self.sandbox.control("GET", "/grants")[0]
        self.sandbox.control("POST", f"/grants/{grant['id']}/expire")
        self.house.reconcile()
        _, network = self.house.api("GET", "/v1/network")
        self.assertEqual([c["state"] for c in network["consents"]], ["connected"])
        log = self.house.log_text()
        for secret in ("at_", "rt_", "/documents/", self.sandbox.facts["client_secret"]):
            self.assertNotIn(secret, log.replace("at_once", ""))

    def test_an_order_is_begun_at_the_network(self):
        self.connect()
        status, intent = self.house.api("POST", "/v1/order-intents", {
            "practitioner": "anna", "return_url": "https://app.example/labs",
            "patient": {"first_name": "Ada", "last_name": "Invented", "email": "ada@example.com"}, "metadata": {"from": "test"}})
        self.assertEqual(status, 201, intent)
        self.assertTrue(intent["checkout_url"].startswith(self.sandbox.base))
        status, problem = self.house.api("POST", "/v1/order-intents", {"practitioner": "anna"})
        self.assertEqual(status, 422, problem)
        status, _, page = request("POST", intent["checkout_url"], "decision=submit&lab_test=labts_LipPnl7", {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertLess(status, 400, page)
        placed = self.house.wait_for(lambda: [i for i in self.house.feed("anna") if i["order_intent"] == intent["id"]])
        self.assertEqual(len({i["order_id"] for i in placed}), 1)
        other = self.order()
        self.sandbox.quiet()
        items = self.house.wait_for(lambda: [i for i in self.house.feed("anna") if i["order_id"] == other["order"]])
        self.assertEqual({i["order_intent"] for i in items}, {None}, "it came of none")

    def test_the_doctor_compares_the_clocks(self):
        code, out, err = self.house.run("doctor", "--config", "resultsync.toml")
        self.assertIn("the clock agrees with that of rupa", out, err)


class GivenUp(unittest.TestCase):
    def test_a_missing_document_is_listed_with_why_and_comes_when_it_is_tried_again(self):
        house = NetworkHouse("--orders", "0", "--seed", "7",
                             settings="\n[documents]\nwait_seconds = 0\nretry_seconds = 3600\nretry_most_seconds = 3600\n")
        self.addCleanup(house.remove)
        house.start()
        clinic = house.sandbox.control("GET", "/state")["clinics"][0]
        status, page = house.consent("anna", clinic["practitioners"][0]["id"])
        self.assertIn("Connected", page)
        house.wait_for(lambda: (house.reading("anna") or {}).get("state") == "finished")
        house.documents_settled()
        house.sandbox.control("PATCH", "/switches", {"document_failing": 1, "document_attempts": 1000})
        order = house.sandbox.control("POST", "/orders", {"clinic": clinic["id"]})
        test = order["ordered_tests"][0]
        house.sandbox.control("POST", f"/ordered-tests/{test}/release", {"stage": "final"})
        without = house.wait_for(lambda: results(house.feed("anna"), test))
        self.assertEqual(without[0]["documents_missing"][0]["member"], "results_pdf")
        # Both events of the release show the report; each has tried its link once.
        house.sandbox.quiet()
        house.settled()
        house.documents_settled()
        _, listed = house.api("GET", f"/v1/documents?state=missing&order_id={order['order']}")
        pdf = [row for row in listed["items"] if row["member"] == "results_pdf"]
        self.assertEqual((pdf[0]["ordered_test_id"], pdf[0]["state"], pdf[0]["tries"]), (test, "missing", 1), listed)
        self.assertEqual(pdf[0]["reason"], "http_5xx")
        self.assertNotIn(house.sandbox.base, json.dumps(listed), "a network's link is a secret")
        code, out, err = house.run("documents", "--data-dir", "data")
        self.assertEqual(code, 0, err)
        self.assertIn("http_5xx", out)
        house.sandbox.control("PATCH", "/switches", {"document_failing": 0})
        self.assertEqual(house.api("GET", "/v1/documents?state=lost")[0], 400)
        self.assertEqual(house.api("POST", "/v1/documents/retry", {"source": "other"})[0], 422)
        self.assertEqual(house.api("POST", "/v1/documents/retry", {"order_id": "ord_other"})[1], {"taken_up": 0, "hastened": 0})
        code, out, err = house.run("documents", "retry", "--order", order["order"], "--data-dir", "data")
        self.assertEqual(code, 0, err)
        self.assertIn("more tried at once", out)
        def came():
            last = results(house.feed("anna"), test)[-1]
            return last["current"] and last["ordered_test"]["attributes"]["results_pdf"].startswith("document:sha256:")

        house.wait_for(came)
        house.wait_for(lambda: house.api("GET", f"/v1/documents?order_id={order['order']}&state=missing")[1]["items"] == [])


class Hostile(unittest.TestCase):
    """Every hostile switch at once; HOSTILE_ORDERS says how much of it (`./run hostile`)."""

    def test_everything_released_is_in_the_right_feeds_once(self):
        orders = int(os.environ.get("HOSTILE_ORDERS", "6"))
        house = NetworkHouse("--orders", str(orders), "--orders-per-day", "400", "--seed", "11", "--speed", "20000x", "--hostile", "--clinics", "2",
                             "--practitioners", "2", "--rate-limit", "0/1", settings="document_hosts = []\n")
        self.addCleanup(house.remove)
        house.settings += "\n[documents]\nretry_seconds = 1\nretry_most_seconds = 4\nwait_seconds = 600\n"
        house.configure()
        house.start()
        names = house.connect_every_clinic()
        house.wait_for(lambda: all((house.reading(name) or {}).get("state") == "finished" for name in names.values()), 120)
        for restart in range(int(os.environ.get("HOSTILE_RESTARTS", "1"))):
            house.wait_for(lambda: house.sandbox.control("GET", "/state")["counts"]["events_released"] > 3 * (restart + 1), 120)
            house.kill()
            house.start()
        house.wait_for(lambda: house.sandbox.control("GET", "/state")["quiet"], int(os.environ.get("HOSTILE_PATIENCE", "240")))
        house.settled()
        house.documents_settled(240)
        house.reconcile(600)
        house.settled()
        house.documents_settled(240)
        self.assertEqual(sum(run["gaps"] for run in house.reconcile(600)), 0)

        ledger = [line for line in house.sandbox.ledger() if line["connected"] and line["result"]]
        last = {}
        for line in ledger:
            last[line["result"]["ordered_test"]] = line
        for clinic, name in names.items():
            items = results(house.feed(name))
            seen = set()
            for item in items:
                key = (item["event_id"], item["ordered_test_id"], item["result"]["version"])
                self.assertNotIn(key, seen, "given twice")
                seen.add(key)
                self.assertEqual(item["clinic_id"], clinic)
            foreign = {line["order"] for line in house.sandbox.ledger() if line["clinic"] != clinic}
            self.assertFalse({i["order_id"] for i in items} & foreign, "in a wrong feed")
            told = {}
            for item in items:
                told.setdefault(item["ordered_test_id"], set()).add(item["result"]["version"])
            for test, line in last.items():
                if line["clinic"] != clinic:
                    continue
                self.assertIn(test, told, f"{line} was released and is in no feed")
                # What the network shows last is what the feed shows as current, by the bytes of its documents.
                _, order = house.api("GET", f"/v1/orders/{line['order']}")
                shown = [t for t in order["tests"] if t["id"] == test][0]
                pdf = shown["ordered_test"]["attributes"]["results_pdf"]
                want = line["result"]["pdf_sha256"]
                self.assertEqual(pdf, "document:sha256:" + want if want else None, line)
                # Each content that was sent is a version, and each version was told.
                self.assertEqual(told[test], {v["version"] for v in shown["versions"]}, line)


if __name__ == "__main__":
    unittest.main()
