#!/usr/bin/python3
"""A new version comes while the one before it runs: two older instances share a PostgreSQL and are under load when a new one starts beside them and
migrates; practitioners come and go by way of an older one; one of the older ones is stopped, the other frozen until it is held for dead and then let
go on; and new ones go on alone. An oracle outside looks whether anything acknowledged, by an old or a new one, was lost, doubled or given to somebody else.

    upgrade.py --server build/release/resultsync --older OLDER_BINARY [--seconds 8]

While both run, an older instance may refuse what newer rules decide now (503, to be tried again) and say so in its log; it must go on acknowledging, and
it must not end. After that it must refuse to start, and say what to do.
"""

from __future__ import annotations

import argparse
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from house import Balancer, Instance, acknowledges, told, wait_until

import oracle  # noqa: E402  (house.py says where)
from cluster import Cluster  # noqa: E402
from senders import CLINIC_OF_ONE, CLINIC_OF_TWO, PRACTITIONERS, Senders, together

STAYS_AND_GOES = "erin"     # connected from the start, disconnected by way of an older instance
COMES = {"dora": CLINIC_OF_TWO, "finn": CLINIC_OF_ONE}  # by way of an older instance, beside newer ones; the second one after a while
START_REFUSED_SECONDS = 30
BLOCKS_WITHIN_SECONDS = 60  # held for dead after 10 s; one that sleeps may hold a lock until the server ends its transaction, 15 s later
LOG_HAS_BLOCKS = 2  # the format from which on everybody reads rows of several records (decision 0041)


def log_format(format: str) -> int:
    return int(format.split("/")[1])


def main() -> int:
    parser = argparse.ArgumentParser(description="Upgrades instance by instance, under load.")
    parser.add_argument("--server", type=pathlib.Path, required=True, help="the version that comes")
    parser.add_argument("--older", type=pathlib.Path, required=True, help="the version that runs")
    parser.add_argument("--seconds", type=float, default=8, help="of load before the new one, with both, and after")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    place = pathlib.Path(tempfile.mkdtemp(prefix="upgrade-"))
    with Cluster(tcp=True) as cluster:
        broken = Upgrade(arguments, place, cluster).run()
    return told(broken, place, arguments.keep)


class Upgrade:
    def __init__(self, arguments: argparse.Namespace, place: pathlib.Path, cluster: Cluster) -> None:
        self.seconds, self.seed, self.cluster = arguments.seconds, arguments.seed, cluster
        binaries = {"old": arguments.older.resolve(), "new": arguments.server.resolve()}
        self.old, self.new = ([Instance(binaries[age], place / f"{age}{i}", cluster.conninfo) for i in range(2)] for age in ("old", "new"))
        self.instances = [*self.old, *self.new]
        self.balancer = Balancer(place, self.instances)
        self.senders: list[Senders] = []  # by way of the balancer, and to each of the old ones by itself
        self.broken: list[str] = []

    def run(self) -> list[str]:
        try:
            self.old_ones_run()
            self.a_new_one_comes()
            self.people_come_and_go()
            self.old_ones_go()
            self.look()
        except RuntimeError as error:
            self.broken += [str(error), *(f"{one.directory.name}: {one.log_tail()[-600:]}" for one in self.instances if one.process)]
        finally:
            for each in self.senders:
                each.end()
            self.balancer.end()
            for instance in self.instances:
                instance.ensure_dead()
        return self.broken

    def old_ones_run(self) -> None:
        self.old[0].start()
        for other in self.instances[1:]:
            other.take_keys(self.old[0])
        self.old[1].start()
        for practitioner, clinic in {**PRACTITIONERS, STAYS_AND_GOES: CLINIC_OF_ONE}.items():
            self.old[0].connect(practitioner, clinic)
        self.senders = [Senders(self.balancer, self.seed), *(Senders(old, self.seed + 1 + i, threads=1) for i, old in enumerate(self.old))]
        for each in self.senders:
            each.go()
        self.under_load()
        self.format_before = self.format()

    def a_new_one_comes(self) -> None:
        begun = time.monotonic()
        self.new[0].start()
        self.say(f"format {self.format_before} became {self.format()}; the new one was ready after {time.monotonic() - begun:.1f} s")
        self.under_load()
        self.old_ones_acknowledge("after the migration")

    def people_come_and_go(self) -> None:
        (dora, of_two), (finn, of_one) = COMES.items()
        by_old = self.old[1]
        by_old.connect(dora, of_two)
        status, _ = by_old.request("DELETE", f"/v1/practitioners/{STAYS_AND_GOES}")
        if status != 204:
            self.broken.append(f"an older instance answered {status} when a practitioner was to be disconnected")
        if by_old.get_private("/v1/feed?practitioner=anna&limit=10", headers=by_old.bearer())[0] != 200:
            self.broken.append("an older instance does not show a feed")
        self.under_load()
        by_old.connect(finn, of_one)
        self.old_ones_acknowledge("after practitioners came and went")

    def old_ones_go(self) -> None:
        if log_format(self.format_before) < LOG_HAS_BLOCKS:
            self.most_records_of_a_row("while older ones read the log", lambda most: most == 1)
        self.senders[1].rest()
        if (code := self.old[0].stop()) != 0:
            self.broken.append(f"{self.old[0].directory.name} ended with {code} when it was asked to stop (P2)")
        acknowledges(self.senders[0].ledger)
        self.new[1].start()
        self.under_load()
        self.one_sleeps_through_the_end(self.old[1])
        self.senders[2].rest()
        self.old.clear()
        self.under_load()

    def one_sleeps_through_the_end(self, old: Instance) -> None:
        """Held for dead, it wakes up among rows that it cannot read: it may acknowledge, and must not touch what it does not understand."""
        self.senders[2].rest()
        old.process.send_signal(signal.SIGSTOP)
        self.most_records_of_a_row("after the older ones have gone", lambda most: most > 1)
        old.process.send_signal(signal.SIGCONT)
        self.senders[2].go()
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            acknowledges(self.senders[0].ledger)
        ended = old.process.poll()
        said = [line for line in old.log_tail().splitlines() if '"level":"error"' in line][-1:]
        self.say(f"the older one that slept through it {'runs' if ended is None else f'ended with {ended}'} {' '.join(said)}")
        old.ensure_dead()

    def most_records_of_a_row(self, when: str, is_right) -> None:
        """Blocks are written once nobody is left who cannot read them (decision 0041)."""
        try:
            wait_until("", lambda: is_right(int(self.cluster.query("SELECT max(records) FROM resultsync.log_records"))), BLOCKS_WITHIN_SECONDS)
        except RuntimeError:
            self.broken.append(f"blocks are written too early, or not at all: {when}")

    def look(self) -> None:
        for each in self.senders:
            each.rest()
        ledger = together([each.ledger for each in self.senders])
        self.broken += oracle.everything_holds(self.new, ledger, {**PRACTITIONERS, **COMES})
        status, _ = self.new[0].get_private(f"/v1/feed?practitioner={STAYS_AND_GOES}", headers=self.new[0].bearer())
        if status != 404:
            self.broken.append(f"whoever was disconnected by an older instance is answered {status}")
        self.broken += self.new[0].verify()
        by_each = ", ".join(f"{len(each.ledger.acknowledged)}" for each in self.senders)
        self.say(f"{len(ledger.acknowledged)} events acknowledged (by way of the balancer and by each old one: {by_each}), answers {ledger.statuses}")
        self.old_one_is_refused()

    def old_one_is_refused(self) -> None:
        if self.format() == self.format_before:
            self.say("both have the same format: the older one may start again, and is not asked to")
            return
        older = self.instances[0]
        older.spawn()
        try:
            code = older.process.wait(START_REFUSED_SECONDS)
        except subprocess.TimeoutExpired:
            self.broken.append(f"the older one starts on format {self.format()}")
            return
        said = older.log_tail().strip().splitlines()[-2:]
        self.say(f"the older one refuses with {code}: {' / '.join(line.strip() for line in said)}")
        if code <= 0 or not any("run the newer resultsync" in line for line in said):
            self.broken.append(f"the older one ended with {code} without saying what to do: {said}")

    def under_load(self) -> None:
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            self.old_ones_live()
            acknowledges(self.senders[0].ledger)

    def old_ones_live(self) -> None:
        for old in self.old:
            if old.process.poll() not in (None, 0):
                raise RuntimeError(f"{old.directory.name} ended with {old.process.returncode} by itself")

    def old_ones_acknowledge(self, when: str) -> None:
        for old, each in zip(self.old, self.senders[1:]):
            before = len(each.ledger.acknowledged)
            try:
                wait_until("", lambda: len(each.ledger.acknowledged) > before + 20, 30)
            except RuntimeError:
                self.broken.append(f"{old.directory.name} acknowledges nothing {when}: {each.ledger.statuses}")

    def format(self) -> str:
        return self.cluster.query("SELECT views || '/' || log || '/' || audit FROM resultsync.format")

    @staticmethod
    def say(line: str) -> None:
        print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
