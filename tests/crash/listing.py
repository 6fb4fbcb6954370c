"""Listings of the product's API read to their end, page by page: of an item only what is compared is kept, and no more than a few pages at a time.

A short listing is read where it is asked for. Long ones are read side by side, each by a process of its own that gives way to the servers.
"""

from __future__ import annotations

import dataclasses
import gc
import http.client
import json
import multiprocessing
import os
import queue
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from senders import event_of_order, told_of_others
from service import Door

PAGE_ITEMS = 1000
WHOLE_ITEMS = 250           # of a page of a feed, whose items are large
PAGES_AHEAD = 16            # that the readers may be ahead of whoever compares
TRY_AGAIN_SECONDS = 30      # while the answer is 503, which says so
SILENCE_SECONDS = 120


class Told(NamedTuple):
    """An item of a feed."""

    position: int
    event: str
    kind: str       # result or order
    test: str       # an event is told once of each test, and once of its order
    others: str     # which of its parts speak of another event or of somebody else


@dataclasses.dataclass(frozen=True)
class Listing:
    path: str
    practitioner: str = ""                  # nobody's: the events
    starts: tuple[str, ...] | None = None   # only the page after each of these cursors
    page_items: int = PAGE_ITEMS

    @property
    def in_short(self) -> bool:
        return self.path.startswith(IN_SHORT)

    def kept(self, item: dict) -> str | Told:
        if not self.practitioner:
            return item["id"]
        event = event_of_order(item["order_id"]) if self.in_short else item["event_id"]
        whose = item["practitioner"] if self.in_short else item["practitioner"]["id"]
        others = told_of_others(event, item) + (" practitioner" if whose != self.practitioner else "")
        return Told(position(item["cursor"]), event, item["type"], item.get("ordered_test_id", ""), others.strip())


class Page(NamedTuple):
    listing: Listing
    after: str
    items: list[str | Told]
    end: str            # the cursor of the last item of a feed


def position(cursor: str) -> int:
    """Opaque to applications; the last part is the position (src/api/cursor.hpp), and a test may look."""
    return int(cursor.rpartition(".")[2]) if cursor else 0


FEED, IN_SHORT = "/v1/feed?", "/v1/feed/unacknowledged?"


def events() -> Listing:
    return Listing("/v1/events?", page_items=PAGE_ITEMS)


def feed_of(practitioner: str, starts: tuple[str, ...] | None = None) -> Listing:
    return Listing(f"{FEED}practitioner={urllib.parse.quote(practitioner)}&", practitioner, starts, WHOLE_ITEMS)


def feed_in_short(practitioner: str) -> Listing:
    """Every item of a feed without what it says, from an application that acknowledges nothing."""
    return Listing(f"{IN_SHORT}practitioner={urllib.parse.quote(practitioner)}&", practitioner, page_items=PAGE_ITEMS)


def read(listing: Listing, doors: Sequence[Door]) -> Iterator[Page]:
    """Each page of another instance than the one before it: what one gave as `next`, the next one must know."""
    connections = [http.client.HTTPConnection("127.0.0.1", door.port, timeout=60) for door in doors]
    starts = list(listing.starts or [""])
    turn = 0
    while starts:
        after, place = starts.pop(0), turn % len(doors)
        turn += 1
        page = ask(connections[place], doors[place].key, f"{listing.path}limit={listing.page_items}" + (f"&after={urllib.parse.quote(after)}" if after else ""))
        yield Page(listing, after, [listing.kept(item) for item in page["items"]], page["items"][-1].get("cursor", "") if page["items"] else "")
        if listing.starts is None and page["items"] and page["next"] not in (None, after):
            starts.append(page["next"])
    for connection in connections:
        connection.close()


def ask(connection: http.client.HTTPConnection, key: str, path: str) -> dict:
    deadline = time.monotonic() + TRY_AGAIN_SECONDS
    while True:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == 200:
            return json.loads(text)
        if answer.status not in (429, 503) or time.monotonic() > deadline:
            raise RuntimeError(f"GET {path}: {answer.status} {text[:300]!r}")
        time.sleep(0.5)


def read_side_by_side(listings: Sequence[Listing], doors: Sequence[Door]) -> Iterator[Page]:
    processes = multiprocessing.get_context("spawn")  # a copy of this process would have half of its threads
    pages = processes.Queue(PAGES_AHEAD)
    readers = [processes.Process(target=hand_over, args=(listing, doors, pages), daemon=True) for listing in listings]
    for reader in readers:
        reader.start()
    try:
        unfinished = len(readers)
        while unfinished:
            try:
                page = pages.get(timeout=SILENCE_SECONDS)
            except queue.Empty:
                raise RuntimeError(f"no page came for {SILENCE_SECONDS} s") from None
            if isinstance(page, str):
                raise RuntimeError(page)
            if page is None:
                unfinished -= 1
            else:
                yield page
    finally:
        for reader in readers:
            reader.kill()
            reader.join()


def hand_over(listing: Listing, doors: Sequence[Door], pages: multiprocessing.Queue) -> None:
    os.nice(10)
    gc.disable()  # a page is a hundred thousand small objects without circles: looking through them again and again takes most of the time
    try:
        for page in read(listing, doors):
            pages.put(page)
        pages.put(None)
    except Exception as error:  # whatever it was, somebody waits for it
        pages.put(f"{listing.path} {type(error).__name__}: {error}")
