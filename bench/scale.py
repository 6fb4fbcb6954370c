#!/usr/bin/python3
"""Whether the product stays as quick as it was: intake, feed page and order look-up as the history grows, and the disk space of an event.

One installation is filled step by step. At each step, once all is synced: the rate of acknowledgements at 64 connections, and the latencies of
a page of the feed (50 items, from places all over it) and of an order (any of them), one request at a time. What counts is the last step
beside the first. Each is taken three times, and the best counts, so that a neighbour of the moment does not decide; all three are in the report.

    bench/scale.py                          # 100 thousand, 1 million, 10 million events on the embedded store
    bench/scale.py --events 100000,1000000  # other steps
    bench/scale.py --store postgres         # the same on a private PostgreSQL
    bench/scale.py --quick                  # small, to see that everything works

Only loopback is a target. Python's standard library is all it needs.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import http.client
import json
import pathlib
import random
import re
import shutil
import sys
import threading
import time

from measure import machine
from measure.loadgen import fresh_directory, run_loadgen, write_secret
from measure.postgres import LARGE, ResultsyncOnPostgres
from measure.servers import BENCH, Resultsync, Running

CLINICS = 200
GOAL = 1.5  # the most that the last step may be slower than the first
LOOKS = 2_000
TIMES = 3          # that each step is looked at
DISK_SPARE = 1.25  # of the space that the events so far say a step will take
DISK_LEFT_BYTES = 2 << 30
TALK_SECONDS = 30
PATIENCE_SECONDS = 4 * 3600


def main() -> int:
    parser = argparse.ArgumentParser(description="Speed and disk space as the history grows.")
    parser.add_argument("--build", type=pathlib.Path, default=BENCH.parent / "build" / "release", help="release build directory")
    parser.add_argument("--directory", type=pathlib.Path, default=None, help="where the server keeps its data")
    parser.add_argument("--events", default="100000,1000000,10000000", help="steps, as events in all")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=6, help="of each measurement of intake")
    parser.add_argument("--quick", action="store_true", help="2,000 and 20,000 events, printed and not kept")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    directory = (arguments.directory or build / "bench-data").resolve()
    steps = [2_000, 20_000] if arguments.quick else [int(step) for step in arguments.events.split(",")]
    server = (ResultsyncOnPostgres if arguments.store == "postgres" else Resultsync)("resultsync", build / "resultsync")
    server.more_settings = LARGE
    loadgen = build / "bench" / "loadgen"
    if not server.binary.exists():
        print("skipped: no resultsync")
        return 0

    report = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": machine.describe(),
              "store": arguments.store, "steps": []}
    with fresh_directory(directory) as place:
        secret = write_secret(place)
        running = server.start(place, secret)
        try:
            for clinic in range(CLINICS):
                server.connect(running, f"app{clinic}", f"cli_bench{clinic:05}")
            stored = 0
            for number, step in enumerate(steps):
                if lacking := space_lacking(running, report["steps"], step - stored):
                    talk(f"no room for {step:,} events: {lacking}")
                    report["stopped"] = lacking
                    break
                begun = time.monotonic()
                with progress(server, running, stored, step):
                    stored += fill(running, loadgen, secret, f"s{number}x", step - stored)
                    server.wait_until_synced(running, PATIENCE_SECONDS)
                filled = time.monotonic() - begun
                settle(running)
                looked = look(server, running, loadgen, secret, arguments.seconds if not arguments.quick else 0.5, number, LOOKS // (10 if arguments.quick else 1))
                stored += looked.pop("events")
                report["steps"].append({"events": step, "filled_seconds": filled, **looked, "disk": disk(running, stored)})
                talk(json.dumps(report["steps"][-1]))
        finally:
            running.stop()

    text = readable(report)
    print(text)
    if not arguments.quick:
        results = BENCH / "results"
        name = f"scale-{arguments.store}"
        (results / f"{name}-{datetime.date.today().isoformat()}.json").write_text(json.dumps(report, indent=1) + "\n")
        (results / f"{name}.md").write_text(text)
    return 0


def fill(running: Running, loadgen: pathlib.Path, secret: pathlib.Path, tag: str, events: int) -> int:
    if events <= 0:  # the measurement before took in more than that
        return 0
    report, _ = run_loadgen(loadgen, running, secret, ["--connections", "64", "--clinics", str(CLINICS), "--events", str(events), "--tag", tag,
                                                       "--warmup", "0", "--duration", str(PATIENCE_SECONDS)])
    return report["acknowledged_ids"]


@contextlib.contextmanager
def progress(server: Resultsync, running: Running, stored: int, step: int):
    """Says on stderr how far the filling is: applied to the views, a second since the line before, and how long it may still take."""
    done = threading.Event()

    def tell() -> None:
        before, then = stored, time.monotonic()
        while not done.wait(TALK_SECONDS):
            try:
                log = server.api(running, "/v1/status")["log"]
            except (OSError, RuntimeError, http.client.HTTPException):
                continue  # it has more to do than to answer
            applied, now = log["applied"], time.monotonic()
            rate = max(0.0, (applied - before) / (now - then))
            left = f"{(step - applied) / rate / 60:,.0f} min left" if rate else "standing"
            talk(f"  {applied:,} of {step:,} events in the views, {log['lag_records']:,} more in the log; {rate:,.0f}/s, {left}")
            before, then = applied, now

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def space_lacking(running: Running, steps: list[dict], events: int) -> str:
    """Why a step would fill the disk, going by what an event took so far; nothing if it does not, or if nothing is known yet."""
    each = sum(steps[-1]["disk"].values()) if steps else 0
    need, free = each * events * DISK_SPARE + DISK_LEFT_BYTES, shutil.disk_usage(running.directory).free
    return f"{need / 1e9:.1f} GB are needed at {each:,.0f} bytes an event, and {free / 1e9:.1f} GB are free" if steps and need > free else ""


def settle(running: Running) -> None:
    """What PostgreSQL would do on its own some time after so many new rows, done before the clock runs rather than at a moment of its choice."""
    if hasattr(running, "cluster"):
        running.cluster.query("VACUUM (ANALYZE)")
        running.cluster.query("CHECKPOINT")


def look(server: Resultsync, running: Running, loadgen: pathlib.Path, secret: pathlib.Path, seconds: float, number: int, looks: int) -> dict:
    """Feed and orders first, on a server that has nothing else to do; then intake, whose events are counted with what is there."""
    dice = random.Random(17)
    places = {f"app{clinic}": cursors(running, f"app{clinic}") for clinic in dice.sample(range(CLINICS), 10)}
    orders = [item["order_id"] for who, known in places.items() for item in server.api(running, feed_path(who, 50, dice.choice(known)))["items"]]
    feeds, looked_up, rates, events = [], [], [], 0
    for turn in range(TIMES):
        feeds.append(latencies(running, [feed_path(who, 50, dice.choice(known)) for who, known in places.items() for _ in range(looks // len(places))]))
        looked_up.append(latencies(running, [f"/v1/orders/{dice.choice(orders)}?source=rupa" for _ in range(looks)]))
    for turn in range(TIMES):
        report, _ = run_loadgen(loadgen, running, secret, ["--connections", "64", "--clinics", str(CLINICS), "--tag", f"m{number}t{turn}x",
                                                           "--warmup", str(min(1, seconds)), "--duration", str(seconds)])
        server.wait_until_synced(running, PATIENCE_SECONDS)
        rates.append(report["window"]["per_second"])
        events += report["acknowledged_ids"]
    quickest = lambda taken: min(taken, key=lambda one: one["p99"])  # noqa: E731
    return {"feed_ms": quickest(feeds), "order_ms": quickest(looked_up), "intake_per_second": max(rates),
            "feed_ms_each": feeds, "order_ms_each": looked_up, "intake_per_second_each": rates, "events": events, "rss_mb": running.rss_mb()}


def feed_path(who: str, limit: int, after: str) -> str:
    return f"/v1/feed?practitioner={who}&limit={limit}" + (f"&after={after}" if after else "")


def cursors(running: Running, who: str, most: int = 200) -> list[str]:
    """Places all over the practitioner's feed, 250 items from one to the next. Only a page's `next` is looked at: a whole feed as Python objects
    takes minutes."""
    key = (running.directory / "data" / "admin.key").read_text().strip()
    connection = http.client.HTTPConnection("127.0.0.1", running.private_port, timeout=60)
    found = [""]
    while len(found) < most:
        connection.request("GET", feed_path(who, 250, found[-1]), headers={"Authorization": f"Bearer {key}"})
        after = re.search(rb'"next":"([^"]+)"}$', connection.getresponse().read()).group(1).decode()
        if after == found[-1]:  # the end of the feed: nothing comes after it
            found.pop()
            break
        found.append(after)
    connection.close()
    return found


def latencies(running: Running, paths: list[str]) -> dict:
    """Milliseconds, one request at a time over one connection, in an order that no cache likes; the first tenth warms up."""
    key = (running.directory / "data" / "admin.key").read_text().strip()
    connection = http.client.HTTPConnection("127.0.0.1", running.private_port, timeout=60)
    random.Random(4).shuffle(paths)
    took = []
    for path in paths:
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        body = answer.read()
        took.append((time.perf_counter() - begun) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    connection.close()
    took = sorted(took[len(took) // 10:])
    return {"median": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}


def disk(running: Running, stored: int) -> dict:
    """Bytes of an event, by what they are for."""
    if hasattr(running, "cluster"):
        rows = running.cluster.query("SELECT relname || '=' || pg_total_relation_size(oid) FROM pg_class WHERE relkind IN ('r', 'p', 'm') "
                                     "AND relnamespace = 'resultsync'::regnamespace").splitlines()
        sizes = {name: int(size) for name, size in (row.split("=") for row in rows)}
        log = sum(size for name, size in sizes.items() if name.startswith("log_"))
        return {"log_bytes": log / stored, "views_bytes": (sum(sizes.values()) - log) / stored}
    data = running.directory / "data"
    log = sum(file.stat().st_blocks * 512 for file in (data / "log").rglob("*") if file.is_file())
    views = sum(file.stat().st_blocks * 512 for file in data.glob("*.db*"))
    return {"log_bytes": log / stored, "views_bytes": views / stored}


def readable(report: dict) -> str:
    lines = [f"# scale, {report['store']}", "", f"{report['date']}; {report['machine']}", "",
             "| events | intake/s | feed page p50 / p99 ms | order p50 / p99 ms | log bytes/event | views bytes/event | RSS MB | filled in s |",
             "|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for step in report["steps"]:
        lines.append(f"| {step['events']:,} | {step['intake_per_second']:,.0f} | {step['feed_ms']['median']:.2f} / {step['feed_ms']['p99']:.2f} "
                     f"| {step['order_ms']['median']:.2f} / {step['order_ms']['p99']:.2f} | {step['disk']['log_bytes']:,.0f} "
                     f"| {step['disk']['views_bytes']:,.0f} | {step['rss_mb']:.0f} | {step['filled_seconds']:,.0f} |")
    each = lambda taken: ", ".join(f"{one['p99']:.2f}" for one in taken)  # noqa: E731
    lines += [""] + [f"p99 of each of the three looks at {step['events']:,}: feed page {each(step['feed_ms_each'])} ms, order {each(step['order_ms_each'])} ms; "
                     f"intake/s {', '.join(f'{rate:,.0f}' for rate in step['intake_per_second_each'])}." for step in report["steps"]]
    if "stopped" in report:
        lines += ["", f"Stopped for want of disk: {report['stopped']}."]
    first, last = report["steps"][0], report["steps"][-1]
    ratios = {"intake": first["intake_per_second"] / last["intake_per_second"], "feed page p99": last["feed_ms"]["p99"] / first["feed_ms"]["p99"],
              "order p99": last["order_ms"]["p99"] / first["order_ms"]["p99"]}
    lines += ["", "The last beside the first, as times slower: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
              + f" (goal: at most {GOAL})."]
    return "\n".join(lines) + "\n"


def talk(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
