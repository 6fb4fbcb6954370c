"""Real traffic through a proxy that holds it against openapi.yaml: every operation, answered well and answered with a problem."""

import hashlib
import http.client
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))
import house  # noqa: E402

PRISM = HERE / "node_modules/.bin/prism"
HL7 = "MSH|^~\\&|LAB|LAB|APP|APP|20260101000000||ORU^R01|1|P|2.5.1\rPID|1\rOBR|1||F1|GLU^Glucose^L\rOBX|1|NM|2345-7^Glucose^LN||451|mg/dL|70-99|HH|||F\r"
EVENT = house.clinic_event("evt_1", clinic="cli_1", order="ord_1", result=HL7)
BODY = hashlib.sha256(EVENT).hexdigest()
NEW_KEY = {"name": "anna's inbox", "scopes": ["read_results"], "practitioners": ["anna"], "clinics": ["cli_1"], "expires_at": "2030-01-01T00:00:00Z"}

# (method, path of openapi.yaml, target, body, status). {key}, {endpoint}, {delivery} and {job} in a target are the ids of those that the calls
# before made (MADE). A new operation gets its line here.
CALLS = [
    ("PUT", "/v1/practitioners/{app_id}", "/v1/practitioners/anna", {"clinic_id": "cli_1"}, 200),
    ("PUT", "/v1/practitioners/{app_id}", "/v1/practitioners/carla", {"clinic_id": "cli_1", "vendor_practitioner_id": "pra_PbpNmjM"}, 201),
    ("GET", "/v1/practitioners/{app_id}", "/v1/practitioners/anna", None, 200),
    ("GET", "/v1/practitioners/{app_id}", "/v1/practitioners/nobody", None, 404),
    ("DELETE", "/v1/practitioners/{app_id}", "/v1/practitioners/carla", None, 204),
    ("DELETE", "/v1/practitioners/{app_id}", "/v1/practitioners/carla", None, 404),
    ("GET", "/v1/practitioners", "/v1/practitioners?limit=1", None, 200),
    ("POST", "/v1/practitioners/{app_id}/connect-link", "/v1/practitioners/anna/connect-link", {}, 409),
    ("POST", "/v1/order-intents", "/v1/order-intents", {"practitioner": "anna", "return_url": "https://app.example.com", "patient_id": "pat_1"}, 409),
    ("POST", "/v1/reconciliations", "/v1/reconciliations", {}, 202),
    ("GET", "/v1/reconciliations", "/v1/reconciliations", None, 200),
    ("GET", "/v1/reconciliations/{id}", "/v1/reconciliations/1", None, 404),
    ("GET", "/v1/network", "/v1/network", None, 200),
    ("GET", "/v1/documents", "/v1/documents?state=given_up", None, 200),
    ("GET", "/v1/documents", "/v1/documents?after=nonsense", None, 400),
    ("POST", "/v1/documents/retry", "/v1/documents/retry", {"order_id": "ord_1"}, 202),
    ("GET", "/v1/feed", "/v1/feed?practitioner=anna", None, 200),
    ("POST", "/v1/feed/ack", "/v1/feed/ack", {"practitioner": "anna", "through": "f1.0000000000000000.0000000000000000.7"}, 410),
    ("GET", "/v1/feed/unacknowledged", "/v1/feed/unacknowledged?practitioner=anna", None, 200),
    ("PUT", "/v1/consumers/{name}", "/v1/consumers/inbox", {"practitioner": "anna"}, 201),
    ("GET", "/v1/consumers", "/v1/consumers?practitioner=anna", None, 200),
    ("GET", "/v1/consumers/{name}", "/v1/consumers/inbox?practitioner=anna", None, 200),
    ("POST", "/v1/consumers/{name}/commit", "/v1/consumers/inbox/commit", {"practitioner": "anna", "cursor": "f1.0000000000000000.0000000000000000.7"}, 410),
    ("DELETE", "/v1/consumers/{name}", "/v1/consumers/inbox?practitioner=anna", None, 204),
    ("GET", "/v1/feed", "/v1/feed?practitioner=anna&after=f1.0000000000000000.0000000000000000.7", None, 410),
    ("GET", "/v1/results", "/v1/results?practitioner=anna", None, 200),
    ("GET", "/v1/results/{ordered_test}", "/v1/results/ordts_lv57vnP", None, 200),
    ("GET", "/v1/results/{ordered_test}/versions/{version}", "/v1/results/ordts_lv57vnP/versions/1", None, 200),
    ("GET", "/v1/critical", "/v1/critical?practitioner=anna&limit=1", None, 200),
    ("GET", "/v1/critical", "/v1/critical?practitioner=nobody", None, 404),
    ("POST", "/v1/results/{ordered_test}/versions/{version}/acknowledge", "/v1/results/ordts_lv57vnP/versions/1/acknowledge", {"practitioner": "anna"}, 201),
    ("POST", "/v1/results/{ordered_test}/versions/{version}/acknowledge", "/v1/results/ordts_lv57vnP/versions/1/acknowledge", {"practitioner": "anna", "note": "called"}, 200),
    ("POST", "/v1/results/{ordered_test}/versions/{version}/reviews", "/v1/results/ordts_lv57vnP/versions/1/reviews", {"practitioner": "anna", "action": "follow_up", "note": "repeat"}, 201),
    ("POST", "/v1/results/{ordered_test}/versions/{version}/reviews", "/v1/results/ordts_lv57vnP/versions/7/reviews", {"practitioner": "anna"}, 404),
    ("GET", "/v1/results/{ordered_test}/reviews", "/v1/results/ordts_lv57vnP/reviews", None, 200),
    ("GET", "/v1/results", "/v1/results?reviewed=yes", None, 200),
    ("GET", "/v1/critical", "/v1/critical?state=any", None, 200),
    ("GET", "/v1/patients/{id}", "/v1/patients/pat_NqXmvRr", None, 409),
    ("GET", "/v1/patients/{id}/observations", "/v1/patients/pat_NqXmvRr/observations", None, 200),
    ("GET", "/v1/documents/{sha256}", "/v1/documents/" + "0" * 64, None, 404),
    ("GET", "/fhir/R4/metadata", "/fhir/R4/metadata", None, 200),
    ("GET", "/fhir/R4/{type}", "/fhir/R4/DiagnosticReport", None, 200),
    ("GET", "/fhir/R4/{type}/{id}", "/fhir/R4/Patient/none", None, 404),
    ("GET", "/v1/orders", "/v1/orders?practitioner=anna", None, 200),
    ("GET", "/v1/orders/{id}", "/v1/orders/ord_1", None, 200),
    ("GET", "/v1/orders/{id}", "/v1/orders/nothing", None, 404),
    ("GET", "/v1/events", "/v1/events?limit=5", None, 200),
    ("GET", "/v1/events", "/v1/events?after=nonsense", None, 400),
    ("GET", "/v1/events/{id}", "/v1/events/evt_1?body=true", None, 200),
    ("GET", "/v1/events/{id}/bodies/{sha256}", f"/v1/events/evt_1/bodies/{BODY}", None, 200),
    ("GET", "/v1/unmatched", "/v1/unmatched", None, 200),
    ("POST", "/v1/unmatched/{event_id}/match", "/v1/unmatched/evt_2/match", {"clinic_id": "cli_1"}, 200),
    ("POST", "/v1/unmatched/{event_id}/match", "/v1/unmatched/evt_1/match", {"clinic_id": "cli_1"}, 409),
    ("POST", "/v1/keys", "/v1/keys", NEW_KEY, 201),
    ("GET", "/v1/keys", "/v1/keys", None, 200),
    ("GET", "/v1/keys/{id}", "/v1/keys/{key}", None, 200),
    ("POST", "/v1/keys/{id}/rotate", "/v1/keys/{key}/rotate", {"overlap_seconds": 60}, 200),
    ("DELETE", "/v1/keys/{id}", "/v1/keys/{key}", None, 204),
    ("POST", "/v1/keys/{id}/rotate", "/v1/keys/{key}/rotate", {"overlap_seconds": 60}, 409),
    ("POST", "/v1/endpoints", "/v1/endpoints", {"url": "http://127.0.0.1:18080/hook", "types": ["result"], "payload": "thin"}, 201),
    ("GET", "/v1/endpoints", "/v1/endpoints", None, 200),
    ("GET", "/v1/endpoints/{id}", "/v1/endpoints/{endpoint}", None, 200),
    ("PATCH", "/v1/endpoints/{id}", "/v1/endpoints/{endpoint}", {"description": "a receiver"}, 200),
    ("POST", "/v1/endpoints/{id}/secret/rotate", "/v1/endpoints/{endpoint}/secret/rotate", {"overlap_seconds": 60}, 200),
    ("POST", "/v1/endpoints/{id}/pause", "/v1/endpoints/{endpoint}/pause", {"reason": "a test"}, 200),
    ("POST", "/v1/endpoints/{id}/resume", "/v1/endpoints/{endpoint}/resume", {}, 200),
    ("POST", "/v1/endpoints/{id}/test", "/v1/endpoints/{endpoint}/test", None, 202),
    ("POST", "/v1/endpoints/{id}/replay", "/v1/endpoints/{endpoint}/replay", {"practitioner": "anna", "rate": 1}, 202),
    ("GET", "/v1/deliveries", "/v1/deliveries?limit=5", None, 200),
    ("GET", "/v1/deliveries/{id}", "/v1/deliveries/{delivery}", None, 200),
    ("POST", "/v1/deliveries/{id}/retry", "/v1/deliveries/nothing/retry", None, 404),
    ("POST", "/v1/deliveries/retry", "/v1/deliveries/retry", {"dry_run": True}, 200),
    ("GET", "/v1/jobs", "/v1/jobs", None, 200),
    ("GET", "/v1/jobs/{id}", "/v1/jobs/{job}", None, 200),
    ("POST", "/v1/jobs/{id}/cancel", "/v1/jobs/nothing/cancel", None, 404),
    ("POST", "/v1/endpoints/{id}/disable", "/v1/endpoints/{endpoint}/disable", {}, 200),
    ("DELETE", "/v1/endpoints/{id}", "/v1/endpoints/{endpoint}", None, 204),
    ("DELETE", "/v1/endpoints/{id}", "/v1/endpoints/{endpoint}", None, 404),
    ("GET", "/v1/audit", "/v1/audit?limit=50", None, 200),
    ("GET", "/v1/audit/checkpoint", "/v1/audit/checkpoint", None, 404),
    ("GET", "/v1/status", "/v1/status", None, 200),
    ("GET", "/livez", "/livez", None, 200),
    ("GET", "/readyz", "/readyz?verbose=true", None, 200),
    ("GET", "/metrics", "/metrics", None, 200),
    ("GET", "/openapi.json", "/openapi.json", None, 200),
]
MADE = {"/v1/keys": ("key", "id"), "/v1/endpoints": ("endpoint", "id"), "/v1/endpoints/{id}/test": ("delivery", "delivery_id"), "/v1/endpoints/{id}/replay": ("job", "id")}
# Operations that a proxy cannot carry, each with the reason.
NOT_THROUGH_A_PROXY = {("POST", "/fhir/R4/{type}/_search"): "its body is a form, which prism cannot hold against a schema without members", ("GET", "/v1/stream"): "it never ends"}


def operations():
    paths = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))["paths"]
    return {(method.upper(), path) for path, item in paths.items() for method in item if method in ("get", "put", "post", "delete", "patch")}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Proxy:
    def __init__(self, upstream, log):
        self.port = free_port()
        self.process = subprocess.Popen(
            [PRISM, "proxy", str(ROOT / "openapi.yaml"), f"http://{upstream}", "--errors", "--host", "127.0.0.1", "--port", str(self.port)],
            stdout=log, stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("prism does not listen")

    def call(self, method, target, body, key):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": "Bearer " + key}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, target, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content


def main():
    if not shutil.which("node") or not PRISM.exists():
        print("skipped: no prism (node, and npm ci in tests/openapi)")
        return 0
    missing = operations() - {(method, path) for method, path, *_ in CALLS} - set(NOT_THROUGH_A_PROXY)
    wrong = [f"{method} {path} is never called: add a line to CALLS in tests/openapi/contract.py" for method, path in sorted(missing)]
    own = house.House()
    proxy = None
    try:
        own.configure('\n[delivery]\nallow_http = true\nallow = ["127.0.0.1"]\n')
        own.start()
        own.connect("anna", "cli_1")
        assert own.post(EVENT) == 200
        assert own.post(house.clinic_event("evt_2", clinic="cli_2", order="ord_2")) == 200
        own.settled()
        with open(own.folder / "prism.log", "wb") as log:
            proxy = Proxy(own.addresses["private"], log)
            root = (own.data / "admin.key").read_text()
            made = {}
            for method, path, target, body, expected in CALLS:
                for name, one in made.items():
                    target = target.replace("{" + name + "}", one)
                status, content = proxy.call(method, target, body, root)
                if method == "POST" and path in MADE and status < 300:
                    name, member = MADE[path]
                    made[name] = json.loads(content)[member]
                if b"stoplight.io/prism" in content or status != expected:
                    wrong.append(f"{method} {target}: {status}, expected {expected}: {content[:1500].decode(errors='replace')}")
    finally:
        if proxy:
            proxy.process.terminate()
            proxy.process.wait(timeout=20)
        own.remove()
    print("\n".join(wrong) or f"{len(CALLS)} calls of {len(operations())} operations are what openapi.yaml says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
