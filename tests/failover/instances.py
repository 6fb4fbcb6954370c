#!/usr/bin/python3
"""Three instances behind haproxy share one PostgreSQL. Under load each of them is restarted, killed, stopped (SIGSTOP) for longer than it is
believed to be alive, and cut off from the database, both ways and one way; the database itself is killed. An oracle outside all of them
looks whether anything acknowledged is lost, doubled, out of place or given to somebody else.

    instances.py --server build/release/resultsync [--rounds 1]
"""

from __future__ import annotations

import argparse
import pathlib
import signal
import sys
import tempfile
import time

from house import Balancer, Instance, acknowledges, told

import oracle  # noqa: E402  (house.py says where)
from cluster import Cluster  # noqa: E402
import namespaces
from proxy import Wire
from senders import PRACTITIONERS, Senders

ALIVE_FOR_SECONDS = 10  # PostgresLogOptions::alive_for
QUIET_SECONDS = 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Restarts, kills, stops and cuts off instances under load.")
    parser.add_argument("--server", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    network = namespaces.enter()
    database = network.place("db", 3) if network else None
    place = pathlib.Path(tempfile.mkdtemp(prefix="instances-"))
    with Cluster(tcp=True, within=database.within, network=namespaces.EVERYTHING) if database else Cluster(tcp=True) as cluster:
        roads = database.roads if database else [Wire(cluster.port) for _ in range(3)]
        broken = Trial(arguments, place, cluster, roads).run()
    return told(broken, place, arguments.keep)


class Trial:
    def __init__(self, arguments: argparse.Namespace, place: pathlib.Path, cluster: Cluster, roads: list) -> None:
        self.arguments = arguments
        self.cluster = cluster
        self.roads = roads  # of each instance to the database
        self.instances = [Instance(arguments.server.resolve(), place / f"i{i}",
                                   f"host={road.host} port={getattr(road, 'port', cluster.port)} user=postgres dbname=postgres")
                          for i, road in enumerate(roads)]
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
            for _ in range(self.arguments.rounds):
                for fault in (self.rolling_restart, self.kill, self.stop, self.cut_off, self.cut_one_way, self.database_restart):
                    fault(senders.ledger)
                    time.sleep(QUIET_SECONDS)
            senders.rest()
            return self.look(senders.ledger)
        except (RuntimeError, OSError) as error:  # an instance that ended refuses the connection
            return [str(error), *(f"i{i}: {one.log_tail()[-1200:]}" for i, one in enumerate(self.instances))]
        finally:
            if senders:
                senders.end()
            self.balancer.end()
            for instance in self.instances:
                if instance.process and instance.process.poll() is None:
                    instance.process.send_signal(signal.SIGCONT)
                instance.ensure_dead()
            for road in self.roads:
                road.end()

    def look(self, ledger) -> list[str]:
        broken = []
        for instance in self.instances:  # each must show the same
            broken += oracle.everything_holds(instance, ledger)
        broken += self.instances[0].verify()
        for kind, seconds in self.outages:
            print(f"  {kind}: an event was acknowledged again after {seconds:.1f} s")
        streams = self.cluster.query("SELECT count(*), count(*) FILTER (WHERE state = 0) FROM resultsync.log_streams")
        print(f"  {len(ledger.acknowledged)} events acknowledged, answers {ledger.statuses}, streams and open ones {streams}")
        if not ledger.acknowledged:
            broken.append("nothing was acknowledged at all")
        return broken

    def note(self, kind: str, ledger) -> None:
        self.outages.append((kind, acknowledges(ledger)))

    def rolling_restart(self, ledger) -> None:
        for instance in self.instances:
            if instance.stop() != 0:
                raise RuntimeError("an instance did not stop in order (P2)")
            self.note("rolling restart", ledger)
            instance.start()

    def kill(self, ledger) -> None:
        self.instances[0].kill()
        self.note("kill", ledger)
        self.instances[0].start()

    def stop(self, ledger) -> None:
        process = self.instances[1].process
        process.send_signal(signal.SIGSTOP)
        self.note("stop", ledger)
        time.sleep(ALIVE_FOR_SECONDS + 4)  # it must be held for dead meanwhile
        process.send_signal(signal.SIGCONT)
        self.instances[1].wait_ready()
        self.note("after the stop", ledger)

    def cut_off(self, ledger) -> None:
        self.roads[2].cut()
        self.note("cut off", ledger)
        time.sleep(ALIVE_FOR_SECONDS + 4)
        self.roads[2].heal()
        self.instances[2].wait_ready()

    def cut_one_way(self, ledger) -> None:
        # Commits arrive, their answers do not: every one of them is indeterminate.
        self.roads[0].cut(to_server=False, to_client=True)
        self.note("answers cut", ledger)
        time.sleep(5)
        self.roads[0].heal()
        self.instances[0].wait_ready()

    def database_restart(self, ledger) -> None:
        self.cluster.stop("immediate")
        time.sleep(2)
        self.cluster.start()
        self.note("database killed", ledger)
        for instance in self.instances:
            instance.wait_ready()


if __name__ == "__main__":
    sys.exit(main())
