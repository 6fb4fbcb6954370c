#!/usr/bin/python3
"""Whether the product stays as quick as it was: intake, feed page and order look-up as the history grows, and the disk space of an event.

One installation is filled step by step. At each step, once all is synced: the rate of acknowledgements at 64 connections, and the latencies of
a page of the feed (50 items, from places all over it) and of an order (any of them), one request at a time. Each is taken three times, and the
best counts, so that a neighbour of the moment does not decide; all three are in the report.

What counts is the last step beside a second installation of the size of the first step, which is started at the end and looked at in turns with
the large one: a machine whose memory is full is slower for everybody, and an hour later it is another machine. On PostgreSQL, the database alone is then
asked for rows by their keys, on both: what it takes longer there, nobody who asks it can help. And where the machine itself stood still for more than a
millisecond and a half (measure/pauses.py), the figures are said without the requests of such moments, too.

    bench/scale.py                          # 100 thousand, 1 million, 10 million events on the embedded store
    bench/scale.py --events 100000,1000000  # other steps
    bench/scale.py --store postgres         # the same on a private PostgreSQL
    bench/scale.py --store postgres --cluster shared_buffers=10GB --cluster huge_pages=on  # with settings of yours
    bench/scale.py --quick                  # small, to see that everything works

Only loopback is a target. Python's standard library is all it needs.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import http.client
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading
import time

from measure import machine
from measure.loadgen import fresh_directory, run_loadgen, write_secret
from measure.pauses import Pauses
from measure.postgres import LARGE, ResultsyncOnPostgres, binaries
from measure.servers import BENCH, Resultsync, Running

CLINICS = 200
GOAL = 1.5  # the most that the large installation may be slower than the small one beside it
LOOKS = 2_000
TIMES = 3          # that each step is looked at
SMALL = {"shared_buffers": "1GB"}  # of PostgreSQL: holds all of the small one, and leaves the memory to the large one
DISK_SPARE = 1.25  # of the space that the events so far say a step will take
DISK_LEFT_BYTES = 2 << 30
TALK_SECONDS = 30
PATIENCE_SECONDS = 4 * 3600


def main() -> int:
    parser = argparse.ArgumentParser(description="Speed and disk space as the history grows.")
    parser.add_argument("--build", type=pathlib.Path, default=BENCH.parent / "build" / "release", help="release build directory")
    parser.add_argument("--directory", type=pathlib.Path, default=None, help="where the server keeps its data")
    parser.add_argument("--events", type=steps_of, default="100000,1000000,10000000", help="steps, as events in all: ascending numbers with commas between")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--cluster", type=setting_of, action="append", default=[], metavar="NAME=VALUE", help="a setting of PostgreSQL, beside those of large tables")
    parser.add_argument("--seconds", type=float, default=6, help="of each measurement of intake")
    parser.add_argument("--quick", action="store_true", help="2,000 and 20,000 events, printed and not kept")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    directory = (arguments.directory or build / "bench-data").resolve()
    steps = [2_000, 20_000] if arguments.quick else arguments.events
    server = (ResultsyncOnPostgres if arguments.store == "postgres" else Resultsync)("resultsync", build / "resultsync")
    server.more_settings = LARGE | dict(arguments.cluster)
    loadgen = build / "bench" / "loadgen"
    if not server.binary.exists():
        print("skipped: no resultsync")
        return 0

    report = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": machine.describe(),
              "store": arguments.store, "steps": []}
    if arguments.store == "postgres":
        report["cluster"] = server.more_settings
    seconds, looks = (0.5, LOOKS // 10) if arguments.quick else (arguments.seconds, LOOKS)
    with fresh_directory(directory) as place, contextlib.ExitStack() as started:
        large = installation(server, place, started)
        for number, step in enumerate(steps):
            if lacking := space_lacking(large.running, report["steps"], step - large.stored):
                talk(f"no room for {step:,} events: {lacking}")
                report["stopped"] = lacking
                break
            filled = large.fill(loadgen, f"s{number}x", step)
            looked = look([large], loadgen, f"m{number}", seconds, looks)[0]
            report["steps"].append({"events": step, "filled_seconds": filled, **looked, "disk": disk(large.running, large.stored)})
            talk(json.dumps(report["steps"][-1]))
        if len(report["steps"]) > 1:
            talk(f"beside it, one of {steps[0]:,} events")
            (place / "small").mkdir()
            beside = dataclasses.replace(server)
            beside.more_settings = server.more_settings | SMALL
            small = installation(beside, place / "small", started)
            small.fill(loadgen, "s0x", steps[0])
            report["beside"] = dict(zip(("small", "large"), look([small, large], loadgen, "b", seconds, looks)))
            if arguments.store == "postgres":
                try:
                    report["bare"] = dict(zip(("small", "large"), bare([small, large], place, looks)))
                except subprocess.CalledProcessError as failed:  # an hour's report is not lost by it
                    talk(f"the database alone was not asked: {failed.stderr.decode().strip()}")

    text = readable(report)
    print(text)
    if not arguments.quick:
        results = BENCH / "results"
        name = f"scale-{arguments.store}"
        (results / f"{name}-{datetime.date.today().isoformat()}.json").write_text(json.dumps(report, indent=1) + "\n")
        (results / f"{name}.md").write_text(text)
    return 0


def setting_of(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE, such as shared_buffers=10GB")
    return name, value


def steps_of(text: str) -> list[int]:
    parts = text.split(",")
    steps = [int(part) for part in parts if part.isdecimal()]
    if len(steps) < len(parts) or steps != sorted(set(steps)) or steps[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of ascending numbers such as 100000,1000000")
    return steps


@dataclasses.dataclass
class Installation:
    server: Resultsync
    running: Running
    secret: pathlib.Path
    stored: int = 0

    def take_in(self, loadgen: pathlib.Path, tag: str, options: list[str]) -> dict:
        report, _ = run_loadgen(loadgen, self.running, self.secret, ["--connections", "64", "--clinics", str(CLINICS), "--tag", tag, *options])
        self.stored += report["acknowledged_ids"]
        return report

    def fill(self, loadgen: pathlib.Path, tag: str, events: int) -> float:
        """Until it holds that many, all of them synced. The seconds that it took."""
        begun = time.monotonic()
        with progress(self.server, self.running, self.stored, events):
            if events > self.stored:  # the measurement before may have taken in more
                self.take_in(loadgen, tag, ["--events", str(events - self.stored), "--warmup", "0", "--duration", str(PATIENCE_SECONDS)])
            self.server.wait_until_synced(self.running, PATIENCE_SECONDS)
        took = time.monotonic() - begun
        settle(self.running)
        return took


def installation(server: Resultsync, place: pathlib.Path, started: contextlib.ExitStack) -> Installation:
    secret = write_secret(place)
    running = server.start(place, secret)
    started.callback(running.stop)
    for clinic in range(CLINICS):
        server.connect(running, f"app{clinic}", f"cli_bench{clinic:05}")
    return Installation(server, running, secret)


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


def look(installations: list[Installation], loadgen: pathlib.Path, tag: str, seconds: float, looks: int) -> list[dict]:
    """Each in turns with the others. Feed and orders first, on servers that have nothing else to do; then intake."""
    dice = random.Random(17)
    practitioners = [f"app{clinic}" for clinic in dice.sample(range(CLINICS), 10)]
    taken = [{"feed_ms_each": [], "order_ms_each": [], "intake_per_second_each": []} for _ in installations]
    asked = []
    for one in installations:
        feeds = [feed_path(who, 50, cursor) for who in practitioners for cursor in cursors(one.running, who)]
        asked.append((feeds, [item["order_id"] for path in dice.sample(feeds, 10) for item in one.server.api(one.running, path)["items"]]))
    for turn in range(TIMES):
        for one, (feeds, orders), figures in zip(installations, asked, taken):
            figures["feed_ms_each"].append(latencies(one.running, dice.choices(feeds, k=looks)))
            figures["order_ms_each"].append(latencies(one.running, [f"/v1/orders/{order}?source=rupa" for order in dice.choices(orders, k=looks)]))
    for turn in range(TIMES):
        for one, figures in zip(installations, taken):
            report = one.take_in(loadgen, f"{tag}t{turn}x", ["--warmup", str(min(1, seconds)), "--duration", str(seconds)])
            one.server.wait_until_synced(one.running, PATIENCE_SECONDS)
            figures["intake_per_second_each"].append(report["window"]["per_second"])
    for one, figures in zip(installations, taken):
        figures |= {"feed_ms": quickest(figures["feed_ms_each"]), "order_ms": quickest(figures["order_ms_each"]),
                    "intake_per_second": max(figures["intake_per_second_each"]), "rss_mb": one.running.rss_mb()}
    return taken


# What a page and an order would cost if they were nothing but rows of one table, found by its key.
BARE = {
    "fifty_ms": "\\set first random(1, :events - 9800)\nSELECT count(rows.event_id), count(rows.body_sha256) FROM generate_series(:first::bigint, :first + 9800, 200) AS place "
                "JOIN LATERAL (SELECT event_id, body_sha256 FROM resultsync.events WHERE record = place OFFSET 0) rows ON true;\n",
    "one_ms": "\\set any random(1, :events)\nSELECT * FROM resultsync.events WHERE record = :any;\n",
}


def bare(installations: list[Installation], place: pathlib.Path, looks: int) -> list[dict]:
    """The peer of feed and orders: the database alone, on the same rows, asked by pgbench. It tells what the machine and the database do to a look-up
    as they grow, whoever asks."""
    taken = [{f"{name}_each": [] for name in BARE} for _ in installations]
    for turn in range(TIMES):
        for number, (one, figures) in enumerate(zip(installations, taken)):
            for name, script in BARE.items():
                (place / "bare.sql").write_text(script)
                prefix = place / f"bare-{turn}-{number}-{name}"
                subprocess.run([binaries() / "pgbench", "-n", "-c", "1", "-M", "prepared", "-t", str(looks), "-D", f"events={max(one.stored, 10_000)}",
                                "-f", place / "bare.sql", "-l", f"--log-prefix={prefix}", one.running.cluster.conninfo], check=True, capture_output=True)
                log, = place.glob(f"{prefix.name}.*")
                took = sorted(int(line.split()[2]) / 1000 for line in log.read_text().splitlines()[looks // 10:])
                figures[f"{name}_each"].append(percentiles(took))
    for figures in taken:
        figures |= {name: quickest(figures[f"{name}_each"]) for name in BARE}
    return taken


def percentiles(took: list[float]) -> dict:
    return {"median": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}


def quickest(taken: list[dict]) -> dict:
    return min(taken, key=lambda one: one["p99"])


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
    asked = []
    with Pauses() as pauses:
        for path in paths:
            begun = time.perf_counter()
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            body = answer.read()
            asked.append((begun, time.perf_counter()))
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    connection.close()
    asked = asked[len(asked) // 10:]
    took = percentiles(sorted((end - begun) * 1000 for begun, end in asked))
    undisturbed = sorted((end - begun) * 1000 for begun, end in asked if not pauses.overlap(begun, end))
    if pauses.known and undisturbed:
        took |= {"undisturbed": percentiles(undisturbed), "disturbed_share": 1 - len(undisturbed) / len(asked)}
    return took


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
    cluster = ", ".join(f"{name}={value}" for name, value in report.get("cluster", {}).items())
    lines = [f"# scale, {report['store']}", "", f"{report['date']}; {report['machine']}" + (f"; {cluster}" if cluster else ""), "",
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
    if len(report["steps"]) > 1:
        lines += ["", "The last beside the first, as times slower: " + times_slower(report["steps"][0], report["steps"][-1]) + "."]
    if "beside" in report:
        small, large = report["beside"]["small"], report["beside"]["large"]
        lines += ["", f"In turns, one of {report['steps'][0]['events']:,} events that was started at the end / the large one:", ""]
        lines += [f"- {name}: {described(small)} / {described(large)}" for name, described in (
            ("feed page p99 ms of each turn", lambda one: each(one["feed_ms_each"])), ("order p99 ms", lambda one: each(one["order_ms_each"])),
            ("feed page p50 ms", lambda one: f"{one['feed_ms']['median']:.2f}"), ("order p50 ms", lambda one: f"{one['order_ms']['median']:.2f}"),
            ("feed page p99 ms of requests that no pause of the machine touched, and the share of the others", lambda one: undisturbed(one["feed_ms_each"])),
            ("order p99 ms of such requests", lambda one: undisturbed(one["order_ms_each"])),
            ("intake/s", lambda one: ", ".join(f"{rate:,.0f}" for rate in one["intake_per_second_each"])))]
        lines += ["", f"The large one beside the small one, as times slower: {times_slower(small, large)} (goal: at most {GOAL})."]
        names = ("feed_ms_each", "order_ms_each")
        if all("undisturbed" in one for size in (small, large) for name in names for one in size[name]):
            without = {name: quickest([one["undisturbed"] for one in large[name]])["p99"] / quickest([one["undisturbed"] for one in small[name]])["p99"]
                       for name in names}
            lines[-1] += f" Without the requests that a pause touched: feed page p99 {without['feed_ms_each']:.2f}, order p99 {without['order_ms_each']:.2f}."
    if "bare" in report:
        small, large = report["bare"]["small"], report["bare"]["large"]
        lines += ["", "The database alone, asked for rows of `events` by their keys (pgbench), small / large:", ""]
        lines += [f"- {name}: p50 {small[key]['median']:.2f} / {large[key]['median']:.2f} ms, p99 of each turn {each(small[key + '_each'])} / {each(large[key + '_each'])} ms; "
                  f"times slower: {large[key]['p99'] / small[key]['p99']:.2f}" for name, key in (("50 rows, 200 apart", "fifty_ms"), ("one row", "one_ms"))]
    return "\n".join(lines) + "\n"


def undisturbed(taken: list[dict]) -> str:
    """By turn; where real-time priority is not allowed, no pause is known."""
    return ", ".join(f"{one['undisturbed']['p99']:.2f} ({one['disturbed_share']:.1%})" for one in taken if "undisturbed" in one) or "not known"


def times_slower(small: dict, large: dict) -> str:
    ratios = {"intake": small["intake_per_second"] / large["intake_per_second"], "feed page p99": large["feed_ms"]["p99"] / small["feed_ms"]["p99"],
              "order p99": large["order_ms"]["p99"] / small["order_ms"]["p99"]}
    return ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())


def talk(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
