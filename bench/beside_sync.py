#!/usr/bin/python3
"""What reads and writes of the API wait for while sync works through a backlog, with one server on files and with two on one PostgreSQL.

A backlog is made before anything is measured: signed events are sent while the clinic's practitioners are connected, faster than sync can apply
them. Then, for as long as a backlog is left, readers ask for a feed page, for an order, and acknowledge an item, one request after the
other on connections that stay open. With two servers each is asked by readers of its own. Every answer but the status is durable in the audit log first.

    bench/beside_sync.py --binary build/release/resultsync                    # files
    bench/beside_sync.py --binary build/release/resultsync --store postgres   # two servers
    … --quick                                                                 # a small backlog, to see that everything works

Figures of one machine; compare runs of two binaries, taken in turn. Python's standard library is all it needs.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SENDERS = 16
CLINIC = "cli_Epqpo2g"


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def send_backlog(house, count):
    """Sends events until `count` are acknowledged; sync applies what it gets time for meanwhile."""
    from house import SECRET, clinic_event  # noqa: PLC0415 (needs RESULTSYNC_BINARY)

    def send(first):
        connection = http.client.HTTPConnection(house.addresses["public"], timeout=60)
        for number in range(first, count, SENDERS):
            body = clinic_event(f"evt_{number}", order=f"ord_{number % 500}", test=f"t_{number}", result="MSH|^~\\&|LAB|" + "x" * 1500)
            now = str(int(time.time()))
            mac = hmac.new(SECRET, now.encode() + b"." + body, hashlib.sha256).hexdigest()
            connection.request("POST", "/webhook", body, {"Content-Type": "application/json", "Rupa-Signature": f"t={now},v1={mac}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status

    senders = [threading.Thread(target=send, args=(first,)) for first in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


class Asker(threading.Thread):
    """Asks one thing again and again, until told to stop; notes how long each answer took."""

    def __init__(self, house, method, target, body=None):
        super().__init__()
        self.house, self.method, self.target, self.body = house, method, target, body
        self.over = threading.Event()
        self.seconds = []

    def run(self):
        key = (self.house.data / "admin.key").read_text()
        connection = http.client.HTTPConnection(self.house.addresses["private"], timeout=120)
        while not self.over.is_set():
            begun = time.monotonic()
            connection.request(self.method, self.target, self.body and json.dumps(self.body), {"Authorization": "Bearer " + key})
            answer = connection.getresponse()
            answer.read()
            assert answer.status < 300, (self.target, answer.status)
            self.seconds.append(time.monotonic() - begun)
            time.sleep(0.005)


def measure(houses, seconds_max):
    cursor = houses[0].api("GET", "/v1/feed?practitioner=p0&limit=1")[1]["items"][0]["cursor"]
    kinds = {
        "GET /v1/feed": lambda house: Asker(house, "GET", "/v1/feed?practitioner=p0&limit=20"),
        "GET /v1/orders/{id}": lambda house: Asker(house, "GET", "/v1/orders/ord_1"),
        "POST /v1/feed/ack": lambda house: Asker(house, "POST", "/v1/feed/ack", {"practitioner": "p0", "items": [cursor]}),
    }
    askers = {kind: [make(house) for house in houses] for kind, make in kinds.items()}
    lag = lambda: houses[0].api("GET", "/v1/status")[1]["log"]["lag_records"]  # noqa: E731
    first = lag()
    begun = time.monotonic()
    for asker in (one for many in askers.values() for one in many):
        asker.start()
    left = first
    while left > 0 and time.monotonic() - begun < seconds_max:
        time.sleep(0.25)
        left = lag()
    lasted = time.monotonic() - begun
    for asker in (one for many in askers.values() for one in many):
        asker.over.set()
    report = {"backlog": first, "left": left, "applied_per_second": round((first - left) / lasted)}
    for kind, many in askers.items():
        for one in many:
            one.join()
        values = [second * 1000 for one in many for second in one.seconds]
        report[kind] = {"requests": len(values), "p50_ms": round(quantile(values, 0.5), 1), "p99_ms": round(quantile(values, 0.99), 1),
                        "max_ms": round(max(values), 1)}
    return report


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build/release/resultsync")
    parser.add_argument("--store", choices=["embedded", "postgres"], default="embedded")
    parser.add_argument("--events", type=int)
    parser.add_argument("--seconds", type=int, default=20, help="stop then, whatever is left")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    count = arguments.events or (3_000 if arguments.quick else 30_000)

    os.environ["RESULTSYNC_BINARY"] = str(arguments.binary.resolve())
    sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests/postgres")]
    import house as e2e  # noqa: PLC0415

    tempfile.tempdir = str((ROOT / "build").resolve())  # on the disk, not in memory
    cluster = None
    houses = [e2e.House()]
    try:
        if arguments.store == "postgres":
            from cluster import Cluster  # noqa: PLC0415

            tempfile.tempdir = None  # its socket's path must be short
            cluster = Cluster(parent="/var/tmp")
            cluster.create()
            cluster.start()
            e2e.ENVIRONMENT["RESULTSYNC_SERVER_STORE"] = "postgres:" + cluster.conninfo
            houses.append(e2e.House())
        houses[0].start()
        for house in houses[1:]:
            house.data.mkdir(exist_ok=True)
            for key in ("master.key", "audit.key", "admin.key"):
                shutil.copy(houses[0].data / key, house.data / key)
            house.start()
        for practitioner in range(10):
            houses[0].connect(f"p{practitioner}", CLINIC)
        houses[0].post(e2e.clinic_event("evt_first", order="ord_1", test="t_first", result="MSH|^~\\&|LAB|"))
        houses[0].settled()
        send_backlog(houses[0], count)
        print(json.dumps({"store": arguments.store, "servers": len(houses), **measure(houses, arguments.seconds)}, indent=1))
    finally:
        for house in houses:
            house.remove()
        if cluster:
            cluster.__exit__()
    return 0


if __name__ == "__main__":
    sys.exit(main())
