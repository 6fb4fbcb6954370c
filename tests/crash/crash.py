#!/usr/bin/python3
"""Kills the server at every inconvenient moment and looks, from outside, whether it kept its word.

    crash.py --server build/release/resultsync --kills 200        SIGKILL at random moments, again and again
    crash.py --server build/release/resultsync --inject           SIGKILL, EIO and ENOSPC at the first system calls of each kind

Kills without a power cut leave the page cache alone: what is shown here is that no acknowledgement runs ahead of its commit and that
every file is recovered from any state between two system calls. Only loopback is a target; Python's standard library is all it needs.
"""

from __future__ import annotations

import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import time

import oracle
from inject import run_injections
from senders import PRACTITIONERS, Senders
from service import Service

SHARE_KILLED_WHILE_STARTING = 0.2
STARTING_SECONDS_MAX = 0.05
SERVING_SECONDS = (0.02, 0.6)


def main() -> int:
    arguments = parse_arguments()
    if not arguments.server.exists():
        print(f"skipped: no {arguments.server.name}")
        return 0
    if arguments.inject and shutil.which("strace") is None:
        print("skipped: no strace")
        return 0
    results = run_injections(arguments) if arguments.inject else [run_kills(arguments)]
    failed = sum(1 for passed in results if not passed)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed or not results else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kills the server and checks what it promised.")
    parser.add_argument("--server", type=pathlib.Path, required=True, help="the resultsync to test")
    parser.add_argument("--directory", type=pathlib.Path, help="where to put data (default: the system's temporary directory)")
    parser.add_argument("--seed", type=int, default=1, help="of every random choice")
    parser.add_argument("--kills", type=int, default=200, help="how many times to kill")
    parser.add_argument("--inject", action="store_true", help="faults at system calls, under strace")
    parser.add_argument("--depth", type=int, default=8, help="with --inject: the first so many calls of each kind")
    parser.add_argument("--only", help="with --inject: only the cases whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep the data of what failed")
    arguments = parser.parse_args()
    arguments.server = arguments.server.resolve()
    return arguments


def run_kills(arguments: argparse.Namespace) -> bool:
    dice = random.Random(arguments.seed)
    place = pathlib.Path(tempfile.mkdtemp(prefix="crash-", dir=arguments.directory))
    service = Service(arguments.server, place)
    senders = Senders(service, arguments.seed)
    broken: list[str] = []
    started = time.monotonic()
    try:
        service.start()
        for practitioner, clinic in PRACTITIONERS.items():
            service.connect(practitioner, clinic)
        for kill in range(arguments.kills):
            senders.go()
            time.sleep(dice.uniform(*SERVING_SECONDS))  # the moment of the kill is what is being varied
            service.kill()
            senders.rest()
            if dice.random() < SHARE_KILLED_WHILE_STARTING:
                service.spawn()
                time.sleep(dice.uniform(0, STARTING_SECONDS_MAX))
                service.kill()
            service.start()
            broken = oracle.recent_are_there(service, senders.ledger)
            if broken:
                broken.insert(0, f"after kill {kill + 1}:")
                break
            if (kill + 1) % 20 == 0:
                print(f"  {kill + 1} kills, {len(senders.ledger.acknowledged)} events acknowledged", file=sys.stderr, flush=True)
        if not broken:
            broken = oracle.everything_holds(service, senders.ledger)
            service.stop()
            broken += oracle.rebuild_is_clean(service)
    except RuntimeError as error:
        broken.append(str(error))
    finally:
        senders.end()
        service.ensure_dead()
    ledger = senders.ledger
    unanswered = sum(event.unanswered for event in ledger.events.values())
    print(f"{'ok' if not broken else 'FAILED'}  {arguments.kills} kills (seed {arguments.seed}, {time.monotonic() - started:.0f} s): "
          f"{len(ledger.acknowledged)} events acknowledged, {unanswered} requests without an answer, answers {ledger.statuses}")
    for line in broken:
        print(f"    {line}")
    leave(place, arguments.keep and bool(broken))
    return not broken


def leave(place: pathlib.Path, keep: bool) -> None:
    if keep:
        print(f"    kept: {place}")
    else:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
