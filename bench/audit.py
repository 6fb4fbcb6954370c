"""What the audit log costs a read: requests a second and latency of GET /v1/orders/{id}, each answer's row durable before it is sent.

    ./run bench audit [--quick]

Prints a line for each number of connections, with how many rows shared a commit. A figure of one machine, to be taken when nothing else runs.
"""

import argparse
import http.client
import os
import pathlib
import re
import statistics
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

def measure(house, connections, seconds):
    key = (house.data / "admin.key").read_text()
    latencies, lock = [], threading.Lock()
    end = time.monotonic() + seconds

    def read():
        connection = http.client.HTTPConnection(house.addresses["private"], timeout=30)
        own = []
        while time.monotonic() < end:
            begun = time.monotonic()
            connection.request("GET", "/v1/orders/ord_1", headers={"Authorization": "Bearer " + key})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            own.append(time.monotonic() - begun)
        connection.close()
        with lock:
            latencies.extend(own)

    before = commits_and_rows(house)
    readers = [threading.Thread(target=read) for _ in range(connections)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    after = commits_and_rows(house)
    latencies.sort()
    commits, rows = after[0] - before[0], after[1] - before[1]
    print(f"{connections:4} connections  {len(latencies) / seconds:8.0f}/s  p50 {statistics.median(latencies) * 1e3:6.2f} ms  "
          f"p99 {latencies[int(len(latencies) * 0.99)] * 1e3:6.2f} ms  {rows / max(commits, 1):6.1f} rows a commit")

def commits_and_rows(house):
    connection = http.client.HTTPConnection(house.addresses["private"], timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    number = lambda name: float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))  # noqa: E731
    return number("resultsync_audit_commit_seconds_count"), number("resultsync_audit_rows_total")

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()

    os.environ.setdefault("RESULTSYNC_BINARY", str(ROOT / "build/release/resultsync"))
    import house as e2e
    own = e2e.House().start()
    try:
        own.connect("anna", "cli_1")
        own.post(e2e.clinic_event("evt_1", clinic="cli_1", order="ord_1"))
        own.settled()
        for connections in (1, 4, 16):
            measure(own, connections, 2 if options.quick else 10)
    finally:
        own.remove()

if __name__ == "__main__":
    main()
