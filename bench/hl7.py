#!/usr/bin/python3
"""How fast HL7 v2 is read, and turned into FHIR JSON, on one core, beside the parsers that people use from Node and Python.

Every program gets the same 5.4 kB ORU (messages/panel.hl7: 24 segments, 16 OBX) over and over, in turn, round after round, and visits every
field, repetition, component and subcomponent of it. What counts is processor time. Printed are medians with their spread, and ratios.

    bench/hl7.py            # five rounds
    bench/hl7.py --quick    # one short round, to see that everything works
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

BENCH = pathlib.Path(__file__).resolve().parent
MESSAGE = BENCH / "messages" / "panel.hl7"
PEERS = BENCH / "peers" / "hl7"
QUIET_SHARE = 0.1  # of the machine that others may take before the figures carry a warning
GOAL_MEGABYTES, GOAL_MESSAGES, GOAL_RATIO = 300, 20_000, 10


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    command: tuple[str, ...]  # SECONDS stands for how long

    def run(self, seconds: float) -> dict | None:
        begun, busy = time.monotonic(), machine.busy_seconds()
        cpu = os.times()
        words = [str(seconds) if word == "SECONDS" else word for word in self.command]
        out = subprocess.run(words, capture_output=True, text=True, check=True, cwd=PEERS).stdout.strip()
        if out.startswith("skipped"):
            return None
        after = os.times()
        own = after.children_user + after.children_system - cpu.children_user - cpu.children_system
        foreign = (machine.busy_seconds() - busy - own) / ((time.monotonic() - begun) * os.cpu_count())
        return {"program": self.name, "foreign_cpu_share": max(0.0, foreign), **json.loads(out)}


def programs(build: pathlib.Path) -> list[Program]:
    ours = str(build / "bench" / "hl7_speed")
    return [
        Program("resultsync, parse", (ours, "parse", "SECONDS", str(MESSAGE))),
        Program("resultsync, to results", (ours, "results", "SECONDS", str(MESSAGE))),
        Program("resultsync, to FHIR JSON", (ours, "fhir", "SECONDS", str(MESSAGE))),
        *(Program(f"{peer}, parse", ("node", "parse.mjs", peer, "SECONDS", str(MESSAGE)))
          for peer in ("node-hl7-client", "medplum", "simple-hl7")),
        Program("python3-hl7, parse", ("/usr/bin/python3", "parse.py", "SECONDS", str(MESSAGE))),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="HL7 v2 read, and turned into FHIR JSON, beside the peers.")
    parser.add_argument("--build", type=pathlib.Path, default=BENCH.parent / "build" / "release", help="release build directory")
    parser.add_argument("--runs", type=int, default=5, help="alternating rounds")
    parser.add_argument("--seconds", type=float, default=2, help="processor seconds of each run")
    parser.add_argument("--quick", action="store_true", help="one short round, printed and not kept")
    arguments = parser.parse_args()
    rounds, seconds = (1, 0.3) if arguments.quick else (arguments.runs, arguments.seconds)
    report = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": machine.describe(),
              "rounds": rounds, "seconds": seconds, "message_bytes": MESSAGE.stat().st_size, "runs": []}
    left = []
    for program in programs(arguments.build.resolve()):
        if shutil.which(program.command[0]) is None:
            print(f"skipped: no {program.command[0]} for {program.name}", file=sys.stderr)
        else:
            left.append(program)
    for number in range(rounds):
        for program in list(left):
            run = program.run(seconds)
            if run is None:
                print(f"skipped: no {program.name.split(',')[0]} (npm ci in bench/peers/hl7)", file=sys.stderr)
                left.remove(program)
                continue
            report["runs"].append(run)
            print(f"round {number + 1}/{rounds}  {program.name:26} {run['messages'] / run['seconds']:10,.0f}/s"
                  f"  {run['bytes'] / run['seconds'] / 1e6:7.1f} MB/s  others {run['foreign_cpu_share']:.0%}", file=sys.stderr, flush=True)
    text = readable(report, [program.name for program in left])
    print(text)
    if not arguments.quick:
        results = BENCH / "results"
        results.mkdir(exist_ok=True)
        (results / f"hl7-{datetime.date.today().isoformat()}.json").write_text(json.dumps(report, indent=1) + "\n")
        (results / "hl7.md").write_text(text)
    return 0


def readable(report: dict, names: list[str]) -> str:
    about = report["machine"]
    lines = ["# HL7 v2: reading, and on to FHIR JSON", "",
             f"Measured {report['date']} on one of {about['cores']} cores ({about['cpu']}), {about['memory_gb']} GB, Linux {about['kernel']}. "
             f"One message of {report['message_bytes']:,} bytes, {report['rounds']} alternating rounds of {report['seconds']} processor seconds; "
             "every cell is median [min–max]. \"parse\" visits every field, repetition, component and subcomponent.", ""]
    if statistics.median(run["foreign_cpu_share"] for run in report["runs"]) > QUIET_SHARE:
        lines += ["**The machine was busy with other things: these are not figures to quote.**", ""]
    lines += ["| program | messages/s | MB/s | others |", "|---|---|---|---|"]
    for name in names:
        runs = of(report, name)
        lines.append(f"| {name} | {spread([rate(run) for run in runs])} | {spread([run['bytes'] / run['seconds'] / 1e6 for run in runs], 1)} | "
                     f"{spread([run['foreign_cpu_share'] * 100 for run in runs])} % |")
    return "\n".join(lines + [""] + verdicts(report, names)) + "\n"


def verdicts(report: dict, names: list[str]) -> list[str]:
    megabytes = statistics.median(run["bytes"] / run["seconds"] / 1e6 for run in of(report, "resultsync, parse"))
    messages = median_rate(report, "resultsync, to FHIR JSON")
    lines = [f"- parse, every field visited: {megabytes:,.0f} MB/s; goal {GOAL_MEGABYTES}: {verdict(megabytes, GOAL_MEGABYTES)}",
             f"- bytes to FHIR JSON: {messages:,.0f} messages/s; goal {GOAL_MESSAGES:,}: {verdict(messages, GOAL_MESSAGES)}"]
    peers = [name for name in names if not name.startswith("resultsync")]
    if not peers:
        return lines
    fastest = max(peers, key=lambda name: median_rate(report, name))
    ratio = median_rate(report, "resultsync, parse") / median_rate(report, fastest)
    lines.append(f"- parse / the fastest peer ({fastest}): {ratio:.1f}x; goal {GOAL_RATIO}x: {verdict(ratio, GOAL_RATIO)}")
    for name in peers:
        lines.append(f"- parse / {name}: {median_rate(report, 'resultsync, parse') / median_rate(report, name):.1f}x; "
                     f"to FHIR JSON / {name}: {messages / median_rate(report, name):.1f}x")
    return lines


def of(report: dict, name: str) -> list[dict]:
    return [run for run in report["runs"] if run["program"] == name]


def rate(run: dict) -> float:
    return run["messages"] / run["seconds"]


def median_rate(report: dict, name: str) -> float:
    return statistics.median(rate(run) for run in of(report, name))


def verdict(measured: float, goal: float) -> str:
    return "holds" if measured >= goal else "does not hold"


def spread(values: list[float], digits: int = 0) -> str:
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} [{min(values):,.{digits}f}–{max(values):,.{digits}f}]"


if __name__ == "__main__":
    sys.exit(main())
