"""The network's side, over real sockets: consent in a browser's steps, documents, what was lost and found again."""

import json
import os
import sys
import time
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

    def test_who_a_patient_is_is_asked_of_the_network_by_whoever_sees_an_order_of_theirs(self):
        self.connect()
        order = self.order()
        self.sandbox.quiet()
        item = self.house.wait_for(lambda: [i for i in self.house.feed("anna") if i["order_id"] == order["order"]])[0]
        target = "/v1/patients/" + item["patient_id"]
        status, patient = self.house.api("GET", target)
        self.assertEqual((status, patient["id"], patient["source"]), (200, item["patient_id"], "rupa"), patient)
        self.assertTrue({"first_name", "last_name", "birthday"} <= set(patient["attributes"]), patient)
        self.house.connect("zoe", "cli_other")
        _, key = self.house.api("POST", "/v1/keys", {"name": "zoe's", "scopes": ["read_results"], "practitioners": ["zoe"]})
        self.assertEqual(self.house.api("GET", target, key=key["key"])[0], 404, "nobody of another clinic")
        self.assertEqual(self.house.api("GET", target + "?practitioner=zoe")[0], 404)
        self.sandbox.control("PATCH", "/switches", {"api_failing": 1})
        self.assertEqual(self.house.api("GET", target)[1], patient, "it is kept for a while")
        self.house.kill()
        self.house.start()
        self.assertEqual(self.house.api("GET", target)[0], 502, "in memory, and nowhere else")
        self.sandbox.control("PATCH", "/switches", {"api_failing": 0})
        self.assertEqual(self.house.api("GET", target)[1]["attributes"], patient["attributes"])
        self.assertNotIn(patient["attributes"]["last_name"], self.house.log_text())

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


class HostileDownloads(unittest.TestCase):
    """Each trouble of a download by itself: what an operator sees of it while it lasts, and that it heals."""

    def test_each_says_what_is_wrong_and_the_result_comes_when_it_is_right(self):
        house = NetworkHouse("--orders", "0", "--seed", "7", settings="\n[documents]\nretry_seconds = 1\nretry_most_seconds = 1\n"
                             "wait_seconds = 3600\ntimeout_seconds = 3\nsize = \"1 MiB\"\n")
        self.addCleanup(house.remove)
        house.start()
        clinic = house.sandbox.control("GET", "/state")["clinics"][0]
        house.consent("anna", clinic["practitioners"][0]["id"])
        house.wait_for(lambda: (house.reading("anna") or {}).get("state") == "finished")
        house.documents_settled()
        for switch, reason in (("document_failing", "http_5xx"), ("document_truncated", "connection_lost"), ("document_redirect", "redirected"),
                               ("document_oversized", "response_too_large"), ("document_slow", "timeout")):
            with self.subTest(switch):
                order = house.sandbox.control("POST", "/orders", {"clinic": clinic["id"]})
                test = order["ordered_tests"][0]
                house.sandbox.control("PATCH", "/switches", {switch: 1, "document_attempts": 1000, "document_slow_seconds": 600})
                house.sandbox.control("POST", f"/ordered-tests/{test}/release", {"stage": "final"})

                def reasons():
                    _, listed = house.api("GET", f"/v1/documents?state=pending&order_id={order['order']}")
                    return {row["reason"] for row in listed["items"] if row["member"] == "results_pdf"}

                house.wait_for(lambda: reason in reasons(), 60)
                self.assertEqual(results(house.feed("anna"), test), [], "it waits for its document")
                house.sandbox.control("PATCH", "/switches", {switch: 0})
                item = house.wait_for(lambda: results(house.feed("anna"), test), 60)[0]
                self.assertTrue(item["ordered_test"]["attributes"]["results_pdf"].startswith("document:sha256:"))


class Hostile(unittest.TestCase):
    """Every hostile switch at once. HOSTILE_EVENTS (`./run hostile`) says how much of it, and asks for an account."""

    EVENTS = int(os.environ.get("HOSTILE_EVENTS", "0"))
    RESTARTS = int(os.environ.get("HOSTILE_RESTARTS", "1"))
    # An order makes somewhat more than six events. `--hostile` leaves alone what is no share: the clock, the signatures
    # of retries, dying links, and tokens, which are refreshed all the time here.
    OPTIONS = ("--seed", "11", "--speed", "20000x", "--hostile", "--clinics", "2", "--practitioners", "2", "--orders-per-day", "400",
               "--rate-limit", "0/1", "--access-seconds", "20", "--switch", "clock_skew_seconds=-400", "--switch", "resign=no",
               "--switch", "link_seconds=3", "--switch", "token_failing=0.1")
    SETTINGS = "document_hosts = []\n\n[documents]\nretry_seconds = 1\nretry_most_seconds = 4\nwait_seconds = 86400\nat_once = 32\n"

    def setUp(self):
        orders = self.EVENTS // 6 + 1 if self.EVENTS else 6
        # Sanitizers and busy machines make it slow; nothing here depends on how long it takes.
        self.patience = 7200 if self.EVENTS else 300
        self.begun = time.monotonic()
        self.consents = 0  # given again
        self.house = NetworkHouse("--orders", str(orders), *self.OPTIONS, settings=self.SETTINGS)
        self.addCleanup(self.house.remove)

    def say(self, text):
        if self.EVENTS:
            print(f"  {time.monotonic() - self.begun:6.0f} s  {text}", file=sys.stderr, flush=True)

    def state(self):
        return self.house.sandbox.control("GET", "/state")

    def released(self):
        return self.state()["counts"]["events_connected"]

    def quiet(self):
        return self.house.sandbox.is_quiet(hasten=not self.EVENTS)

    def consent_again(self):
        """A kill in the middle of a refresh loses the token that took the place of the spent one, and the network ends the consent when the
        spent one comes again: the practitioner is asked to consent again, and does."""
        _, network = self.house.api("GET", "/v1/network")
        for consent in network["consents"]:
            if consent["state"] == "needs_consent":
                self.assertIn("connect link", consent["advice"])
                clinic = next(c for c in self.state()["clinics"] if c["id"] == consent["clinic_id"])
                self.house.consent(consent["practitioner"], clinic["practitioners"][0]["id"])  # or again, at the next look
                self.consents += 1
        return not any(consent["state"] == "needs_consent" for consent in network["consents"])

    def settle(self, what):
        self.house.settled(self.patience)
        self.house.wait_for(lambda: self.consent_again() and self.house.api("GET", "/v1/network")[1]["documents"]["pending"] == 0, self.patience)
        self.say(what)

    def test_everything_released_is_in_the_right_feeds_once(self):
        house = self.house
        house.sandbox.control("POST", "/pause")
        planned = self.state()["counts"]["planned_orders"]
        house.start()
        names = house.connect_every_clinic()
        for clinic, name in names.items():
            house.connect(name + "-colleague", clinic)  # everybody of a clinic is told
        house.wait_for(lambda: all((house.reading(name) or {}).get("state") == "finished" for name in names.values()), self.patience)
        self.say(f"{len(names)} clinics are connected and back-filled; {planned} orders are to come")
        house.sandbox.control("POST", "/resume")
        for restart in range(self.RESTARTS):
            share = (self.EVENTS or 18) * (restart + 1) // (self.RESTARTS + 1)
            house.wait_for(lambda: self.released() >= share or self.quiet(), self.patience)
            house.kill()
            house.start()
            self.say(f"{self.released()} events were released; the server was killed and started again")
        house.sandbox.control("POST", f"/grants/{house.sandbox.control('GET', '/grants')[0]['id']}/withdraw")
        house.wait_for(lambda: any(c["state"] == "needs_consent" for c in house.api("GET", "/v1/network")[1]["consents"]), self.patience)
        self.say("a practitioner's consent was withdrawn")
        house.wait_for(self.quiet, self.patience)
        self.say(f"the network is quiet: {self.released()} events were released")
        self.settle("all that came is applied, and its documents are here")
        house.api("POST", "/v1/reconciliations", {})
        house.kill()
        house.start()
        self.settle("reconciling, with a kill at its beginning")
        house.reconcile(self.patience)
        self.settle("reconciled")
        self.assertEqual(sum(run["gaps"] for run in house.reconcile(self.patience)), 0, "reconciling again finds nothing")

        account = self.account(names)
        if self.EVENTS:
            print("\n" + "".join(f"  {what:<42}{value:>9,}\n" for what, value in account.items()), file=sys.stderr, flush=True)
            self.assertGreaterEqual(account["events released"], self.EVENTS)
        self.assertGreaterEqual(account["consents withdrawn or lost, given again"], 1)
        for trouble in ("in a wrong feed", "missing", "given twice"):
            self.assertEqual(account[trouble], 0, f"{trouble}: {self.trouble[:5]}")

    def account(self, names):
        """What the network's own ledger says of all it released, against what the feeds hold."""
        self.trouble = []
        ledger = [line for line in self.house.sandbox.ledger() if line["connected"]]
        clinic_of = {line["order"]: line["clinic"] for line in self.house.sandbox.ledger()}
        results_of = {}
        for line in ledger:
            if line["result"]:
                results_of.setdefault((line["clinic"], line["order"], line["result"]["ordered_test"]), []).append(line)
        wrong = missing = twice = 0
        items_in_all = 0
        for clinic, name in names.items():
            items = self.house.feed(name)
            of_colleague = self.house.feed(name + "-colleague")
            items_in_all += len(items) + len(of_colleague)
            foreign = [i for i in items if i["clinic_id"] != clinic or clinic_of.get(i["order_id"], clinic) != clinic]
            wrong += self.note("in a wrong feed", foreign)
            twice += self.note("given twice", self.given_twice(items))
            told = self.told(items)
            colleague = self.told(of_colleague)
            twice += self.note("given twice", self.given_twice(of_colleague))
            missing += self.note("of a colleague", [test for test in set(told) | set(colleague) if told.get(test) != colleague.get(test)])
            orders = {}
            for (where, order, test), lines in results_of.items():
                if where != clinic:
                    continue
                if order not in orders:
                    orders[order] = self.house.api("GET", f"/v1/orders/{order}")[1]
                missing += self.note("missing", self.missing_of(orders[order], test, lines, told))
        counts = self.state()["counts"]
        _, network = self.house.api("GET", "/v1/network")
        _, status = self.house.api("GET", "/v1/status")
        _, runs = self.house.api("GET", "/v1/reconciliations?limit=200")
        _, events = self.house.api("GET", "/v1/events?limit=1")
        return {
            "events released": len(ledger),
            "  of them lost on purpose, never sent": sum(line["lost"] for line in ledger),
            "  sent again after they were taken": sum(line["duplicated"] for line in ledger),
            "  forged or damaged first, and refused": sum(line["corrupted"] for line in ledger),
            "  replayed byte by byte, long after": sum(line["replayed"] for line in ledger),
            "requests sent": counts["attempts"],
            "forgeries taken": counts["forgeries_taken"],
            "kills of the server": self.RESTARTS + 1,
            "consents withdrawn or lost, given again": self.consents,
            "events kept, those that were read included": status["totals"]["events"],
            "  further receipts of them": status["totals"]["duplicates"],
            "orders of which reconciliation found more": sum(run["gaps"] for run in runs["items"] if run["kind"] != "backfill"),
            "documents fetched": network["documents"]["stored"],
            "ordered tests with results": len(results_of),
            f"feed items of {2 * len(names)} practitioners": items_in_all,
            "in a wrong feed": wrong,
            "missing": missing,
            "given twice": twice,
        }

    def note(self, what, found):
        self.trouble += [(what, one) for one in found]
        return len(found)

    @staticmethod
    def told(items):
        versions = {}
        for item in results(items):
            versions.setdefault(item["ordered_test_id"], set()).add(item["result"]["version"])
        return versions

    @staticmethod
    def given_twice(items):
        """One event's version of a test a second time, or what is current already told as current again."""
        seen, current, twice = set(), {}, []
        for item in results(items):
            key = (item["event_id"], item["ordered_test_id"], item["result"]["version"])
            if key in seen or (item["current"] and current.get(key[1]) == key[2]):
                twice.append(key)
            seen.add(key)
            if item["current"]:
                current[key[1]] = key[2]
        return twice

    @staticmethod
    def missing_of(order, test, lines, told):
        """What of a test's released results the feed lacks: what the network shows last, or a content that was sent."""
        shown = next((t for t in order["tests"] if t["id"] == test), None)
        if shown is None or test not in told:
            return [(test, "in no feed")]
        found = []
        want = lines[-1]["result"]["pdf_sha256"]
        if shown["ordered_test"]["attributes"]["results_pdf"] != (want and "document:sha256:" + want):
            found.append((test, "what the network shows last is not current"))
        if told[test] != {version["version"] for version in shown["versions"]}:
            found.append((test, "a version that was not told"))
        if len(shown["versions"]) < len({line["result"]["hl7_sha256"] for line in lines if not line["lost"]} - {None}):
            found.append((test, "a content that was sent is no version"))
        return found


if __name__ == "__main__":
    unittest.main()
