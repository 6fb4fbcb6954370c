"""The machine under a measurement: what it is, how busy it was with other things, and how fast its disk makes a write durable."""

from __future__ import annotations

import os
import pathlib
import platform
import re
import statistics
import time

EVENT_BYTES = 3072


def describe() -> dict:
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    memory = re.search(r"MemTotal:\s+(\d+) kB", pathlib.Path("/proc/meminfo").read_text())
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory.group(1)) / 1e6, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
    }


def busy_seconds() -> float:
    """CPU time that all processes and the hypervisor's other guests took of this machine since its start."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def fdatasync_latency_us(directory: pathlib.Path, count: int = 1000) -> dict:
    """One 3 KB write and one fdatasync at a time, into a file that was written ahead, as a log does it."""
    path = directory / "fdatasync.probe"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.pwrite(descriptor, b"\0" * (count * EVENT_BYTES), 0)
        os.fsync(descriptor)
        block = os.urandom(EVENT_BYTES)
        taken = []
        for index in range(count):
            start = time.perf_counter_ns()
            os.pwrite(descriptor, block, index * EVENT_BYTES)
            os.fdatasync(descriptor)
            taken.append((time.perf_counter_ns() - start) / 1000)
    finally:
        os.close(descriptor)
        path.unlink()
    percentiles = statistics.quantiles(taken, n=100)
    return {"p50": percentiles[49], "p99": percentiles[98], "max": max(taken)}
