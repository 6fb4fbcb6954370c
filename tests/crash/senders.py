"""The network, as the server sees it: several connections that send signed events without a pause, and keep account of every answer.

The ledger lives in this process, outside the one that is killed: what it says was acknowledged must be found afterwards (I1).
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import http.client
import json
import random
import threading
import time

from service import SECRET, Service

CLINIC_OF_TWO = "cli_crashtwo"  # anna and ben are connected to it
CLINIC_OF_ONE = "cli_crashone"  # carla is
PRACTITIONERS = {"anna": CLINIC_OF_TWO, "ben": CLINIC_OF_TWO, "carla": CLINIC_OF_ONE}

SHARE_OF_ONE = 0.1        # events for the clinic that only carla is connected to
SHARE_DUPLICATES = 0.05   # of the requests: an event that was acknowledged before
SHARE_FORGED = 0.02       # of the requests: a wrong signature
SHARE_SENT_AGAIN = 0.5    # of the events that got no answer; the network would send them all again, an outage may eat the rest
ANSWER_PATIENCE_SECONDS = 15


@dataclasses.dataclass(slots=True)
class Event:
    """What is kept of an event. Its body is not: a run has a million of them, and the number says all of it."""

    id: str
    clinic: str
    acks: int = 0           # how many 2xx
    last_ack: float = 0     # when the last of them arrived (time.time())
    unanswered: int = 0
    refused: int = 0        # 503 and the like

    @property
    def number(self) -> str:
        return self.id.removeprefix("evt_")

    @property
    def body(self) -> bytes:
        return body_of(self.number, self.clinic)


@dataclasses.dataclass
class Ledger:
    """Everything that was sent. Guarded by `lock`."""

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    events: dict[str, Event] = dataclasses.field(default_factory=dict)
    acknowledged: list[Event] = dataclasses.field(default_factory=list)  # in the order of their first 2xx
    forged_ids: set[str] = dataclasses.field(default_factory=set)
    forged_acknowledged: list[str] = dataclasses.field(default_factory=list)
    to_send_again: list[Event] = dataclasses.field(default_factory=list)
    hung: list[str] = dataclasses.field(default_factory=list)            # no answer and no end of the connection in time
    statuses: dict[int, int] = dataclasses.field(default_factory=dict)   # 0: the connection ended, or there was none


def together(ledgers: list[Ledger]) -> Ledger:
    """Of senders that shared nothing but what they sent to. They must be at rest."""
    whole = Ledger()
    for one in ledgers:
        whole.events |= one.events
        whole.acknowledged += one.acknowledged
        whole.forged_ids |= one.forged_ids
        whole.forged_acknowledged += one.forged_acknowledged
        whole.hung += one.hung
        for status, count in one.statuses.items():
            whole.statuses[status] = whole.statuses.get(status, 0) + count
    return whole


class Senders:
    """Threads that send while `go()` holds and rest after `rest()`. They meet a dead server by writing down what got no answer."""

    def __init__(self, service: Service, seed: int, threads: int = 4) -> None:
        self.service = service
        self.ledger = Ledger()
        self.dice = random.Random(seed)  # guarded by the ledger's lock
        self.tag = f"{seed % 100000:05}"
        self.counter = 0
        self.going = threading.Event()
        self.ended = False
        self.resting = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def go(self) -> None:
        self.going.set()

    def rest(self) -> None:
        """Returns when no request is under way any more."""
        if not self.going.is_set():
            return  # they rest already
        self.going.clear()
        for _ in self.threads:
            self.resting.acquire()

    def end(self) -> None:
        self.ended = True
        self.going.set()
        for thread in self.threads:
            thread.join()

    def run(self) -> None:
        while True:
            self.going.wait()
            if self.ended:
                return
            connection = http.client.HTTPConnection("127.0.0.1", self.service.public_port, timeout=ANSWER_PATIENCE_SECONDS)
            while self.going.is_set() and not self.ended:
                self.send_one(connection)
            connection.close()
            self.resting.release()

    def send_one(self, connection: http.client.HTTPConnection) -> None:
        with self.ledger.lock:
            event, forged = self.choose()
        body = event.body
        try:
            connection.request("POST", "/webhook", body, {"Content-Type": "application/json", "Rupa-Signature": signature(body, forged)})
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException) as lost:
            connection.close()
            status = 0
            if isinstance(lost, TimeoutError):
                self.ledger.hung.append(event.id)
        self.note(event, forged, status)
        if status == 0 or status >= 500:
            time.sleep(0.005)  # a network that is refused comes back a little later

    def choose(self) -> tuple[Event, bool]:
        ledger = self.ledger
        chance = self.dice.random()
        if chance < SHARE_DUPLICATES and ledger.acknowledged:
            return self.dice.choice(ledger.acknowledged[-2000:]), False
        if ledger.to_send_again:
            return ledger.to_send_again.pop(), False
        self.counter += 1
        if chance > 1 - SHARE_FORGED:
            event = Event(f"evt_{self.tag}forged{self.counter:08}", CLINIC_OF_TWO)
            ledger.forged_ids.add(event.id)
            return event, True
        clinic = CLINIC_OF_ONE if self.dice.random() < SHARE_OF_ONE else CLINIC_OF_TWO
        event = Event(f"evt_{self.tag}x{self.counter:08}", clinic)
        ledger.events[event.id] = event
        return event, False

    def note(self, event: Event, forged: bool, status: int) -> None:
        ledger = self.ledger
        with ledger.lock:
            ledger.statuses[status] = ledger.statuses.get(status, 0) + 1
            acknowledged = 200 <= status < 300
            if forged:
                if acknowledged:
                    ledger.forged_acknowledged.append(event.id)
                return
            if acknowledged:
                if not event.acks:
                    ledger.acknowledged.append(event)
                event.acks += 1
                event.last_ack = time.time()
                return
            if status == 0:
                event.unanswered += 1
            else:
                event.refused += 1
            if not event.acks and self.dice.random() < SHARE_SENT_AGAIN:
                ledger.to_send_again.append(event)


def signature(body: bytes, forged: bool) -> str:
    now = str(int(time.time()))
    mac = hmac.digest(SECRET.encode(), now.encode() + b"." + body, hashlib.sha256)
    if forged:
        mac = mac[::-1]
    return f"t={now},v1={mac.hex()}"


def body_of(number: str, clinic: str) -> bytes:
    """An event of the network's shape: an order of its own with one test, whose report says its number."""
    reference = lambda kind, id: {"data": {"id": id, "type": kind}}  # noqa: E731
    practitioner = "pra_" + clinic[4:]
    report = ("MSH|^~\\&|LIS|EXAMPLE LAB|NETWORK|EXAMPLE|20260101080000-0800||ORU^R01|MSG1|P|2.5.1\r"
              "PID|1||PT1||EXAMPLE^PATIENT||19800101|F\r"
              "OBR|1|ORD1|ACC1|2345-7^Glucose^LN|||20251231090000-0800|||||||||||||||20260101080000-0800||CH|F\r"
              f"OBX|1|NM|2345-7^Glucose^LN||88|mg/dL|65-99|N|||F\rNTE|1|L|Accession {number}\r")
    event = {
        "created_at": "2026-01-01T00:00:00-08:00",
        "data": {
            "object": {
                "attributes": {"date_submitted": "2025-12-30T13:28:50.776301-08:00", "notes_to_patient": None, "payer": "patient",
                               "status": "In Progress", "total_price": 0},
                "id": f"ord_{number}",
                "relationships": {
                    "ordered_tests": {"data": [{"id": f"ordts_{number}", "type": "ordered_test"}], "meta": {"count": 1}},
                    "patient": reference("patient", f"pat_{number}"),
                    "patients_practitioner": reference("practitioner", practitioner),
                    "signing_practitioner": reference("practitioner", practitioner),
                },
                "type": "order",
            },
            "included": [
                {"attributes": {"date_results_received_from_lab": "2026-01-01T08:00:00-08:00", "requisition": None, "results_pdf": None,
                                "results_hl7": report},
                 "id": f"ordts_{number}", "relationships": {"lab_test": reference("lab_test", "labts_1")}, "type": "ordered_test"},
                {"attributes": {"first_name": "Example", "last_name": "Practitioner"}, "id": practitioner,
                 "relationships": {"clinic": reference("clinic", clinic)}, "type": "practitioner"},
            ],
        },
        "id": f"evt_{number}",
        "type": "order.new_result",
    }
    return json.dumps(event).encode()


def event_of_order(order: str) -> str:
    return order.replace("ord_", "evt_", 1)


def told_of_others(event: str, item: dict) -> str:
    """Which parts of a feed's item speak of another event than this one. An item in short has fewer parts than a whole one."""
    number = event.removeprefix("evt_")
    said = [("order_id", item["order_id"], f"ord_{number}")]
    if item["type"] == "result":
        said.append(("ordered_test_id", item["ordered_test_id"], f"ordts_{number}"))
    if "order" in item:
        said += [("order", id_of(item["order"]), f"ord_{number}"), ("patient_id", item["patient_id"], f"pat_{number}")]
    if "ordered_test" in item:
        report = (item["ordered_test"] or {}).get("attributes", {}).get("results_hl7", "")
        said += [("ordered_test", id_of(item["ordered_test"]), f"ordts_{number}"), ("report", report.rpartition("Accession ")[2].strip(), number)]
    return " ".join(part for part, told, own in said if told != own)


def id_of(resource: dict | None) -> str | None:
    return resource and resource["id"]
