#!/usr/bin/python3
"""How many signed webhooks per second are delivered from a durable queue, beside the queues that people would use otherwise.

Each gets the same backlog of small (430 byte) webhooks and sends it to the same sink on loopback, signed as Standard Webhooks has it, with every
end of a delivery durable (fsync). graphile-worker 0.16 and pg-boss 10 run on a PostgreSQL of their own with its usual durability. In turn,
round after round; medians and ratios are printed. What is not measured: Svix, Convoy, Outpost and Hookdeck, which do not run here.

    bench/delivery.py            # five rounds of 20,000
    bench/delivery.py --quick    # one short round, to see that everything works
"""

from __future__ import annotations

import argparse
import datetime
import http.client
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from measure import machine

BENCH = pathlib.Path(__file__).resolve().parent
PEERS = BENCH / "peers" / "delivery"
sys.path[:0] = [str(BENCH.parent / "tests" / "e2e")]


class Sink:
    def __init__(self, build):
        self.process = subprocess.Popen([build / "bench" / "delivery_sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()

    def ask(self, method, path):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse().read()
        connection.close()
        return json.loads(answer) if answer else None

    def rate(self, expected, seconds_max=600):
        """Waits for all, then says how many a second there were."""
        deadline = time.monotonic() + seconds_max
        while (counted := self.ask("GET", "/count"))["count"] < expected:
            if time.monotonic() > deadline:
                raise SystemExit(f"only {counted['count']} of {expected} arrived")
            time.sleep(0.2)
        return expected / (counted["last"] - counted["first"])

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Postgres:
    """A cluster of its own, reached through a socket in its folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-delivery-pg-"))
        self.tools = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        as_user = []
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.as_user = as_user
        self.run("initdb", "-D", self.folder / "data", "-A", "trust", "-U", "postgres")
        self.run("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", f"-k {self.folder} -c listen_addresses=''", "start")

    def run(self, tool, *arguments):
        subprocess.run([*self.as_user, self.tools / tool, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def fresh(self, name):
        self.run("dropdb", "-h", self.folder, "-U", "postgres", "--if-exists", name)
        self.run("createdb", "-h", self.folder, "-U", "postgres", name)
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def close(self):
        self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def peer(program, postgres, sink, deliveries):
    environment = {**os.environ, "DATABASE": postgres.fresh(program), "SINK": sink.address}
    subprocess.run(["node", f"{program}.mjs", "fill", str(deliveries)], cwd=PEERS, env=environment, check=True, stdout=subprocess.DEVNULL)
    sink.ask("POST", "/reset")
    worker = subprocess.Popen(["node", f"{program}.mjs", "work"], cwd=PEERS, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return sink.rate(deliveries)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def resultsync(build, sink, deliveries):
    os.environ["RESULTSYNC_BINARY"] = str(build / "resultsync")
    from house import House

    house = House()
    house.configure('\n[delivery]\nallow = ["127.0.0.1"]\nallow_http = true\n\n[log]\nlevel = "error"\n')
    try:
        house.start()
        house.connect("anna", "cli_bench")
        _, endpoint = house.api("POST", "/v1/endpoints", {"url": f"http://{sink.address}/hook", "concurrency": 256, "order": "per-order"})
        house.api("POST", f"/v1/endpoints/{endpoint['id']}/pause", {})
        fill(house, deliveries)
        sink.ask("POST", "/reset")
        house.api("POST", f"/v1/endpoints/{endpoint['id']}/resume", {})
        return sink.rate(deliveries)
    finally:
        house.remove()


def fill(house, deliveries):
    """The backlog: a feed of as many items, issued while the endpoint is paused, or replayed to it."""
    from house import clinic_event

    distinct = min(deliveries, 2_000)
    for n in range(distinct):
        assert house.post(clinic_event(f"evt_{n}", clinic="cli_bench", order=f"ord_{n}", test=f"ordts_{n}", result="MSH|1")) == 200
    house.settled()
    _, page = house.api("GET", "/v1/endpoints")
    endpoint = page["items"][0]["id"]
    held = distinct
    while held < deliveries:
        _, job = house.api("POST", f"/v1/endpoints/{endpoint}/replay", {})
        while house.api("GET", f"/v1/jobs/{job['id']}")[1]["state"] != "finished":
            time.sleep(0.05)
        held += distinct
    if held != deliveries:
        raise SystemExit(f"the number of deliveries must be a multiple of {distinct}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--deliveries", type=int, default=20_000)
    parser.add_argument("--build", type=pathlib.Path, default=BENCH.parent / "build" / "release")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.runs
    deliveries = 2_000 if options.quick else options.deliveries
    runners = {"resultsync": lambda: resultsync(options.build, sink, deliveries)}
    postgres = None
    if (PEERS / "node_modules").is_dir() and shutil.which("node") and list(pathlib.Path("/usr/lib/postgresql").glob("*/bin")):
        postgres = Postgres()
        runners["graphile-worker 0.16 + undici"] = lambda: peer("graphile", postgres, sink, deliveries)
        runners["pg-boss 10 + undici"] = lambda: peer("pgboss", postgres, sink, deliveries)
    else:
        print("skipped: no npm peers or no PostgreSQL", file=sys.stderr)
    sink = Sink(options.build)
    rates = {name: [] for name in runners}
    try:
        for number in range(rounds):
            for name, measure in runners.items():
                rates[name].append(measure())
                print(f"round {number + 1}: {name}: {rates[name][-1]:,.0f}/s", file=sys.stderr)
    finally:
        sink.close()
        if postgres:
            postgres.close()
    own = statistics.median(rates["resultsync"])
    print(f"{deliveries} deliveries, {rounds} rounds, {datetime.date.today()}, {json.dumps(machine.describe())}\n")
    print("| | deliveries/s, median | spread | resultsync is |\n|---|---|---|---|")
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"| {name} | {median:,.0f} | {min(values):,.0f} – {max(values):,.0f} | {own / median:.1f}× |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
