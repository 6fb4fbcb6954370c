"""When the machine stood still: moments at which not even a process of the highest priority ran, which sleeps a millisecond at a time on each core.

A hypervisor that gives the core to another guest does that, and a kernel that does not let go of it: on a machine whose kernel looks for memory to give
back, all processes wait while it does. What was asked for in such a moment is late whoever serves it, so a comparison of two servers says the figures
without those moments, too. Needs the right to real-time priority; without it nothing is known, and nothing is left out.
"""

from __future__ import annotations

import bisect
import os
import signal
import subprocess
import sys
import time

SLEEP = 0.001
LATE = 0.0015  # later than this after its time is a pause


class Pauses:
    """Watches while it is entered; `overlap` tells of any moments between, once it is left. Moments are of time.perf_counter()."""

    def __init__(self) -> None:
        self.known = False
        self.begins: list[float] = []
        self.ends: list[float] = []  # the latest end of all that began up to there

    def __enter__(self) -> Pauses:
        self.watchers = [subprocess.Popen([sys.executable, __file__, str(core)], stdout=subprocess.PIPE, text=True)
                         for core in sorted(os.sched_getaffinity(0))]
        self.known = all(watcher.stdout.readline() == "watching\n" for watcher in self.watchers)
        return self

    def __exit__(self, *_) -> None:
        found = []
        for watcher in self.watchers:
            watcher.terminate()
            found += [tuple(map(float, line.split())) for line in watcher.communicate()[0].splitlines()]
        latest = 0.0
        for begin, end in sorted(found):
            latest = max(latest, end)
            self.begins.append(begin)
            self.ends.append(latest)

    def overlap(self, begin: float, end: float) -> bool:
        before_end = bisect.bisect_left(self.begins, end)
        return before_end > 0 and self.ends[before_end - 1] > begin


def watch(core: int) -> None:
    os.sched_setaffinity(0, {core})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        sys.exit(1)  # who waits for its first line is told by that it does not come
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("watching", flush=True)
    parent = os.getppid()
    due = time.perf_counter() + SLEEP
    while os.getppid() == parent:  # whoever was killed ends no watchers
        time.sleep(max(0.0, due - time.perf_counter()))
        now = time.perf_counter()
        if now - due > LATE:
            print(due, now)
        due = now + SLEEP


if __name__ == "__main__":
    watch(int(sys.argv[1]))
