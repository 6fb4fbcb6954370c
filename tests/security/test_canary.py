"""A canary patient and canary secrets go through everything, and appear nowhere that they must not (P4)."""

import base64
import hashlib
import http.client
import http.server
import itertools
import json
import pathlib
import queue
import sys
import threading
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import house as e2e  # noqa: E402
import sse  # noqa: E402

NAME = "Zebediahcanary"
FAMILY = "Quetzalcanary"
BIRTH = "19340229"
NOTE = "canaryfinding"
SECRET = "canarysecret0123456789abcdef"

DOCUMENT = f"%PDF-1.4\n% {NAME} {FAMILY}\n%%EOF\n".encode()
HL7 = "\r".join([
    "MSH|^~\\&|LAB|LAB|APP|APP|20260101000000||ORU^R01|1|P|2.5.1",
    f"PID|1||pat_1^^^LAB||{FAMILY}^{NAME}||{BIRTH}|F",
    "OBR|1||F1|GLU^Glucose^L|||20260101000000|||||||||||||||20260101000000|||F",
    f"OBX|1|NM|2345-7^Glucose^LN||101|mg/dL|70-99|H|||F|||20260101000000",
    f"NTE|1|L|{NOTE}",
    f"OBX|2|ED|PDF^Report^L||^application^pdf^Base64^{base64.b64encode(DOCUMENT).decode()}||||||F",
]) + "\r"


def canary_event(event_id, hl7=HL7, clinic="cli_1", order="ord_1", test="ordts_1"):
    event = json.loads(e2e.clinic_event(event_id, clinic=clinic, order=order, test=test, result=hl7))
    event["data"]["included"].append({
        "type": "patient", "id": "pat_NqXmvRr",
        "attributes": {"first_name": NAME, "last_name": FAMILY, "birthday": BIRTH, "email": f"{NAME}@example.com"},
    })
    return json.dumps(event).encode()


class Watched:
    """A server, and every answer that is looked through afterwards."""

    def __init__(self):
        self.house = e2e.House()
        (self.house.folder / "rupa.secret").write_bytes(e2e.SECRET + b"\n")
        self.house.configure('\n[log]\nlevel = "debug"\n\n[delivery]\nallow_http = true\nallow = ["127.0.0.1"]\n')
        self.house.start()
        self.headers, self.errors, self.secrets = [], [], [SECRET, e2e.SECRET.decode()]
        self.root = (self.house.data / "admin.key").read_text()
        self.secrets.append(self.root)

    def call(self, method, target, body=None, headers=None, listener="private", key=None):
        connection = http.client.HTTPConnection(self.house.addresses[listener], timeout=60)
        sent = {"Authorization": "Bearer " + (key or self.root), **(headers or {})}
        connection.request(method, target, body if body is None or isinstance(body, bytes) else json.dumps(body), sent)
        answer = connection.getresponse()
        content = answer.read()
        self.headers.append(str(answer.getheaders()))
        if answer.status >= 400:
            self.errors.append(content.decode(errors="replace"))
        connection.close()
        return answer.status, content


# The faces. Each sends the canary its way, and asserts that it did come out where it belongs.

def webhook(watched):
    watched.house.connect("anna", "cli_1")
    assert watched.house.post(canary_event("evt_1")) == 200
    assert watched.house.post(canary_event("evt_1")) == 200
    assert watched.house.post(canary_event("evt_2", hl7=HL7.replace("101", "102"))) == 200
    assert watched.house.post(canary_event("evt_3", hl7=f"no hl7: {NAME}", clinic=None)) == 200
    assert watched.house.post(f'{{"id": "evt_4", "{NAME}": '.encode()) == 200
    for path, signature in (("/webhook", f"t=1,v1={SECRET}"), ("/webhook", SECRET), (f"/webhooks/{NAME}", None), (f"/{SECRET}", None)):
        assert watched.house.post(canary_event("evt_5"), signature=signature, path=path) >= 400
    watched.house.settled()


def api(watched):
    for target in ("/v1/feed?practitioner=anna", "/v1/orders/ord_1", "/v1/events/evt_1?body=1"):
        status, content = watched.call("GET", target)
        assert status == 200 and NAME.encode() in content, target
    for target in ("/v1/events", "/v1/orders", "/v1/unmatched", "/v1/status", "/v1/practitioners"):
        assert watched.call("GET", target)[0] == 200, target


def results(watched):
    assert watched.house.post(canary_event("evt_9", order="ord_9", test="ordts_9")) == 200
    watched.house.settled()
    for target in ("/v1/results/ordts_9", "/v1/results/ordts_9/versions/1", "/v1/patients/pat_NqXmvRr/observations?code=2345-7"):
        status, content = watched.call("GET", target)
        assert status == 200 and b"Glucose" in content, (target, status, content)
    assert watched.call("GET", "/v1/results?patient=pat_NqXmvRr")[0] == 200
    status, content = watched.call("GET", "/v1/documents/" + hashlib.sha256(DOCUMENT).hexdigest())
    assert (status, content) == (200, DOCUMENT)
    quoted = urllib.parse.quote(f"{NAME} {FAMILY}")
    for target in (f"/v1/results/{quoted}", f"/v1/results/ordts_9/versions/{quoted}", f"/v1/patients/{quoted}/observations?code=x", f"/v1/documents/{quoted}"):
        assert watched.call("GET", target)[0] >= 400, target
    assert watched.call("GET", f"/v1/results?patient={quoted}")[0] == 200, "there are none of such a patient"


def fhir(watched):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, content = watched.call("POST", "/fhir/R4/Patient/_search", f"family={FAMILY}&given={NAME}".encode(), form)
    assert status == 200 and NAME.encode() in content, content
    patient = json.loads(content)["entry"][0]["resource"]["id"]
    for target in ("/fhir/R4/metadata", f"/fhir/R4/Patient/{patient}", f"/fhir/R4/Observation?patient={patient}", "/fhir/R4/DiagnosticReport"):
        assert watched.call("GET", target)[0] == 200, target
    # Personal values have no place in a URL, and what was asked for there is not said again.
    for target in (f"/fhir/R4/Patient?family={FAMILY}", f"/fhir/R4/Patient/{NAME}", f"/fhir/R4/{FAMILY}",
                   f"/fhir/R4/Observation?date={FAMILY}", f"/fhir/R4/Observation?patient={patient}&_count={NAME}"):
        assert watched.call("GET", target)[0] >= 400, target
    content = watched.call("GET", f"/fhir/R4/Observation?{NAME}={FAMILY}&_count=0")[1]
    assert FAMILY.encode() not in content, "a parameter that nobody knows is passed over, and not said again"


def stream(watched):
    open_stream = sse.Stream(watched.house.addresses["private"], "/v1/stream?practitioner=anna", watched.root)
    assert open_stream.status == 200
    assert any(NAME in json.dumps(data) for _, _, data in itertools.islice(open_stream, 2))
    open_stream.connection.close()
    for headers in ({"Last-Event-ID": f"{NAME}"}, {"Last-Event-ID": SECRET}):
        assert watched.call("GET", "/v1/stream?practitioner=anna", headers=headers)[0] >= 400


def readers(watched):
    """Consumers and acknowledgements."""
    page = json.loads(watched.call("GET", "/v1/feed?practitioner=anna")[1])
    cursor = page["items"][0]["cursor"]
    assert watched.call("POST", "/v1/feed/ack", {"practitioner": "anna", "items": [cursor]})[0] // 100 == 2
    assert watched.call("POST", "/v1/feed/ack", {"practitioner": "anna", "items": [SECRET]})[0] >= 400
    assert watched.call("POST", "/v1/feed/ack", {"practitioner": NAME, "items": [cursor]})[0] >= 400


def reviews(watched):
    """What a practitioner writes about a result is the patient's too."""
    assert watched.house.post(canary_event("evt_r", hl7=HL7.replace("101|mg/dL|70-99|H", "501|mg/dL|70-99|HH"), order="ord_r", test="ordts_r")) == 200
    watched.house.settled()
    result = json.loads(watched.call("GET", "/v1/results/ordts_r")[1])
    version = f"/v1/results/ordts_r/versions/{result['version']}"
    said = {"practitioner": "anna", "note": f"{NAME} {FAMILY}: {NOTE}"}
    assert watched.call("POST", version + "/acknowledge", said)[0] == 201
    assert watched.call("POST", version + "/reviews", said)[0] == 201
    for target in ("/v1/critical?state=any", "/v1/results/ordts_r/reviews"):
        assert NOTE.encode() in watched.call("GET", target)[1], target
    for wrong in ({**said, "action": NAME}, {**said, "practitioner": FAMILY}, {**said, "note": NAME * 400}):
        assert watched.call("POST", version + "/reviews", wrong)[0] >= 400, wrong


def keys(watched):
    new = {"name": "reader", "scopes": ["read_results"]}
    status, content = watched.call("POST", "/v1/keys", new, {"Idempotency-Key": SECRET})
    assert status == 201
    key = json.loads(content)
    assert watched.call("POST", "/v1/keys", new, {"Idempotency-Key": SECRET})[1] == content, "answered again from what was kept"
    watched.secrets.append(key["key"])
    status, content = watched.call("POST", f"/v1/keys/{key['id']}/rotate")
    watched.secrets.append(json.loads(content)["key"])
    assert watched.call("GET", "/v1/feed?practitioner=anna", key=watched.secrets[-1])[0] == 200


def endpoints(watched):
    """A receiver that is sent everything, and answers with what it was sent."""
    received = queue.Queue()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put(body)
            self.send_response(500)
            self.send_header("X-Canary", NAME)
            self.end_headers()
            self.wfile.write(body + SECRET.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        new = {"url": f"http://127.0.0.1:{server.server_port}/{SECRET}", "payload": "full"}
        status, content = watched.call("POST", "/v1/endpoints", new)
        assert status == 201, content
        made = json.loads(content)
        watched.secrets.append(made["secret"])
        assert watched.call("POST", f"/v1/endpoints/{made['id']}/replay", {"practitioner": "anna"})[0] == 202
        while NAME.encode() not in received.get(timeout=30):
            pass
        status, content = watched.call("GET", f"/v1/deliveries?endpoint={made['id']}")
        for delivery in json.loads(content)["items"]:
            assert watched.call("GET", f"/v1/deliveries/{delivery['id']}")[0] == 200
        for body in ({"url": NAME}, {"url": f"http://10.0.0.1/{NAME}"}, {"url": new["url"], "types": [NAME]}, {"url": new["url"], "rate": NAME}):
            assert watched.call("POST", "/v1/endpoints", body)[0] == 422, body
    finally:
        server.shutdown()
        server.server_close()


def errors_on_purpose(watched):
    quoted = urllib.parse.quote(f"{NAME} {FAMILY}")
    for method, target in (
        ("GET", f"/v1/orders/{quoted}"), ("GET", f"/v1/events/{quoted}"), ("GET", f"/v1/events/evt_1/bodies/{quoted}"),
        ("GET", f"/v1/practitioners/{quoted}"), ("DELETE", f"/v1/practitioners/{quoted}"), ("GET", f"/v1/feed?practitioner={quoted}"),
        ("GET", f"/v1/feed?practitioner=anna&after={SECRET}"), ("GET", f"/v1/feed?practitioner=anna&limit={quoted}"),
        ("GET", f"/v1/orders?unknown={FAMILY}"), ("GET", f"/v1/orders?updated_since={quoted}"), ("GET", f"/v1/orders?patient={quoted}&after=x"),
        ("GET", f"/{quoted}"), ("PATCH", f"/v1/orders/{quoted}"), ("GET", f"/v1/keys/{SECRET}"), ("DELETE", f"/v1/keys/{quoted}"),
        ("GET", f"/v1/events?outcome={quoted}"), ("GET", f"/v1/events?source={quoted}"), ("GET", f"/v1/audit?order={quoted}"),
    ):
        assert watched.call(method, target)[0] >= 400, target
    for target, body in (
        ("/v1/practitioners/anna", f'{{"clinic_id": "{NAME}", '.encode()), ("/v1/practitioners/anna", {"clinic_id": 1, "unknown": FAMILY}),
        ("/v1/practitioners/anna", {"clinic_id": "x", "source": NAME}), ("/v1/practitioners/anna", {"clinic_id": NAME * 40}),
    ):
        status = watched.call("PUT", target, body)[0]
        assert status >= 400, (target, status)
    for body in ({"name": NAME, "scopes": [FAMILY]}, {"name": NAME, "scopes": ["read_results"], "expires_at": FAMILY}, NAME.encode()):
        assert watched.call("POST", "/v1/keys", body)[0] >= 400
    assert watched.call("POST", f"/v1/unmatched/{quoted}/match", {"clinic_id": "cli_1"})[0] == 404
    for headers in ({"X-Purpose": f"because of {NAME}"}, {"Authorization": f"Bearer {SECRET}"}, {"Authorization": f"Bearer rs_{'0' * 12}_{SECRET}"}):
        assert watched.call("GET", "/v1/orders", headers=headers)[0] in (400, 401)
    assert watched.call("POST", "/v1/keys", {"name": "x"}, {"Idempotency-Key": f"{NAME} {FAMILY}"})[0] == 400


def command_line(watched):
    run = watched.house.run
    code, out, _ = run("events", "get", "evt_1", "--body")
    assert code == 0 and NAME in out
    code, out, _ = run("log", "cat", "--body")
    assert code == 0 and NAME in out
    assert run("orders", "get", NAME)[0] == 3
    assert run("practitioners", "get", FAMILY)[0] == 3
    assert run("keys", "show", SECRET)[0] == 3
    assert run("trigger")[0] == 0
    assert run("verify", "--rebuild")[0] == 0


FACES = [webhook, api, reviews, results, fhir, stream, readers, keys, endpoints, errors_on_purpose, command_line]


def places(watched):
    """Each place where nothing of a canary may stand: its name and its bytes."""
    yield "metrics", watched.call("GET", "/metrics")[1]
    exported = watched.house.run("audit", "export")
    assert exported[0] == 0 and exported[1].count("\n") > 50, exported
    yield "audit export", exported[1].encode()
    watched.house.terminate()
    yield "server log", watched.house.log_text().encode()
    yield "errors", "\n".join(watched.errors).encode()
    yield "headers of answers", "\n".join(watched.headers).encode()
    for path in sorted(watched.house.data.rglob("*")):
        if path.is_file() and path.suffix != ".key":
            yield str(path.relative_to(watched.house.data)), path.read_bytes()


class Canary(unittest.TestCase):
    def test_a_canary_goes_through_everything_and_stays_nowhere(self):
        watched = Watched()
        self.addCleanup(watched.house.remove)
        for face in FACES:
            with self.subTest(face=face.__name__):
                face(watched)
        names = [NAME, FAMILY, NAME.lower(), FAMILY.lower(), NOTE]
        for where, content in places(watched):
            for canary in [*names, *watched.secrets]:
                found = content.find(canary.encode())
                self.assertEqual(found, -1, f"{canary!r} in {where}: …{content[max(0, found - 100):found + 100]!r}…")
        self.assertGreater(len(watched.errors), 25)


if __name__ == "__main__":
    unittest.main()
