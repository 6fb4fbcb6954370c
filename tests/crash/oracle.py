"""What must hold whatever was killed: the ledger of the senders, compared with what the server shows."""

from __future__ import annotations

import collections
import subprocess

from senders import PRACTITIONERS, Event, Ledger
from service import Service

RECEIPTS_CHECKED = 100
RECENT_CHECKED = 20


def recent_are_there(service: Service, ledger: Ledger) -> list[str]:
    """The cheap check after a restart: the events that were acknowledged last before the crash."""
    service.wait_synced()
    return [f"{event.id} was acknowledged and is gone (I1)" for event in ledger.acknowledged[-RECENT_CHECKED:]
            if service.get_private(f"/v1/events/{event.id}", headers=service.bearer())[0] != 200]


def everything_holds(service: Service, ledger: Ledger) -> list[str]:
    """Every broken promise, in words; nothing if all hold."""
    service.wait_synced()
    stored = [item["id"] for item in service.items("/v1/events")]
    broken = list(events_hold(stored, ledger))
    for practitioner, clinic in PRACTITIONERS.items():
        broken += feed_holds(service, practitioner, clinic, set(stored), ledger)
    broken += receipts_hold(service, ledger)
    return broken


def events_hold(stored: list[str], ledger: Ledger):
    acknowledged = {event.id for event in ledger.acknowledged}
    yield from said(acknowledged - set(stored), "acknowledged and missing from /v1/events (I1)")
    yield from said(twice(stored), "twice in /v1/events (I2)")
    yield from said(set(stored) & ledger.forged_ids, "stored with a wrong signature (I4)")
    yield from said(ledger.forged_acknowledged, "acknowledged with a wrong signature (I4)")
    yield from said(ledger.hung, "sent and left hanging (I6)")
    yield from said(set(stored) - set(ledger.events) - ledger.forged_ids, "in /v1/events and never sent")


def feed_holds(service: Service, practitioner: str, clinic: str, stored: set[str], ledger: Ledger) -> list[str]:
    """Everything stored for the clinic stands in the feed, once; nothing else does; positions have no gaps."""
    items = list(service.items(f"/v1/feed?practitioner={practitioner}"))
    in_feed = {item["event_id"] for item in items if item["type"] == "result"}
    expected = {id for id in stored if id in ledger.events and ledger.events[id].clinic == clinic}
    broken = list(said(expected - in_feed, f"stored and missing from the feed of {practitioner} (I1, D5)"))
    broken += said(in_feed - expected, f"in the feed of {practitioner} and not of their clinic (S5)")
    broken += said(twice([what_it_tells(item) for item in items]), f"twice in the feed of {practitioner} (D5)")
    positions = [position(item) for item in items]
    if positions != list(range(1, len(items) + 1)):
        broken.append(f"the positions of {practitioner} are not 1 to {len(items)}, one after the other: the last is {positions[-1]} (D5)")
    return broken


def what_it_tells(item: dict) -> str:
    """Each order and each test of an event is told once."""
    return f"{item['event_id']}/{item['type']}/{item.get('ordered_test_id', '')}"


def position(item: dict) -> int:
    """Cursors are opaque to applications; their last part is the position (src/api/cursor.hpp), and a test may look."""
    return int(item["cursor"].rpartition(".")[2])


def receipts_hold(service: Service, ledger: Ledger) -> list[str]:
    """Each further 2xx for an event is a receipt of it, as durable as the first (I5)."""
    broken = []
    for event in [event for event in ledger.acknowledged if len(event.acks) > 1][-RECEIPTS_CHECKED:]:
        shown = service.api(f"/v1/events/{event.id}")
        receipts = len(shown.get("receipts", [])) - 1  # besides the first
        most = len(event.acks) + event.unanswered + event.refused
        if not len(event.acks) - 1 <= receipts <= most:
            broken.append(f"{event.id} was acknowledged {len(event.acks)} times and shows {receipts} receipts (I5)")
    return broken


def rebuild_is_clean(service: Service) -> list[str]:
    """`verify --rebuild` on the stopped server's data (S1)."""
    run = subprocess.run([str(service.binary), "verify", "--rebuild", "--data-dir", str(service.data_directory)],
                         capture_output=True, text=True, timeout=600)
    return [] if run.returncode == 0 else [f"verify --rebuild ended with {run.returncode}: {(run.stdout + run.stderr)[-500:]}"]


def reads_are_on_record(service: Service, answered: list[str]) -> list[str]:
    """Whoever was shown something stands in the audit log (P5)."""
    recorded = {row["request_id"] for row in service.items("/v1/audit?order=oldest") if row["outcome"] == "200"}
    return list(said(set(answered) - recorded, "read and not in the audit log (P5)"))


def audit_is_sound(service: Service) -> list[str]:
    """`audit verify` on the stopped server's data: the chain has no gap, and no signed end is missing (P5)."""
    run = subprocess.run([str(service.binary), "audit", "verify", "--data-dir", str(service.data_directory)],
                         capture_output=True, text=True, timeout=600)
    return [] if run.returncode == 0 else [f"audit verify ended with {run.returncode}: {(run.stdout + run.stderr)[-500:]}"]


def acknowledged_after(ledger: Ledger, moment: float) -> list[Event]:
    return [event for event in ledger.acknowledged if any(ack > moment for ack in event.acks)]


def twice(values: list[str]) -> list[str]:
    return [value for value, count in collections.Counter(values).items() if count > 1]


def said(ids, what: str):
    ids = sorted(ids)
    if ids:
        yield f"{len(ids)} {what}: {', '.join(ids[:3])}"[:600]
