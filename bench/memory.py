#!/usr/bin/python3
"""What the server holds in memory when clients are many, the store is slow, or the history is long; and how soon it is ready.

    bench/memory.py            # 10,000 idle connections, a full queue, a cold start on an empty store and on a million events
    bench/memory.py --quick    # the same, ten times smaller
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import hmac
import json
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

from measure import machine
from measure.loadgen import fresh_directory, run_loadgen, write_secret
from measure.servers import BENCH, Resultsync, Running

SLOW_SYNC_MICROSECONDS = 2_000_000
# Each client has one event on its way, so the queue of 64 MiB that is the default would take more clients than there may be.
SMALL_QUEUE = '[limits]\nbody = "1 MiB"\nqueue = "1 MiB"'
CONNECTIONS_PER_SOURCE = 5_000


def main() -> int:
    parser = argparse.ArgumentParser(description="Memory and cold start of the server.")
    parser.add_argument("--build", type=pathlib.Path, default=BENCH.parent / "build" / "release", help="release build directory")
    parser.add_argument("--directory", type=pathlib.Path, default=None, help="where the server keeps its data")
    parser.add_argument("--connections", type=int, default=10_000, help="idle connections")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of the long history")
    parser.add_argument("--quick", action="store_true", help="a tenth of both, printed and not kept")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    directory = (arguments.directory or build / "bench-data").resolve()
    server = Resultsync("resultsync", build / "resultsync")
    loadgen = build / "bench" / "loadgen"
    if not server.binary.exists():
        print("skipped: no resultsync")
        return 0
    shrink = 10 if arguments.quick else 1
    raise_descriptor_limit()

    report = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": machine.describe()}
    report["idle"] = idle_connections(server, directory, arguments.connections // shrink)
    talk(f"idle connections: {report['idle']}")
    report["queue"] = full_queue(server, loadgen, directory)
    talk(f"full queue: {report['queue']}")
    report["start"] = cold_starts(server, loadgen, directory, arguments.events // shrink)
    talk(f"cold start: {report['start']}")

    text = readable(report)
    print(text)
    if not arguments.quick:
        results = BENCH / "results"
        results.mkdir(exist_ok=True)
        (results / f"memory-{datetime.date.today().isoformat()}.json").write_text(json.dumps(report, indent=1) + "\n")
        (results / "memory.md").write_text(text)
    return 0


def raise_descriptor_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the server inherits it


def idle_connections(server: Resultsync, directory: pathlib.Path, count: int) -> dict:
    """Connections that have each delivered one event and then say nothing more, as a network's keep-alive pool does."""
    with fresh_directory(directory) as place:
        secret = write_secret(place)
        running = server.start(place, secret)
        try:
            before = running.rss_mb()
            pool = []
            for number in range(count):
                source = f"127.0.0.{1 + number // CONNECTIONS_PER_SOURCE}"
                connection = socket.create_connection(("127.0.0.1", running.port), timeout=10, source_address=(source, 0))
                connection.sendall(signed_request(secret, f"evt_idle{number}"))
                pool.append(connection)
            refused = sum(1 for connection in pool if not connection.recv(4096).startswith(b"HTTP/1.1 200"))
            server.wait_until_synced(running)
            open_files, rss = running.open_files(), running.rss_mb()
            for connection in pool:
                connection.close()
        finally:
            running.stop()
    return {"connections": count, "refused": refused, "open_files": open_files, "rss_before_mb": before, "rss_mb": rss,
            "kb_per_connection": (rss - before) * 1000 / max(1, count)}


def signed_request(secret: pathlib.Path, event_id: str) -> bytes:
    body = json.dumps({"id": event_id, "type": "practice.updated", "created_at": "2026-01-01T00:00:00Z", "data": {}}).encode()
    now = str(int(time.time())).encode()
    mac = hmac.digest(secret.read_bytes().strip(), now + b"." + body, hashlib.sha256).hex().encode()
    return (b"POST /webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            b"Rupa-Signature: t=%s,v1=%s\r\n\r\n%s" % (len(body), now, mac, body))


def full_queue(server: Resultsync, loadgen: pathlib.Path, directory: pathlib.Path) -> dict:
    """Many more requests than a crawling disk takes: each sync of the log lasts two seconds. Memory must stay bounded (P3), and what
    does not fit must be refused (I6)."""
    if shutil.which("strace") is None:
        return {"skipped": "no strace"}
    server = dataclasses.replace(server, settings=SMALL_QUEUE)
    with fresh_directory(directory) as place:
        secret = write_secret(place)
        running = server.start(place, secret)
        tracer = subprocess.Popen(["strace", "-f", "-p", str(running.process.pid), "-o", "/dev/null", "-e", "trace=fdatasync",
                                   "-e", f"inject=fdatasync:delay_enter={SLOW_SYNC_MICROSECONDS}"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            before = running.rss_mb()
            running.wait_until(lambda: is_traced(running), 10)
            report, _ = run_loadgen(loadgen, running, secret, ["--connections", "8000", "--warmup", "0", "--duration", "10"])
            tracer.send_signal(signal.SIGINT)  # lets go of the server
            tracer.wait()
            stored = server.stored(running)
            peak, after = running.rss_peak_mb(), running.rss_mb()
        finally:
            tracer.kill()
            tracer.wait()
            running.stop()
    return {"connections": 8000, "status": report["status"], "acknowledged": report["acknowledged_ids"], "unanswered": report["unanswered"],
            "stored": stored, "rss_before_mb": before, "rss_peak_mb": peak, "rss_after_mb": after}


def is_traced(running: Running) -> bool:
    return "TracerPid:\t0\n" not in pathlib.Path(f"/proc/{running.process.pid}/status").read_text()


def cold_starts(server: Resultsync, loadgen: pathlib.Path, directory: pathlib.Path, events: int) -> dict:
    """From the start of the process to /readyz 200: on nothing, on a long history after SIGTERM, and on the same after SIGKILL."""
    with fresh_directory(directory) as place:
        secret = write_secret(place)
        running, empty = timed_start(server, place, secret)
        try:
            run_loadgen(loadgen, running, secret, ["--connections", "256", "--events", str(events), "--warmup", "0", "--duration", "3600"])
            server.wait_until_synced(running, 3600)
            rss = running.rss_mb()
        finally:
            running.stop()
        running, clean = timed_start(server, place, secret)
        running.process.kill()
        running.process.wait()
        running, killed = timed_start(server, place, secret)
        fresh_rss = running.rss_mb()
        running.stop()
        bytes_stored = sum(path.stat().st_blocks * 512 for path in (place / "data").rglob("*") if path.is_file())
    return {"events": events, "empty_ms": empty, "after_sigterm_ms": clean, "after_sigkill_ms": killed, "rss_after_events_mb": rss,
            "rss_after_start_mb": fresh_rss, "disk_bytes_per_event": bytes_stored / events}


def timed_start(server: Resultsync, place: pathlib.Path, secret: pathlib.Path) -> tuple[Running, float]:
    start = time.monotonic()
    running = server.start(place, secret)
    return running, (time.monotonic() - start) * 1000


def readable(report: dict) -> str:
    about, idle, queue, start = report["machine"], report["idle"], report["queue"], report["start"]
    lines = ["# Memory and cold start", "", f"Measured {report['date']} on {about['cores']} cores ({about['cpu']}), Linux {about['kernel']}.", "",
             "| what | figure |", "|---|---|",
             f"| RSS, just started, empty | {idle['rss_before_mb']:.1f} MB |",
             f"| RSS with {idle['connections']:,} idle keep-alive connections | {idle['rss_mb']:.1f} MB "
             f"({idle['kb_per_connection']:.1f} kB each; {idle['refused']} refused) |"]
    if "skipped" in queue:
        lines.append(f"| full queue | skipped: {queue['skipped']} |")
    else:
        lines.append(f"| peak RSS with {queue['connections']:,} clients, a queue of 1 MiB, and a disk of 2 s a sync | {queue['rss_peak_mb']:.1f} MB "
                     f"(answers {queue['status']}, {queue['stored']:,} stored, {queue['acknowledged']:,} acknowledged) |")
    lines += [f"| ready after start, empty store | {start['empty_ms']:.0f} ms |",
              f"| ready after start, {start['events']:,} events, after SIGTERM | {start['after_sigterm_ms']:.0f} ms |",
              f"| ready after start, {start['events']:,} events, after SIGKILL | {start['after_sigkill_ms']:.0f} ms |",
              f"| RSS after taking {start['events']:,} events | {start['rss_after_events_mb']:.1f} MB |",
              f"| disk, all files | {start['disk_bytes_per_event']:.0f} bytes an event |", ""]
    return "\n".join(lines)


def talk(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
