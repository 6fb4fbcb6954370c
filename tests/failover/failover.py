#!/usr/bin/python3
"""Fails a PostgreSQL cluster over, again and again, under load, and looks from outside whether an acknowledged event was lost, doubled, out of
place or given to somebody else; also by way of retries that hit the duplicate path.

    failover.py --server build/release/resultsync [--rounds 6] [--instances 2]

A round is one of each kind: the primary killed; stopped (SIGSTOP) until another one leads, then woken up as a zombie without a keeper; a planned switch-over; the
primary cut off from etcd (it must step down) while clients still reach it, both ways and one way in turns; the synchronous standby killed; and, where there are
network namespaces, the primary cut off from everything. Without etcd or Patroni: skipped.
"""

from __future__ import annotations

import argparse
import pathlib
import signal
import sys
import tempfile
import time

from house import Balancer, Instance, acknowledges, told, wait_until

import oracle  # noqa: E402
import namespaces
from patroni import Group
from senders import PRACTITIONERS, Senders


def main() -> int:
    parser = argparse.ArgumentParser(description="Fails over under load, with an oracle outside.")
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=6, help="of one of each kind")
    parser.add_argument("--instances", type=int, default=2)
    parser.add_argument("--only", help="only the kinds whose name contains this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    if not pathlib.Path("/usr/bin/patroni").exists():
        sys.exit("skipped: no patroni")
    network = namespaces.enter()
    place = pathlib.Path(tempfile.mkdtemp(prefix="failover-"))
    with Group(place, network) as group:
        broken = Trial(arguments, place, group).run()
    return told(broken, place, arguments.keep)


class Trial:
    def __init__(self, arguments: argparse.Namespace, place: pathlib.Path, group: Group) -> None:
        self.arguments, self.group = arguments, group
        hosts = ",".join(node.host for node in group.nodes)
        ports = ",".join(str(node.port) for node in group.nodes)
        store = f"host={hosts} port={ports} user=postgres dbname=postgres connect_timeout=2"
        self.instances = [Instance(arguments.server.resolve(), place / f"i{i}", store, standby=True) for i in range(arguments.instances)]
        self.balancer = Balancer(place, self.instances)
        self.outages: list[tuple[str, float]] = []

    def run(self) -> list[str]:
        senders = None
        try:
            self.instances[0].start()
            for other in self.instances[1:]:
                other.take_keys(self.instances[0])
                other.start()
            for practitioner, clinic in PRACTITIONERS.items():
                self.instances[0].connect(practitioner, clinic)
            senders = Senders(self.balancer, self.arguments.seed)
            senders.go()
            self.ledger = senders.ledger
            kinds = [kind for kind in (self.kill, self.stop, self.switch_over, self.cut_from_etcd, self.lose_standby, *self.with_namespaces())
                     if not self.arguments.only or self.arguments.only in kind.__name__]
            for self.turn in range(self.arguments.rounds):
                for kind in kinds:
                    time.sleep(2)  # under load, and whole
                    seconds = kind()
                    self.outages.append((kind.__name__, acknowledges(senders.ledger) if seconds is None else seconds))
                    self.group.wait_whole()
                    acknowledges(senders.ledger)
                    print(f"  {self.turn + 1}: {kind.__name__}, acknowledged again after {self.outages[-1][1]:.1f} s; "
                          f"{len(senders.ledger.acknowledged)} events", file=sys.stderr, flush=True)
            senders.rest()
            return self.look(senders.ledger)
        except RuntimeError as error:
            return [str(error), *(f"i{i}: {one.log_tail()[-400:]}" for i, one in enumerate(self.instances)),
                    *(f"{node.name}: {node.last_words()}" for node in self.group.nodes)]
        finally:
            if senders:
                senders.end()
            self.balancer.end()
            for instance in self.instances:
                instance.ensure_dead()

    def look(self, ledger) -> list[str]:
        broken = []
        begun = time.monotonic()
        for instance in self.instances:
            instance.wait_ready()
        broken += oracle.everything_holds(self.instances, ledger)
        looked = time.monotonic() - begun
        broken += self.instances[0].verify()
        print(f"  the oracle took {looked:.0f} s, verify --rebuild {time.monotonic() - begun - looked:.0f} s", file=sys.stderr)
        seconds = sorted(outage for _, outage in self.outages)
        print(f"  {len(seconds)} fail-overs, {len(ledger.acknowledged)} events acknowledged, {sum(e.acks > 1 for e in ledger.acknowledged)} "
              f"of them more than once, answers {ledger.statuses}; outage median {seconds[len(seconds) // 2]:.1f} s, longest {seconds[-1]:.1f} s; "
              f"standbys made anew {self.group.made_anew}")
        return broken

    def kill(self) -> None:
        primary = self.group.primary()
        primary.kill()
        self.wait_for_another(primary)
        primary.start()

    def stop(self) -> None:
        primary = self.group.primary()
        primary.send(signal.SIGSTOP)
        self.wait_for_another(primary)
        # The zombie still believes to lead, and takes connections; it can acknowledge nothing, because nobody follows it. Its Patroni does not
        # wake up: Debian's 3.0.2 then writes over the leader key with what it had in hand, which a watchdog would prevent.
        primary.kill_patroni()
        primary.send(signal.SIGCONT)
        time.sleep(4)
        primary.start()

    def switch_over(self) -> None:
        primary = self.group.primary()
        for _ in range(6):  # it is refused while the standby lags
            self.group.switch_over()
            try:
                return self.wait_for_another(primary, 10)
            except RuntimeError:
                self.group.wait_whole()
        raise RuntimeError("the switch-over was refused six times")

    def cut_from_etcd(self) -> None:
        primary = self.group.primary()
        primary.cut_from_etcd(one_way=self.turn % 2 == 1)
        self.wait_for_another(primary)
        primary.heal()

    def with_namespaces(self) -> list:
        return [self.cut_off] if self.group.network else []

    def cut_off(self) -> float:
        primary = self.group.primary()
        primary.cut_off()
        self.wait_for_another(primary)
        seconds = acknowledges(self.ledger)  # while the old one is still out of reach, and nothing has told its clients
        primary.heal()
        return seconds

    def lose_standby(self) -> None:
        standby = self.group.synchronous_standby()
        standby.kill()
        time.sleep(1)
        standby.start()

    def wait_for_another(self, before, patience_seconds: float = 60) -> None:
        wait_until("another one leads", lambda: any(node is not before and node.role() == "primary" for node in self.group.nodes), patience_seconds)


if __name__ == "__main__":
    sys.exit(main())
