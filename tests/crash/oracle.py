"""What must hold whatever was killed: the ledger of the senders, compared with what the server shows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import listing
from account import Account, said
from listing import Listing, Page
from senders import PRACTITIONERS, Event, Ledger
from service import Door, Service

RECEIPTS_CHECKED = 100
RECENT_CHECKED = 20
EVENTS_READ_HERE = 10_000       # of more, listings are read by processes of their own
ITEMS_READ_WHOLE = 30_000       # of a longer feed every item is read in short, and so many whole, in pages from all over it
TALK_SECONDS = 10


def recent_are_there(service: Service, ledger: Ledger) -> list[str]:
    """The cheap check after a restart: the events that were acknowledged last before the crash."""
    service.wait_synced()
    return [f"{event.id} was acknowledged and is gone (I1)" for event in ledger.acknowledged[-RECENT_CHECKED:]
            if service.get_private(f"/v1/events/{event.id}", headers=service.bearer())[0] != 200]


def everything_holds(services: Service | Sequence[Service], ledger: Ledger, practitioners: Mapping[str, str] = PRACTITIONERS) -> list[str]:
    """Every broken promise, in words; nothing if all hold. Of several instances each shows a part: pages are asked of them in turns."""
    services = services if isinstance(services, Sequence) else [services]
    for service in services:
        service.wait_synced()
    broken = [*said(sorted(ledger.forged_acknowledged), "acknowledged with a wrong signature (I4)"), *said(sorted(ledger.hung), "sent and left hanging (I6)")]
    with Account(ledger) as account:
        for page in pages([service.door for service in services], ledger, practitioners):
            account.take(page)
        broken += account.broken(practitioners)
    return broken + [line for service in services for line in receipts_hold(service, ledger)]


def pages(doors: Sequence[Door], ledger: Ledger, practitioners: Mapping[str, str]) -> Iterator[Page]:
    """All events, and the feeds: each item that is stored for the clinic, once, and nothing else, at positions without gaps."""
    if len(ledger.events) <= EVENTS_READ_HERE:
        for each in [listing.events(), *map(listing.feed_of, practitioners)]:
            yield from listing.read(each, doors)
        return
    whole = len(ledger.events) <= ITEMS_READ_WHOLE
    ends: dict[str, list[str]] = {practitioner: [] for practitioner in practitioners}
    for page in with_talk([listing.events(), *map(listing.feed_of if whole else listing.feed_in_short, practitioners)], doors):
        if page.end:
            ends[page.listing.practitioner].append(page.end)
        yield page
    if not whole:
        yield from with_talk([listing.feed_of(practitioner, spread(places)) for practitioner, places in ends.items()], doors)


def spread(places: list[str]) -> tuple[str, ...]:
    """So many that ITEMS_READ_WHOLE are read, the first and the last page among them."""
    pages_whole = max(1, ITEMS_READ_WHOLE // listing.WHOLE_ITEMS)
    places = ["", *places[:-1]]
    step = -(-len(places) // pages_whole)
    return tuple(dict.fromkeys([*places[::step], places[-1]]))


def with_talk(listings: list[Listing], doors: Sequence[Door]) -> Iterator[Page]:
    begun = told = time.monotonic()
    items = 0
    for page in listing.read_side_by_side(listings, doors):
        items += len(page.items)
        if time.monotonic() - told > TALK_SECONDS:
            told = time.monotonic()
            print(f"  oracle: {items:,} items read, {items / (told - begun):,.0f}/s", file=sys.stderr, flush=True)
        yield page


def receipts_hold(service: Service, ledger: Ledger) -> list[str]:
    """Each further 2xx for an event is a receipt of it, as durable as the first (I5)."""
    broken = []
    for event in [event for event in ledger.acknowledged if event.acks > 1][-RECEIPTS_CHECKED:]:
        shown = service.api(f"/v1/events/{event.id}")
        receipts = len(shown.get("receipts", [])) - 1  # besides the first
        most = event.acks + event.unanswered + event.refused
        if not event.acks - 1 <= receipts <= most:
            broken.append(f"{event.id} was acknowledged {event.acks} times and shows {receipts} receipts (I5)")
    return broken


def rebuild_is_clean(service: Service) -> list[str]:
    """`verify --rebuild` on the stopped server's data (S1)."""
    run = subprocess.run([str(service.binary), "verify", "--rebuild", "--data-dir", str(service.data_directory)],
                         capture_output=True, text=True, timeout=600)
    return [] if run.returncode == 0 else [f"verify --rebuild ended with {run.returncode}: {(run.stdout + run.stderr)[-500:]}"]


def reads_are_on_record(service: Service, answered: list[str]) -> list[str]:
    """Whoever was shown something stands in the audit log (P5)."""
    recorded = {row["request_id"] for row in service.items("/v1/audit?order=oldest") if row["outcome"] == "200"}
    return list(said(sorted(set(answered) - recorded), "read and not in the audit log (P5)"))


def audit_is_sound(service: Service) -> list[str]:
    """`audit verify` on the stopped server's data: the chain has no gap, and no signed end is missing (P5)."""
    run = subprocess.run([str(service.binary), "audit", "verify", "--data-dir", str(service.data_directory)],
                         capture_output=True, text=True, timeout=600)
    return [] if run.returncode == 0 else [f"audit verify ended with {run.returncode}: {(run.stdout + run.stderr)[-500:]}"]


def acknowledged_after(ledger: Ledger, moment: float) -> list[Event]:
    return [event for event in ledger.acknowledged if event.last_ack > moment]
