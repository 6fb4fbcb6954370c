"""What was sent beside what is shown: a million events and their feeds, compared in a file, so that memory stays small however long a run was.

Each question is a promise; its answers are the ids that break it.
"""

from __future__ import annotations

import pathlib
import sqlite3
import tempfile
from collections.abc import Iterator

from listing import Page, Told, position
from senders import Ledger

TABLES = """
    PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA temp_store = file; PRAGMA cache_size = -32768;
    CREATE TABLE sent (id TEXT PRIMARY KEY, clinic TEXT, acknowledged INTEGER, forged INTEGER) WITHOUT ROWID;
    CREATE TABLE stored (id TEXT);
    CREATE TABLE told (practitioner TEXT, event TEXT, kind TEXT, test TEXT, position INTEGER);
    CREATE TABLE shown (practitioner TEXT, event TEXT, kind TEXT, test TEXT, position INTEGER);
"""
INDEXES = """
    CREATE INDEX stored_by_id ON stored (id);
    CREATE INDEX told_by_what ON told (practitioner, event, kind, test, position);
    CREATE INDEX shown_by_what ON shown (practitioner, event, kind, test, position);
"""
IS_STORED = "EXISTS (SELECT 1 FROM stored WHERE stored.id = sent.id)"
OF_EVENTS = {
    "acknowledged and missing from /v1/events (I1)": f"SELECT id FROM sent WHERE acknowledged AND NOT {IS_STORED}",
    "twice in /v1/events (I2)": "SELECT id FROM stored GROUP BY id HAVING count(*) > 1",
    "stored with a wrong signature (I4)": f"SELECT id FROM sent WHERE forged AND {IS_STORED}",
    "in /v1/events and never sent": "SELECT id FROM stored WHERE NOT EXISTS (SELECT 1 FROM sent WHERE sent.id = stored.id)",
}
OF_A_FEED = {  # ?1: whose, ?2: the clinic
    "stored and missing from the feed of {} (I1, D5)":
        f"SELECT id FROM sent WHERE clinic = ?2 AND NOT forged AND {IS_STORED} "
        "AND NOT EXISTS (SELECT 1 FROM told WHERE practitioner = ?1 AND event = sent.id AND kind = 'result')",
    "in the feed of {} and not of their clinic (S5)":
        "SELECT DISTINCT event FROM told WHERE practitioner = ?1 "
        f"AND NOT EXISTS (SELECT 1 FROM sent WHERE sent.id = told.event AND clinic = ?2 AND NOT forged AND {IS_STORED})",
    "twice in the feed of {} (D5)":
        "SELECT event || ' ' || kind || ' ' || test FROM told WHERE practitioner = ?1 AND ?2 <> '' GROUP BY event, kind, test HAVING count(*) > 1",
    "otherwise in the feed of {} than in its list in short (D5)":
        "SELECT event || ' ' || kind || ' ' || test || ' at ' || position FROM shown WHERE practitioner = ?1 AND ?2 <> '' AND NOT EXISTS "
        "(SELECT 1 FROM told t WHERE t.practitioner = ?1 AND t.event = shown.event AND t.kind = shown.kind AND t.test = shown.test "
        "AND t.position = shown.position)",
}


class Account:
    """with Account(ledger) as account: take() pages in any order of listings, then broken()."""

    def __init__(self, ledger: Ledger) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="account-")
        self.file = sqlite3.connect(pathlib.Path(self.folder.name) / "account.db", isolation_level=None)
        self.file.executescript(TABLES)
        self.file.executemany("INSERT INTO sent VALUES (?, ?, ?, 0)", ((event.id, event.clinic, event.acks > 0) for event in ledger.events.values()))
        self.file.executemany("INSERT INTO sent VALUES (?, '', 0, 1)", ((id,) for id in ledger.forged_ids))
        self.last: dict[str, int] = {}              # position read, by practitioner
        self.gaps: dict[str, str] = {}              # the first of each
        self.others: dict[str, list[str]] = {}
        self.items = 0

    def __enter__(self) -> "Account":
        return self

    def __exit__(self, *_) -> None:
        self.file.close()
        self.folder.cleanup()

    def take(self, page: Page) -> None:
        self.items += len(page.items)
        self.file.execute("BEGIN")
        whose = page.listing.practitioner
        if whose:
            self.take_feed(whose, page)
        else:
            self.file.executemany("INSERT INTO stored VALUES (?)", ((id,) for id in page.items))
        self.file.execute("COMMIT")

    def take_feed(self, whose: str, page: Page) -> None:
        spread = page.listing.starts is not None
        last = position(page.after) if spread else self.last.get(whose, 0)
        for item in page.items:
            last += 1
            if item.position != last:
                self.gaps.setdefault(whose, f"the positions of {whose} are not one after the other: {item.position} in the place of {last} (D5)")
                last = item.position
            if item.others:
                self.others.setdefault(whose, []).append(f"{item.event} ({item.others})")
        if not spread:
            self.last[whose] = last
        elif not page.items and last < self.last.get(whose, 0):
            self.gaps.setdefault(whose, f"the feed of {whose} ends at {last}, and its list in short at {self.last[whose]} (D5)")
        self.file.executemany(f"INSERT INTO {'shown' if spread else 'told'} VALUES (?, ?, ?, ?, ?)", ((whose, *what(item)) for item in page.items))

    def broken(self, practitioners: dict[str, str]) -> Iterator[str]:
        self.file.executescript(INDEXES)
        for promise, question in OF_EVENTS.items():
            yield from said((id for id, in self.file.execute(question)), promise)
        for whose, clinic in practitioners.items():
            for promise, question in OF_A_FEED.items():
                yield from said((id for id, in self.file.execute(question, (whose, clinic))), promise.format(whose))
            if whose in self.gaps:
                yield self.gaps[whose]
            yield from said(self.others.get(whose, []), f"in the feed of {whose} and speak of another (S5)")


def what(item: Told) -> tuple:
    return item.event, item.kind, item.test, item.position


def said(ids, promise: str) -> Iterator[str]:
    """How many there are, and the first of them."""
    count, first = 0, []
    for id in ids:
        count += 1
        if len(first) < 3:
            first.append(id)
    if count:
        yield f"{count} {promise}: {', '.join(first)}"[:600]
