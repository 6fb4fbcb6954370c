#!/usr/bin/python3
"""How soon an item is on a live stream after its event was acknowledged, at 1,000 events a second.

Writers send signed events at a fixed rate, each at its own moment whatever became of those before (open loop), and note when each was
acknowledged; a reader on /v1/stream notes when each was seen. What is printed is the distance between the two; an item that is seen before
its acknowledgement has reached the writer counts as 0. Every event must be seen just once and in the order of the feed.

    bench/stream.py            # 30 seconds at 1,000 events/s
    bench/stream.py --quick    # 5 seconds at 200 events/s, to see that everything works

Only loopback is a target. Python's standard library is all it needs.
"""

from __future__ import annotations

import argparse
import datetime
import http.client
import json
import multiprocessing
import os
import pathlib
import sys
import tempfile
import time

from measure import machine

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOAL_P99_MS = 500


def write(house, start, rate, count, first, step, out):
    """Every `step`-th event from `first` on, each at its moment; (number, acknowledged at)."""
    from house import clinic_event, SECRET  # noqa: PLC0415 (needs RESULTSYNC_BINARY)
    import hashlib, hmac  # noqa: E401, PLC0415

    connection = http.client.HTTPConnection(house.addresses["public"], timeout=20)
    acknowledged = []
    for number in range(first, count, step):
        body = clinic_event(f"evt_{number}", order=f"ord_{number}", test=f"t_{number}", result="MSH|^~\\&|LAB|" + "x" * 2000)
        now = str(int(time.time()))
        mac = hmac.new(SECRET, now.encode() + b"." + body, hashlib.sha256).hexdigest()
        wait = start + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        connection.request("POST", "/webhook", body, {"Content-Type": "application/json", "Rupa-Signature": f"t={now},v1={mac}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            acknowledged.append((number, time.monotonic()))
    out.put(acknowledged)


def read(house, count, out):
    """(number, seen at, seconds since it was issued to the feed) in the order of the stream."""
    from sse import Stream  # noqa: PLC0415

    stream = Stream(house.addresses["private"], "/v1/stream?practitioner=anna", (house.data / "admin.key").read_text(), timeout=60)
    out.put(stream.status)
    seen = []
    for _, _, item in stream:
        issued = datetime.datetime.fromisoformat(item["issued_at"].replace("Z", "+00:00")).timestamp()
        seen.append((int(item["event_id"].removeprefix("evt_")), time.monotonic(), time.time() - issued))
        if len(seen) == count:
            break
    stream.close()
    out.put(seen)


def quantile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def quantiles(sorted_values):
    return {name: round(quantile(sorted_values, share), 2) for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rate", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--writers", type=int, default=2)
    arguments = parser.parse_args()
    rate = arguments.rate or (200 if arguments.quick else 1000)
    count = rate * (arguments.seconds or (5 if arguments.quick else 30))

    os.environ["RESULTSYNC_BINARY"] = str(arguments.build / "resultsync")
    sys.path.insert(0, str(ROOT / "tests/e2e"))
    from house import House  # noqa: PLC0415

    tempfile.tempdir = str(arguments.build)  # on the disk, not in memory
    house = House().start()
    try:
        house.connect("anna", "cli_Epqpo2g")
        read_out, write_out = multiprocessing.Queue(), multiprocessing.Queue()
        reader = multiprocessing.Process(target=read, args=(house, count, read_out))
        reader.start()
        assert read_out.get(timeout=30) == 200
        start = time.monotonic() + 0.5
        writers = [multiprocessing.Process(target=write, args=(house, start, rate, count, i, arguments.writers, write_out)) for i in range(arguments.writers)]
        for writer in writers:
            writer.start()
        acknowledged = dict(pair for _ in writers for pair in write_out.get(timeout=600))
        lasted = max(acknowledged.values()) - start
        seen = read_out.get(timeout=120)
        feed = [int(item["event_id"].removeprefix("evt_")) for item in house.feed("anna")]
        assert [number for number, _, _ in seen] == feed, "the stream is not the feed"
        assert sorted(feed) == sorted(acknowledged), "what was acknowledged is not what was seen"
        late = sorted(max(0.0, (at - acknowledged[number]) * 1000) for number, at, _ in seen)
        streaming = sorted(max(0.0, since * 1000) for _, _, since in seen)
    finally:
        house.remove()

    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "events": count,
        "asked_per_second": rate,
        "acknowledged_per_second": round(count / lasted),
        "ms": quantiles(late),
        "ms_since_issued": quantiles(streaming),  # the rest of sync's transaction, the audit row and the stream
    }
    print(json.dumps(report, indent=1))
    if not arguments.quick:
        (ROOT / "bench/results" / f"stream-{datetime.date.today().isoformat()}.json").write_text(json.dumps(report, indent=1) + "\n")
    held = report["ms"]["p99"] <= GOAL_P99_MS
    print(f"goal: p99 within {GOAL_P99_MS} ms of the acknowledgement: {'held' if held else 'not held'}", file=sys.stderr)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
