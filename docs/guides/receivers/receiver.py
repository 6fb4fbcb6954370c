"""A complete receiver of resultsync's webhooks, on Python's standard library alone: it verifies, keeps each webhook once, and acknowledges.

    WEBHOOK_SECRET=whsec_… RESULTSYNC_URL=http://127.0.0.1:8081 RESULTSYNC_KEY=… python3 receiver.py 9000
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import sqlite3
import sys
import threading
import time
import urllib.request

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
TOLERANCE_SECONDS = 300


def is_genuine(headers, body):
    """Standard Webhooks: HMAC-SHA256 over id.timestamp.body, on the raw bytes."""
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    expected = hmac.new(KEY, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(expected)
    return any(hmac.compare_digest(given.encode(), expected) for given in headers.get("webhook-signature", "").split(" "))


def open_store(path):
    store = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    store.execute("CREATE TABLE IF NOT EXISTS webhooks (id TEXT PRIMARY KEY, body TEXT NOT NULL)")
    return store


def acknowledge(item):
    """Tells resultsync that the item is in the record."""
    request = urllib.request.Request(
        os.environ["RESULTSYNC_URL"] + "/v1/feed/ack",
        json.dumps({"practitioner": item["practitioner_id"], "items": [item["cursor"]]}).encode(),
        {"Authorization": "Bearer " + os.environ["RESULTSYNC_KEY"], "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not is_genuine(self.headers, body):
            return self.answer(401)
        # Kept before the answer, and once: a webhook that comes again finds its id there.
        with self.server.lock:
            kept = self.server.store.execute(
                "INSERT INTO webhooks VALUES (?, ?) ON CONFLICT DO NOTHING", (self.headers["webhook-id"], body.decode())
            )
        self.answer(200)
        webhook = json.loads(body)
        if kept.rowcount == 1 and webhook["type"] in ("result", "order"):
            print(webhook["type"], webhook["data"]["order_id"], webhook["data"].get("version", ""), flush=True)
            acknowledge(webhook["data"])

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    # A thread for each connection: senders keep theirs open.
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    server.lock = threading.Lock()
    server.store = open_store(sys.argv[2] if len(sys.argv) > 2 else "webhooks.db")
    print("listening", server.server_port, flush=True)
    server.serve_forever()
