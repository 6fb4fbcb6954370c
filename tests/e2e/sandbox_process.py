"""A sandbox network as a process of its own, an application's side of it, and a webhook that only a test has."""

import http.client
import http.server
import json
import re
import signal
import subprocess
import threading
import urllib.parse

from house import BINARY, ENVIRONMENT, ask_until

MEDIA = "application/vnd.api+json"
CALLBACK = "http://127.0.0.1:9/callback"  # nobody is there: redirects are read, not followed


class Answer:
    def __init__(self, answer):
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read()

    def json(self):
        return json.loads(self.body)

    @property
    def location(self):
        return self.headers["Location"]

    def parameter(self, name):
        """A parameter of the address that it redirects to."""
        return urllib.parse.parse_qs(urllib.parse.urlsplit(self.location).query).get(name, [None])[0]


class Sandbox:
    def __init__(self, *options):
        self.process = subprocess.Popen(
            [BINARY, "sandbox", "--listen", "127.0.0.1:0", "-o", "json", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
        )
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the sandbox ended: " + self.process.stderr.read().decode())
        self.facts = json.loads(line)
        self.base = self.facts["base"]
        self.host = self.facts["address"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def call(self, method, target, body=None, headers=None, form=None):
        if target.startswith("http"):
            parts = urllib.parse.urlsplit(target)
            target = parts.path + ("?" + parts.query if parts.query else "")
        headers = dict(headers or {})
        if form is not None:
            body = urllib.parse.urlencode(form, doseq=True)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(self.host, timeout=120)
        try:
            connection.request(method, target, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def control(self, what, method="POST", **body):
        answer = self.call(method, "/control/" + what, json.dumps(body), {"Content-Type": "application/json"})
        assert answer.status < 300, (what, answer.status, answer.body)
        return answer.json()

    def state(self):
        return self.call("GET", "/control/state").json()

    def ledger(self):
        return [json.loads(line) for line in self.call("GET", "/control/ledger").body.splitlines()]

    # The application's side.
    def authorization(self, **more):
        return {"client_id": self.facts["client_id"], "redirect_uri": CALLBACK, "response_type": "code", "state": "s t&=ate", **more}

    def code(self, practitioner, **more):
        answer = self.call("POST", "/oauth/authorize", form={**self.authorization(**more), "practitioner": practitioner, "decision": "accept"})
        assert answer.status == 302, answer.body
        return answer.parameter("code")

    def token(self, **form):
        credentials = {"client_id": self.facts["client_id"], "client_secret": self.facts["client_secret"]}
        return self.call("POST", "/oauth/token", form={**credentials, **form})

    def connect(self, practitioner, **more):
        answer = self.token(grant_type="authorization_code", code=self.code(practitioner, **more), redirect_uri=CALLBACK)
        assert answer.status == 200, answer.body
        return answer.json()

    def get(self, target, token, **headers):
        return self.call("GET", target, None, {"Authorization": "Bearer " + token, **headers})

    def send(self, method, target, token, document, media=MEDIA):
        return self.call(method, target, json.dumps(document), {"Authorization": "Bearer " + token, "Content-Type": media})

    def all_pages(self, target, token):
        found = []
        while target:
            answer = self.get(target, token)
            assert answer.status == 200, answer.body
            found += answer.json()["data"]
            target = answer.json()["links"]["next"]
        return found

    def run_dry(self, patience=120):
        """Lets simulated time pass until nothing is planned and every delivery has ended."""

        def is_quiet():
            while not (state := self.state())["quiet"]:
                if state["counts"]["deliveries_due"]:
                    return False
                self.control("advance", seconds=4 * 3600)
            return True

        ask_until(is_quiet, patience, lambda: str(self.state()["counts"]))


class Webhook:
    """Takes what the sandbox sends. `decide(headers, body)` gives the status of each answer."""

    def __init__(self, decide):
        self.received = []
        lock = threading.Lock()
        received = self.received

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    status = decide(self.headers, body)
                    received.append((status, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def link_token(url):
    return re.search(r"/documents/([^/]+)/", url)[1]
