"""Whether the oracle finds what it is there to find: a stand-in for the server shows what an honest one would, and then one thing else.

    python3 -B tests/crash/oracle_test.py
"""

from __future__ import annotations

import http.server
import json
import threading
import types
import unittest
import urllib.parse

import listing
import oracle
from senders import CLINIC_OF_ONE, CLINIC_OF_TWO, PRACTITIONERS, Event, Ledger
from service import Door

EVENTS = 60
PAGE_ITEMS = 7      # so that few events are many pages


class Shown:
    """What the stand-in shows: lists that a test may change as it likes."""

    def __init__(self, ledger: Ledger) -> None:
        self.events = [{"id": id} for id in reversed(ledger.events)]
        self.feeds = {whose: [item_of(whose, event, place + 1) for place, event in enumerate(e for e in ledger.events.values() if e.clinic == clinic)]
                      for whose, clinic in PRACTITIONERS.items()}
        self.in_short = None    # other feeds than those, if it lies
        self.receipts = 2

    def answer(self, path: str, asked: dict[str, str]) -> dict:
        limit = int(asked.get("limit", 1))
        if path == "/v1/status":
            return {"log": {"lag_records": 0}}
        if path == "/v1/events":
            place = int(asked.get("after", 0))
            return {"items": self.events[place:place + limit], "next": str(place + limit) if place + limit < len(self.events) else None}
        if path.startswith("/v1/events/"):
            return {"receipts": [{}] * self.receipts}
        in_short = path == "/v1/feed/unacknowledged"
        feed = (self.in_short if in_short and self.in_short else self.feeds)[asked["practitioner"]]
        place = next((at + 1 for at, item in enumerate(feed) if item["cursor"] == asked.get("after")), 0)
        page = feed[place:place + limit]
        return {"items": [shortened(item) for item in page] if in_short else page, "next": page[-1]["cursor"] if page else asked.get("after")}


def item_of(whose: str, event: Event, place: int) -> dict:
    order, test, patient = (f"{kind}_{event.number}" for kind in ("ord", "ordts", "pat"))
    return {"cursor": f"f1.0.0.{place}", "type": "result", "event_id": event.id, "practitioner": {"id": whose}, "patient_id": patient, "order_id": order,
            "order": {"id": order}, "ordered_test_id": test,
            "ordered_test": {"id": test, "attributes": {"results_hl7": f"OBX|1|NM|…\rNTE|1|L|Accession {event.number}\r"}}}


def shortened(item: dict) -> dict:
    return {name: item[name] for name in ("cursor", "type", "order_id", "ordered_test_id")} | {"practitioner": item["practitioner"]["id"]}


class Oracle(unittest.TestCase):
    def setUp(self) -> None:
        self.ledger = Ledger()
        for number in range(EVENTS):
            event = Event(f"evt_00001x{number:08}", CLINIC_OF_ONE if number % 5 == 0 else CLINIC_OF_TWO, acks=1 + number % 2)
            self.ledger.events[event.id] = event
            self.ledger.acknowledged.append(event)
        self.ledger.forged_ids.add("evt_00001forged00000099")
        self.shown = Shown(self.ledger)
        shown = self.shown

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16

            def do_GET(self) -> None:
                url = urllib.parse.urlsplit(self.path)
                asked = dict(urllib.parse.parse_qsl(url.query))
                known = asked.get("practitioner", "anna") in shown.feeds
                body = json.dumps(shown.answer(url.path, asked) if known else {"code": "unknown_practitioner"}).encode()
                self.send_response(200 if known else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.before = listing.PAGE_ITEMS, listing.WHOLE_ITEMS, oracle.EVENTS_READ_HERE, oracle.ITEMS_READ_WHOLE
        listing.PAGE_ITEMS = listing.WHOLE_ITEMS = PAGE_ITEMS
        self.addCleanup(self.as_before)

    def as_before(self) -> None:
        listing.PAGE_ITEMS, listing.WHOLE_ITEMS, oracle.EVENTS_READ_HERE, oracle.ITEMS_READ_WHOLE = self.before

    def look(self) -> list[str]:
        port = self.server.server_address[1]
        one = types.SimpleNamespace(door=Door(port, "key"), wait_synced=lambda: None, api=lambda path: self.shown.answer(path, {}))
        return oracle.everything_holds([one, one], self.ledger)

    def read_at_length(self) -> None:
        """As after a run of a million events: by processes of their own, in short, and some pages whole."""
        oracle.EVENTS_READ_HERE, oracle.ITEMS_READ_WHOLE = 10, 14

    def found(self, *promises: str) -> None:
        broken = self.look()
        self.assertEqual(len(broken), len(promises), broken)
        for promise in promises:
            self.assertTrue(any(promise in line for line in broken), f"{promise!r} is not in {broken}")

    def test_an_honest_server_breaks_nothing(self) -> None:
        self.found()
        oracle.EVENTS_READ_HERE = 10
        self.found()
        self.read_at_length()
        self.found()

    def test_what_was_never_acknowledged_may_be_there_or_not(self) -> None:
        for event in self.ledger.events.values():
            event.acks = 0
        self.ledger.acknowledged.clear()
        gone = self.shown.events.pop()["id"]
        for feed in self.shown.feeds.values():
            feed[:] = [item_of(item["practitioner"]["id"], self.ledger.events[item["event_id"]], at + 1)
                       for at, item in enumerate(item for item in feed if item["event_id"] != gone)]
        self.found()

    def test_a_lost_event(self) -> None:
        gone = self.shown.events.pop(20)["id"]
        whose = sum(any(item["event_id"] == gone for item in feed) for feed in self.shown.feeds.values())
        self.found(f"1 acknowledged and missing from /v1/events (I1): {gone}", *["not of their clinic (S5)"] * whose)

    def test_an_event_twice(self) -> None:
        self.shown.events.insert(30, dict(self.shown.events[3]))
        self.found("1 twice in /v1/events (I2)")

    def test_an_event_that_was_never_sent_and_a_forged_one(self) -> None:
        self.shown.events += [{"id": "evt_whose"}, {"id": "evt_00001forged00000099"}]
        self.found("1 in /v1/events and never sent: evt_whose", "1 stored with a wrong signature (I4)")

    def test_answers_that_should_not_have_been_given(self) -> None:
        self.ledger.forged_acknowledged.append("evt_00001forged00000099")
        self.ledger.hung.append("evt_00001x00000007")
        self.found("acknowledged with a wrong signature (I4)", "left hanging (I6)")

    def test_a_result_missing_from_one_feed(self) -> None:
        for at_length in (False, True):
            if at_length:
                self.read_at_length()
            feed = self.shown.feeds["ben"]
            last = feed.pop()   # so that positions have no gap
            self.found("1 stored and missing from the feed of ben (I1, D5)")
            feed.append(last)

    def test_an_item_twice_in_a_feed(self) -> None:
        feed = self.shown.feeds["anna"]
        feed.append({**feed[4], "cursor": f"f1.0.0.{len(feed) + 1}"})
        self.found("1 twice in the feed of anna (D5)")
        self.read_at_length()
        self.found("1 twice in the feed of anna (D5)")

    def test_an_item_in_a_wrong_feed(self) -> None:
        feed = self.shown.feeds["anna"]
        stray = next(event for event in self.ledger.events.values() if event.clinic == CLINIC_OF_ONE)
        feed.append(item_of("anna", stray, len(feed) + 1))
        self.found(f"1 in the feed of anna and not of their clinic (S5): {stray.id}")
        self.read_at_length()
        self.found(f"1 in the feed of anna and not of their clinic (S5): {stray.id}")

    def test_positions_with_a_gap_and_out_of_order(self) -> None:
        feed = self.shown.feeds["carla"]
        feed[-1]["cursor"] = f"f1.0.0.{len(feed) + 1}"
        self.found(f"the positions of carla are not one after the other: {len(feed) + 1} in the place of {len(feed)}")
        feed[-1]["cursor"] = f"f1.0.0.{len(feed)}"
        feed[3], feed[4] = feed[4], feed[3]
        self.found("the positions of carla are not one after the other: 5 in the place of 4")

    def test_an_item_that_speaks_of_another(self) -> None:
        honest = dict(self.shown.feeds["anna"][5])
        other = self.shown.feeds["anna"][6]
        report = {"id": honest["ordered_test_id"], "attributes": other["ordered_test"]["attributes"]}
        for part, value in (("order_id", other["order_id"]), ("patient_id", other["patient_id"]), ("order", other["order"]),
                            ("ordered_test_id", other["ordered_test_id"]), ("ordered_test", other["ordered_test"]), ("report", report)):
            with self.subTest(part):
                self.shown.feeds["anna"][5] = honest | {"ordered_test" if part == "report" else part: value}
                self.found(f"1 in the feed of anna and speak of another (S5): {honest['event_id']} ({part}")

    def test_somebody_elses_item(self) -> None:
        self.shown.feeds["anna"][5] |= {"practitioner": {"id": "ben"}}
        self.found("speak of another (S5)")
        self.read_at_length()
        self.found("speak of another (S5)")

    def test_a_feed_that_is_not_what_its_list_says(self) -> None:
        self.read_at_length()
        feeds = self.shown.feeds
        self.shown.in_short = {whose: list(feed) for whose, feed in feeds.items()}
        first, second = feeds["ben"][0], feeds["ben"][1]
        feeds["ben"][0], feeds["ben"][1] = second | {"cursor": first["cursor"]}, first | {"cursor": second["cursor"]}
        self.found("2 otherwise in the feed of ben than in its list in short (D5)")
        del feeds["ben"][:]
        self.found("the feed of ben ends at 0, and its list in short at")

    def test_a_second_acknowledgement_without_a_receipt(self) -> None:
        self.shown.receipts = 1
        self.assertTrue(all("acknowledged 2 times and shows 0 receipts (I5)" in line for line in self.look()))

    def test_a_server_that_does_not_answer_is_no_clean_account(self) -> None:
        self.read_at_length()
        del self.shown.feeds["carla"]
        with self.assertRaises(RuntimeError):
            self.look()


if __name__ == "__main__":
    unittest.main()
