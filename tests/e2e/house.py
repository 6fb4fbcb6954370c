"""A resultsync server in an empty folder of its own, and what a test does with it."""

import hashlib
import hmac
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

# Given as RESULTSYNC_BINARY, which is no setting; the environment of the commands themselves holds none of ours.
BINARY = os.environ["RESULTSYNC_BINARY"]
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("RESULTSYNC_")}
SECRET = b"e2e-secret-of-the-network-0123456789"


def clinic_event(event_id, clinic="cli_Epqpo2g", order="ord_qNJ1nl1", test="ordts_lv57vnP", result=None, created="2021-01-01T00:00:00-08:00"):
    """An order.new_result of the network's shape; everybody in it is invented."""
    practitioner = {
        "type": "practitioner",
        "id": "pra_PbpNmjM",
        "attributes": {"first_name": "Robin", "last_name": "Sample"},
        "relationships": {"clinic": {"data": {"type": "clinic", "id": clinic}}} if clinic else {},
    }
    event = {
        "id": event_id,
        "type": "order.new_result",
        "created_at": created,
        "data": {
            "object": {
                "type": "order",
                "id": order,
                "attributes": {"status": "In Progress"},
                "relationships": {
                    "patient": {"data": {"type": "patient", "id": "pat_NqXmvRr"}},
                    "patients_practitioner": {"data": {"type": "practitioner", "id": "pra_PbpNmjM"}},
                    "ordered_tests": {"data": [{"type": "ordered_test", "id": test}]},
                },
            },
            "included": [
                {"type": "ordered_test", "id": test, "attributes": {"results_hl7": result, "results_pdf": None}},
                practitioner,
            ],
        },
    }
    return json.dumps(event).encode()


def ask_until(what, patience, account):
    """Asks until the answer is true, and gives it back; the one place where a test has no sign to wait for but must ask again."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to be: " + account()[-3000:])


class House:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="resultsync-e2e-"))
        self.data = self.folder / "data"
        self.process = None
        (self.folder / "rupa.secret").write_bytes(SECRET + b"\n")
        self.configure()

    def configure(self, more=""):
        (self.folder / "resultsync.toml").write_text(
            '[server]\npublic = "127.0.0.1:0"\nprivate = "127.0.0.1:0"\ndata_dir = "./data"\n\n'
            '[sources.rupa]\nvendor = "rupa"\npath = "/webhook"\nsecrets = ["file:rupa.secret"]\n\n'
            '[limits]\nfree_space = "1 MiB"\n' + more
        )

    def start(self, under=()):
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [*under, BINARY, "serve", "--config", "resultsync.toml"], cwd=self.folder, stderr=log, stdout=log, env=ENVIRONMENT
            )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError("the server ended: " + self.log_text())
            try:
                self.addresses = json.loads((self.data / "server.json").read_text())
                if under or self.addresses["pid"] == self.process.pid:
                    return self
            except (FileNotFoundError, json.JSONDecodeError):
                pass
            time.sleep(0.02)
        raise AssertionError("the server is not ready: " + self.log_text())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self):
        """The exit code, and how long it took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30), time.monotonic() - begun

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_text(self):
        return (self.folder / "server.log").read_text()

    def post(self, body, signature=None, path="/webhook"):
        now = str(int(time.time()))
        mac = hmac.new(SECRET, now.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "Rupa-Signature": signature or f"t={now},v1={mac}"}
        connection = http.client.HTTPConnection(self.addresses["public"], timeout=20)
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    def api(self, method, target, body=None, key=None):
        connection = http.client.HTTPConnection(self.addresses["private"], timeout=60)
        headers = {"Authorization": "Bearer " + (key or (self.data / "admin.key").read_text())}
        connection.request(method, target, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, (json.loads(content) if content else None)

    def connect(self, practitioner, clinic):
        status, answer = self.api("PUT", "/v1/practitioners/" + urllib.parse.quote(practitioner, safe=""), {"clinic_id": clinic})
        assert status in (200, 201), answer

    def settled(self, patience=120):
        """Waits until all that was acknowledged is applied, and no backfill is left."""

        def status_when_settled():
            _, status = self.api("GET", "/v1/status")
            return status if status["log"]["lag_records"] == 0 and not status["backfills"] else None

        return self.wait_for(status_when_settled, patience)

    def wait_for(self, what, patience=120):
        return ask_until(what, patience, self.log_text)

    def feed(self, practitioner):
        self.settled()
        items, after = [], ""
        while True:
            status, page = self.api("GET", f"/v1/feed?practitioner={practitioner}" + (f"&after={after}" if after else ""))
            assert status == 200, page
            if not page["items"]:
                return items
            items += page["items"]
            after = page["next"]

    def run(self, *arguments, stdin=None, environment=None):
        """A command of the binary, in the folder: (exit code, stdout, stderr)."""
        done = subprocess.run(
            [BINARY, *arguments], cwd=self.folder, input=stdin, capture_output=True, timeout=60, env={**ENVIRONMENT, **(environment or {})}
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()
