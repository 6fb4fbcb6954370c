#!/usr/bin/python3
"""How many events per second are durable before their 200, beside the receivers that people would write otherwise.

Every server gets the same signed events from the same generator on the same disk, in turn, round after round, each time on a fresh
directory. After each run the rows that are stored are compared with the answers that were given. What is printed are medians with
their spread, and ratios: absolute numbers belong to one machine.

    bench/intake.py            # five rounds
    bench/intake.py --quick    # one short round, to see that everything works
    bench/intake.py --store postgres   # the same on PostgreSQL, each server with a private cluster
    bench/intake.py --store postgres --runs 3 --seconds 4 --through-events 60000 --no-steady   # in about eight minutes

The script sees to it that only loopback is a target. Python's standard library is all it needs.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

from measure import machine
from measure.loadgen import fresh_directory, run_loadgen, write_secret
from measure.postgres import pgbench_inserts, servers_on_postgres
from measure.servers import BENCH, Ceiling, FastApi, Resultsync

CLINICS = 20
QUIET_SHARE = 0.1  # of the machine that others may take before the figures carry a warning


@dataclasses.dataclass(frozen=True)
class Load:
    name: str
    options: tuple[str, ...]


LOADS = [
    Load("64 connections", ("--connections", "64")),
    Load("256 connections", ("--connections", "256")),
    Load("1,000 events/s", ("--connections", "64", "--rate", "1000")),
]


def main() -> int:
    arguments = parse_arguments()
    loadgen = arguments.build / "bench" / "loadgen"
    servers = present_servers(arguments)
    rounds = 1 if arguments.quick else arguments.runs
    seconds = 2 if arguments.quick else arguments.seconds
    arguments.directory.mkdir(parents=True, exist_ok=True)
    report = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": machine.describe(),
              "rounds": rounds, "seconds": seconds, "runs": [], "fdatasync_us": [], "through": []}

    loads = LOADS[:2] if arguments.no_steady else LOADS
    for number in range(rounds):
        report["fdatasync_us"].append(machine.fdatasync_latency_us(arguments.directory))
        for load in loads:
            for server in servers:
                run = measure(server, load, loadgen, seconds, arguments.directory)
                report["runs"].append({"round": number, "server": server.name, "load": load.name, **run})
                talk(f"round {number + 1}/{rounds}  {load.name:16} {server.name:24} {run['per_second']:9,.0f}/s"
                     f"  p99 {run['latency_us']['p99'] / 1000:7.1f} ms  others {run['foreign_cpu_share']:.0%}")
        for server in servers:
            if isinstance(server, Resultsync) and server.name.startswith(("(a)", "(e)")):
                through = measure_through(server, loadgen, arguments.through_events // (10 if arguments.quick else 1), arguments.directory)
                report["through"].append({"server": server.name, **through})
                talk(f"round {number + 1}/{rounds}  through to the feed {server.name:24} {through['per_second']:9,.0f}/s")

    if arguments.store == "postgres":
        report["pgbench"] = []
        for load, clients in ((LOADS[0], 64), (LOADS[1], 128)):
            for _ in range(rounds):
                with fresh_directory(arguments.directory) as place:
                    report["pgbench"].append({"load": load.name, "clients": clients, "per_second": pgbench_inserts(place, seconds, clients)})
    if arguments.profile:
        talk(profile(servers, loadgen, arguments))
    text = readable(report, [server.name for server in servers])
    print(text)
    if not arguments.quick:
        results = BENCH / "results"
        results.mkdir(exist_ok=True)
        name = "intake" if arguments.store == "embedded" else "intake-postgres"
        (results / f"{name}-{datetime.date.today().isoformat()}.json").write_text(json.dumps(report, indent=1) + "\n")
        (results / f"{name}.md").write_text(text)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Durable events per second, beside the peers.")
    parser.add_argument("--build", type=pathlib.Path, default=BENCH.parent / "build" / "release", help="release build directory")
    parser.add_argument("--directory", type=pathlib.Path, default=None, help="where the servers keep their data (the disk measured)")
    parser.add_argument("--runs", type=int, default=5, help="alternating rounds")
    parser.add_argument("--seconds", type=float, default=6, help="measured seconds of each run, after one of warm-up")
    parser.add_argument("--through-events", type=int, default=200_000, help="events of the run through to the feed")
    parser.add_argument("--no-steady", action="store_true", help="leave out the runs at a fixed rate, which are about latency alone")
    parser.add_argument("--only", help="letters of the servers to run, for example ab")
    parser.add_argument("--store", choices=("embedded", "postgres"), default="embedded", help="where every server keeps its events")
    parser.add_argument("--quick", action="store_true", help="one round of short runs, printed and not kept")
    parser.add_argument("--profile", action="store_true", help="record a profile of resultsync with perf")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    arguments.directory = (arguments.directory or arguments.build / "bench-data").resolve()
    return arguments


def present_servers(arguments: argparse.Namespace) -> list:
    servers = servers_on_postgres(arguments.build) if arguments.store == "postgres" else [
        Resultsync("(a) resultsync", arguments.build / "resultsync"),
        FastApi("(b) FastAPI, the page", "fastapi_page"),
        FastApi("(c) FastAPI, best", "fastapi_best"),
        Ceiling("(d) no store", arguments.build / "bench" / "ceiling"),
    ]
    if arguments.only:
        servers = [server for server in servers if server.name[1] in arguments.only]
    present = []
    for server in servers:
        if getattr(server, "binary", BENCH).exists():
            present.append(server)
        else:
            talk(f"skipped: no {server.binary.name}")
    return present


def measure(server, load: Load, loadgen: pathlib.Path, seconds: float, directory: pathlib.Path) -> dict:
    """One run of one server on a fresh directory; raises if it acknowledged what it did not store, or the other way round."""
    with fresh_directory(directory) as place:
        secret = write_secret(place)
        running = server.start(place, secret)
        try:
            if isinstance(server, Resultsync):  # so that its views do all their work meanwhile
                server.connect(running, "app0", "cli_bench00000")
            begun, busy, cpu = time.monotonic(), machine.busy_seconds(), running.cpu_seconds()
            report, client_cpu = run_loadgen(loadgen, running, secret, ["--duration", str(seconds), *load.options])
            cpu = running.cpu_seconds() - cpu
            foreign = (machine.busy_seconds() - busy - cpu - client_cpu) / ((time.monotonic() - begun) * os.cpu_count())
            rss = running.rss_mb()
            stored = server.stored(running)
        finally:
            running.stop()
    if stored is not None and stored != report["acknowledged_ids"]:
        raise RuntimeError(f"{server.name}: {report['acknowledged_ids']} acknowledged, {stored} stored")
    return {
        "per_second": report["window"]["per_second"],
        "latency_us": report["latency_us"],
        "cpu_us_per_event": cpu * 1e6 / max(1, report["acknowledged_ids"]),
        "rss_mb": rss,
        "stored": stored,
        "foreign_cpu_share": max(0.0, foreign),
        "loadgen": report,
    }


def measure_through(server: Resultsync, loadgen: pathlib.Path, events: int, directory: pathlib.Path) -> dict:
    """From the first request until every event stands in the feed of the practitioners of its clinic."""
    with fresh_directory(directory) as place:
        secret = write_secret(place)
        running = server.start(place, secret)
        try:
            for clinic in range(CLINICS):
                server.connect(running, f"app{clinic}", f"cli_bench{clinic:05}")
            start, cpu = time.monotonic(), running.cpu_seconds()
            report, _ = run_loadgen(loadgen, running, secret, ["--connections", "256", "--clinics", str(CLINICS), "--events", str(events),
                                                               "--warmup", "0", "--duration", "600"])
            intake_seconds = time.monotonic() - start
            server.wait_until_synced(running)
            seconds = time.monotonic() - start
            cpu, rss, peak = running.cpu_seconds() - cpu, running.rss_mb(), running.rss_peak_mb()
            in_feeds = sum(len({item["event_id"] for item in server.pages(running, f"/v1/feed?practitioner=app{clinic}")})
                           for clinic in range(CLINICS))
        finally:
            running.stop()
    acknowledged = report["acknowledged_ids"]
    if in_feeds != acknowledged:
        raise RuntimeError(f"{acknowledged} events acknowledged, {in_feeds} of them in the feeds")
    return {"events": acknowledged, "seconds": seconds, "intake_seconds": intake_seconds, "per_second": acknowledged / seconds,
            "cpu_us_per_event": cpu * 1e6 / acknowledged, "rss_mb": rss, "rss_peak_mb": peak}


def profile(servers: list, loadgen: pathlib.Path, arguments: argparse.Namespace) -> str:
    """Where resultsync's CPU time goes at 256 connections, into bench/results/profile.txt."""
    product = next((server for server in servers if isinstance(server, Resultsync)), None)
    if shutil.which("perf") is None or product is None:
        return "skipped: no perf" if product else "skipped: no resultsync"
    with fresh_directory(arguments.directory) as place:
        secret = write_secret(place)
        running = product.start(place, secret)
        try:
            product.connect(running, "app0", "cli_bench00000")
            recorder = subprocess.Popen(["perf", "record", "-q", "-F", "499", "-g", "-p", str(running.process.pid), "-o",
                                         str(place / "perf.data"), "--", "sleep", "5"], stderr=subprocess.PIPE)
            run_loadgen(loadgen, running, secret, ["--connections", "256", "--duration", "6"])
            if recorder.wait() != 0:
                return f"skipped: no perf ({recorder.stderr.read().decode().strip()[:200]})"
        finally:
            running.stop()
        shown = [subprocess.run(["perf", "report", "-i", str(place / "perf.data"), "--stdio", "--no-children", "-g", "none",
                                 "--percent-limit", "0.5", "--sort", keys], capture_output=True, text=True).stdout
                 for keys in ("comm", "comm,dso", "comm,dso,sym")]
    target = BENCH / "results" / "profile.txt"
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(shown))
    return f"profile: {target}"


def readable(report: dict, names: list[str]) -> str:
    about = report["machine"]
    lines = ["# Intake: durable before the 200", "",
             f"Measured {report['date']} on {about['cores']} cores ({about['cpu']}), {about['memory_gb']} GB, Linux {about['kernel']}; "
             f"generator and server share the cores. {report['rounds']} alternating rounds of {report['seconds']} s after 1 s of warm-up; "
             "every cell is median [min–max]. \"others\" is the share of the machine that other processes took meanwhile"
             + (", the database's among them." if "pgbench" in report else "."), ""]
    with_database = "pgbench" in report  # its processes count as others
    if not with_database and statistics.median(run["foreign_cpu_share"] for run in report["runs"]) > QUIET_SHARE:
        lines += ["**The machine was busy with other things: these are not figures to quote.**", ""]
    lines += ["| server | load | events/s | p50 ms | p99 ms | p99.9 ms | CPU µs/event | RSS MB | others |", "|---|---|---|---|---|---|---|---|---|"]
    for name in names:
        for load in LOADS:
            runs = [run for run in report["runs"] if run["server"] == name and run["load"] == load.name]
            if not runs:
                continue
            latency = lambda key: spread([run["latency_us"][key] / 1000 for run in runs], 2)  # noqa: E731
            lines.append(f"| {name} | {load.name} | {spread([run['per_second'] for run in runs], 0)} | {latency('p50')} | {latency('p99')} | "
                         f"{latency('p99_9')} | {spread([run['cpu_us_per_event'] for run in runs], 0)} | "
                         f"{spread([run['rss_mb'] for run in runs], 0)} | {spread([run['foreign_cpu_share'] * 100 for run in runs], 0)} % |")
    lines += ["", *ratio_lines(report, names), *through_lines(report), *disk_lines(report, names)]
    return "\n".join(lines) + "\n"


def ratio_lines(report: dict, names: list[str]) -> list[str]:
    rival_names = [name for name in names if not name.startswith("(a)")]
    product = next((name for name in names if name.startswith("(a)")), None)
    if product is None or not (rival_names or report.get("pgbench")):
        return []
    lines = ["| ratio of events/s (medians) | " + " | ".join(load.name for load in LOADS[:2]) + " |", "|---|---|---|"]
    for rival in rival_names:
        cells = [ratio(median_rate(report, product, load), median_rate(report, rival, load)) for load in LOADS[:2]]
        lines.append(f"| (a) / {rival} | " + " | ".join(cells) + " |")
    for load in LOADS[:2]:
        inserts = [run["per_second"] for run in report.get("pgbench", []) if run["load"] == load.name]
        if inserts:
            lines.append(f"| (a) / pgbench, one-row commits ({spread(inserts, 0)}) | "
                         + " | ".join(ratio(median_rate(report, product, load), statistics.median(inserts)) if one is load else "" for one in LOADS[:2])
                         + " |")
    return lines + [""]


def ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}x" if theirs > 0 else "–"  # a peer that stalled for a whole short run


def median_rate(report: dict, name: str, load: Load) -> float:
    return statistics.median(run["per_second"] for run in report["runs"] if run["server"] == name and run["load"] == load.name)


def through_lines(report: dict) -> list[str]:
    lines = []
    for name in dict.fromkeys(run["server"] for run in report["through"]):
        runs = [run for run in report["through"] if run["server"] == name]
        lines += [f"{name} through to the feed (each run {runs[0]['events']:,} events, {CLINICS} clinics, the clock stops when everything stands in the feeds): "
                  f"**{spread([run['per_second'] for run in runs], 0)} events/s**, "
                  f"CPU {spread([run['cpu_us_per_event'] for run in runs], 0)} µs/event, "
                  f"RSS {spread([run['rss_mb'] for run in runs], 0)} MB, peak {spread([run['rss_peak_mb'] for run in runs], 0)} MB.", ""]
    return lines


def disk_lines(report: dict, names: list[str]) -> list[str]:
    p50 = statistics.median(probe["p50"] for probe in report["fdatasync_us"]) / 1000
    p99 = statistics.median(probe["p99"] for probe in report["fdatasync_us"]) / 1000
    lines = [f"One 3 KB write and fdatasync on the same disk, alone: p50 {p50:.2f} ms, p99 {p99:.2f} ms."]
    runs = [run for run in report["runs"] if run["server"].startswith("(a)") and run["load"] == LOADS[2].name]
    if runs:
        measured = statistics.median(run["latency_us"]["p99"] for run in runs) / 1000
        bound = 2 * p99 + 2
        verdict = "holds" if measured <= bound else "does not hold"
        lines.append(f"p99 of (a) at 1,000 events/s: {measured:.2f} ms; bound 2 x p99 of one fdatasync + 2 ms = {bound:.2f} ms: **{verdict}**.")
    return lines


def spread(values: list[float], digits: int) -> str:
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} [{min(values):,.{digits}f}–{max(values):,.{digits}f}]"


def talk(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
