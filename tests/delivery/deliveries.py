"""None vanishes: N deliveries to M endpoints of which some behave badly, while the server is killed again and again.

    python3 deliveries.py --server build/release/resultsync --deliveries 2000 --endpoints 20 --kills 3
    python3 deliveries.py --server build/release/resultsync --steady 10 --endpoints 50 --dead 50

In the end the bad ones are healed, those that answered 410 are resumed and their dead letters retried; then every (feed item, endpoint) pair
must be delivered, every webhook-id must have been acknowledged by the receiver, with a signature that verifies there (npm standardwebhooks
and svix where Node has them), and what was acknowledged twice is counted. Exits 1 if anything is missing.

With --steady: what the dead ones cost the healthy ones (D4). So many items a second, which the machine can well carry, go to the healthy
endpoints alone and then to the same ones beside --dead bad ones, round after round; how long the healthy ones' items took is printed side by
side. Nothing is killed, nothing is healed; exits 1 if a healthy endpoint has missed anything. Most of what an item takes is waiting for the disk,
also for what others sync to it: TMPDIR=/dev/shm shows what is left without one.
"""

import argparse
import base64
import collections
import datetime
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
BAD = ("hang", "drip", "reset", "redirect", "liar", "gone", "busy", "error", "huge", "flaky", "malformed")

CONFIG = """
[delivery]
allow = ["127.0.0.1"]
allow_http = true
schedule = ["0s", "200ms", "500ms", "1s", "2s", "2s", "2s", "2s", "2s", "2s", "5s", "5s", "5s", "5s", "5s"]
timeout_ms = 500
lease_ms = 6000
breaker_failures = 3
breaker_ms = 300

[log]
level = "error"
"""


class Proof:
    def __init__(self, house, receiver, options):
        self.house, self.receiver, self.options = house, receiver, options
        self.endpoints = {}  # name -> (id, secret, behaviour)

    def make_endpoints(self):
        bad = round(self.options.endpoints * self.options.bad)
        for n in range(self.options.endpoints):
            behaviour = BAD[n % len(BAD)] if n < bad else "ok"
            status, made = self.house.api("POST", "/v1/endpoints", {"url": self.receiver.url(f"e{n}", behaviour), "rate": self.options.rate})
            assert status == 201, made
            self.endpoints[f"e{n}"] = (made["id"], made["secret"], behaviour)

    def send_events(self):
        """Posts them in as many parts as there are kills and one, and kills the server after each part but the last."""
        from house import clinic_event

        orders = self.options.deliveries // self.options.endpoints
        parts = self.options.kills + 1
        for part in range(parts):
            for n in range(orders * part // parts, orders * (part + 1) // parts):
                event = clinic_event(f"evt_{n}", order=f"ord_{n}", test=f"ordts_{n}", result="MSH|1")
                assert self.house.post(event) == 200
            if part + 1 < parts:
                time.sleep(random.uniform(0.02, 0.4))
                self.house.kill()
                self.house.start()
        self.house.settled()
        return orders

    def counts(self, name):
        _, endpoint = self.house.api("GET", f"/v1/endpoints/{self.endpoints[name][0]}")
        return endpoint

    def healthy_are_served(self, orders):
        healthy = [name for name, (_, _, behaviour) in self.endpoints.items() if behaviour == "ok"]
        wait_for("the healthy ones are served", lambda: all(len(self.receiver.acknowledged[n]) >= orders for n in healthy))

    def heal(self):
        """The bad ones are well again; who was disabled is resumed, dead letters are retried, what was missed is replayed."""
        self.receiver.healed.update(self.endpoints)
        disabled = [name for name in self.endpoints if self.counts(name)["state"] == "disabled"]
        for name in disabled:
            assert self.house.api("POST", f"/v1/endpoints/{self.endpoints[name][0]}/resume", {})[0] == 200
        wait_for("everything open has ended", lambda: all(self.counts(n)["deliveries"]["open"] == 0 for n in self.endpoints))
        while True:
            status, job = self.house.api("POST", "/v1/deliveries/retry", {})
            assert status == 202, job
            wait_for("the job ends", lambda: self.house.api("GET", f"/v1/jobs/{job['id']}")[1]["state"] == "finished")
            wait_for("what was retried has ended", lambda: all(self.counts(n)["deliveries"]["open"] == 0 for n in self.endpoints))
            if job["total"] == 0:
                return disabled

    def listed(self, endpoint_id):
        after = ""
        while True:
            _, page = self.house.api("GET", f"/v1/deliveries?endpoint={endpoint_id}&limit=1000" + (f"&after={after}" if after else ""))
            yield from page["items"]
            after = page["next"]
            if not after:
                return

    def account(self, orders, disabled):
        faults, delivered, lags = [], 0, []
        for name, (endpoint_id, _, behaviour) in self.endpoints.items():
            rows = list(self.listed(endpoint_id))
            by_order = {}
            for row in rows:
                by_order.setdefault(row["order_id"], []).append(row)
                if row["state"] != "delivered":
                    faults.append(f"{name} ({behaviour}): {row['id']} is {row['state']} ({row['reason']})")
                elif self.receiver.acknowledged[name][row["id"]] == 0:
                    faults.append(f"{name} ({behaviour}): {row['id']} is said to be delivered, and the receiver knows nothing of it")
                if behaviour == "ok":
                    lags.append(moment(row["ended_at"]) - moment(row["created_at"]))
            delivered += len(rows)
            if name not in disabled and len(by_order) != orders:
                faults.append(f"{name} ({behaviour}): {orders - len(by_order)} of {orders} vanished")
            strangers = set(self.receiver.acknowledged[name]) - {row["id"] for row in rows}
            if strangers:
                faults.append(f"{name}: acknowledged {len(strangers)} that are nobody's")
        return faults, delivered, self.twice(), lags

    def twice(self):
        """How many acknowledgements were one too many, by what kept their delivery from knowing of the first."""
        twice = collections.Counter()
        for counter in self.receiver.acknowledged.values():
            for webhook_id, count in counter.items():
                if count > 1:
                    _, delivery = self.house.api("GET", f"/v1/deliveries/{webhook_id}")
                    outcomes = [attempt["outcome"] for attempt in delivery["history"] if attempt["outcome"] != "delivered"]
                    twice["interrupted" if "interrupted" in outcomes else outcomes[0] if outcomes else "nothing"] += count - 1
        return twice

    def verify(self):
        from receiver import verify

        own = sum(verify([self.endpoints[name][1]], headers, body) for name, headers, body in self.receiver.requests)
        verdict = f"{own} of {len(self.receiver.requests)} by the specification's words"
        if not (HERE / "node_modules").is_dir() or not shutil.which("node"):
            return own == len(self.receiver.requests), verdict + "; skipped: no npm standardwebhooks and svix"
        lines = "".join(
            json.dumps({"secret": self.endpoints[name][1], "headers": headers, "body": base64.b64encode(body).decode()}) + "\n"
            for name, headers, body in self.receiver.requests
        )
        answer = json.loads(subprocess.run(["node", HERE / "verify.mjs"], input=lines, capture_output=True, text=True, check=True).stdout)
        right = all(answer[library] == len(self.receiver.requests) for library in ("standardwebhooks", "svix"))
        return right and own == len(self.receiver.requests), f"{verdict}, {answer['standardwebhooks']} by standardwebhooks, {answer['svix']} by svix"


class Steady:
    """Items at a steady rate to endpoints that are well, alone and beside dead ones."""

    def __init__(self, options):
        self.options = options
        self.number = 0  # of the event, over all runs

    def rounds(self):
        """{how many are dead: the sorted seconds of each round}. Whoever goes first takes turns."""
        found = {0: [], self.options.dead: []}
        for n in range(self.options.rounds):
            for dead in sorted(found, reverse=bool(n % 2)):
                times, spent = self.run(dead)
                found[dead].append(times)
                print(f"  round {n + 1}, {dead:3} dead: {self.words(times)}; {spent:.2f} s of processor time", flush=True)
        return found

    def run(self, dead):
        from house import House
        from receiver import Receiver

        house = House()
        house.configure(CONFIG)
        try:
            with Receiver(keep_requests=False) as receiver:
                house.start()
                house.connect("anna", "cli_Epqpo2g")
                healthy = [self.add(house, f"well{n}", receiver.url(f"well{n}")) for n in range(self.options.endpoints)]
                with DeadReceiver() as elsewhere:
                    for n in range(dead):
                        self.add(house, f"dead{n}", elsewhere.url(f"dead{n}", BAD[n % len(BAD)]))
                    before = processor_seconds(house.process.pid)
                    sent = self.send(house)
                    wait_for("the healthy ones are served", lambda: all(len(receiver.acknowledged[name]) >= sent for name in healthy))
                    spent = processor_seconds(house.process.pid) - before
                return self.times(receiver, healthy), spent
        except BaseException:
            print(house.log_text()[-4000:], file=sys.stderr)
            raise
        finally:
            house.remove()

    @staticmethod
    def add(house, name, url):
        status, made = house.api("POST", "/v1/endpoints", {"url": url})
        assert status == 201, made
        return name

    def send(self, house):
        """One event after the other at its time, whatever became of the one before; those that warm up are counted too, and not measured."""
        from house import clinic_event

        total = round(self.options.steady * self.options.seconds)
        begun = time.monotonic()
        for n in range(total):
            time.sleep(max(0.0, begun + n / self.options.steady - time.monotonic()))
            self.number += 1
            event = clinic_event(f"evt_{self.number}", order=f"ord_{self.number}", test=f"ordts_{self.number}", result="MSH|1")
            assert house.post(event) == 200
        return total

    @staticmethod
    def times(receiver, healthy):
        """Seconds from the item's issue to its first arrival at each healthy endpoint, without the first tenth of them."""
        to_wall_clock = time.time() - time.monotonic()
        times = []
        for name in healthy:
            first = {}
            for at, webhook_id, body in receiver.arrived[name]:
                first.setdefault(webhook_id, at + to_wall_clock - moment(body["timestamp"]))
            times += list(first.values())[len(first) // 10 :]
        return sorted(times)

    @staticmethod
    def words(times):  # of sorted seconds
        at = lambda share: f"{times[min(int(len(times) * share), len(times) - 1)] * 1000:.1f}"
        return f"median {at(0.5)} ms, p90 {at(0.9)} ms, p99 {at(0.99)} ms, longest {at(1)} ms"


class DeadReceiver:
    """In a process of its own that gives way to every other, so that what it is busy with delays no answer of the healthy ones."""

    def __enter__(self):
        self.process = subprocess.Popen(["nice", "-n", "19", sys.executable, HERE / "receiver.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)

    def url(self, endpoint, behaviour):
        return f"http://127.0.0.1:{self.port}/{endpoint}/{behaviour}"


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(what, done, seconds=600):
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


def moment(time_text):
    return datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp()


def compare(options):
    print(
        f"{options.steady:g} items a second to {options.endpoints} healthy endpoints, {options.seconds:g} s a run, "
        "from the item's issue to its arrival at the receiver"
    )
    found = Steady(options).rounds()
    p99 = {dead: [times[int(len(times) * 0.99)] * 1000 for times in runs] for dead, runs in found.items()}
    alone, beside = statistics.median(p99[0]), statistics.median(p99[options.dead])
    print(f"healthy endpoints' p99, median of {options.rounds} rounds: {alone:.1f} ms alone, {beside:.1f} ms beside {options.dead} dead ones")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--endpoints", type=int, default=100)
    parser.add_argument("--bad", type=float, default=0.3)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rate", type=int, default=20, help="requests a second of each endpoint; 0: no limit")
    parser.add_argument("--steady", type=float, metavar="ITEMS", help="items a second: measure what --dead endpoints cost the others")
    parser.add_argument("--dead", type=int, default=50, help="bad endpoints beside the --endpoints healthy ones of --steady")
    parser.add_argument("--seconds", type=float, default=20, help="of each run of --steady")
    parser.add_argument("--rounds", type=int, default=3, help="of --steady")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    random.seed(options.seed)
    os.environ["RESULTSYNC_BINARY"] = os.path.abspath(options.server)
    sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
    from house import House
    from receiver import Receiver

    if options.steady:
        return compare(options)
    house = House()
    house.configure(CONFIG)
    begun = time.monotonic()
    try:
        with Receiver() as receiver:
            house.start()
            house.connect("anna", "cli_Epqpo2g")
            proof = Proof(house, receiver, options)
            proof.make_endpoints()
            orders = proof.send_events()
            proof.healthy_are_served(orders)
            served = time.monotonic() - begun
            disabled = proof.heal()
            faults, delivered, twice, lags = proof.account(orders, disabled)
            verified, verdict = proof.verify()
            if not verified:
                faults.append("not every signature verifies: " + verdict)
            print(
                f"seed {options.seed}: {delivered} deliveries to {options.endpoints} endpoints, {options.bad:.0%} bad, {options.kills} kills, "
                f"{time.monotonic() - begun:.0f} s (the healthy ones after {served:.0f} s)\n"
                f"  every one delivered and acknowledged: {'yes' if not faults else 'NO'}\n"
                f"  acknowledged twice: {twice.total()} ({twice.total() / max(delivered, 1):.3%}): {dict(twice)}\n"
                f"  signatures: {verdict}\n"
                f"  healthy endpoints, from issue to delivery: median {statistics.median(lags) * 1000:.0f} ms, "
                f"p99 {sorted(lags)[int(len(lags) * 0.99)] * 1000:.0f} ms"
            )
            for fault in faults[:40]:
                print("  FAULT", fault)
            return 1 if faults else 0
    except BaseException:
        print(house.log_text()[-4000:], file=sys.stderr)
        raise
    finally:
        house.remove()


if __name__ == "__main__":
    sys.exit(main())
