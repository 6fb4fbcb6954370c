"""Results, series, documents and FHIR of the real binary: a lab's messages go in as webhooks, what applications read comes out."""

import base64
import hashlib
import http.client
import json
import pathlib
import shutil
import subprocess
import unittest

from house import House, clinic_event

FHIR_TESTS = pathlib.Path(__file__).resolve().parent.parent / "fhir"
PDF = b"%PDF-1.4\n% a report of nobody\n" + bytes(range(256)) * 40 + b"\n%%EOF\n"
HTML = b"<html><script>document.title = 'ran'</script></html>"
TYPES = ("DiagnosticReport", "Observation", "ServiceRequest", "Specimen", "Patient", "Practitioner", "PractitionerRole", "Organization",
         "DocumentReference", "Provenance")


def message(*obx, day="20260105", filler="F-1", status="F"):
    return "\r".join([
        f"MSH|^~\\&|LIS|ACME LAB|||{day}120000+0000||ORU^R01^ORU_R01|{filler}-{day}|P|2.5.1",
        "PID|1||MRN-77^^^ACME^MR||Canary^Robin^Q||19701231|F",
        f"ORC|RE|P-1|{filler}||||||{day}080000+0000|||1234567893^Sample^Robin^^^^^^NPI",
        f"OBR|1|P-1|{filler}|24323-8^Comprehensive metabolic panel^LN|||{day}081500+0000|||||||||1234567893^Sample^Robin^^^^^^NPI||||||{day}110000+0000||CH|{status}",
        *obx,
        f"SPM|1|S-1&ACME^S-2&ACME||SER^Serum^HL70487|||||||||||||{day}081500+0000",
    ])


def number(set_id, code, name, value, unit, limits, flag="", status="F"):
    return f"OBX|{set_id}|NM|{code}^{name}^LN^{code[:3]}^{name}^L||{value}|{unit}|{limits}|{flag}|||{status}|||20260105081500+0000||||||||ACME LAB^^^^^CLIA^XX^^^11D1111111"


def document(set_id, media_type, content):
    return f"OBX|{set_id}|ED|PDF^Report^L||^{media_type}^Base64^{base64.b64encode(content).decode()}||||||F"


class Results(unittest.TestCase):
    def setUp(self):
        self.house = House().start()
        self.addCleanup(self.house.remove)
        self.house.connect("anna", "cli_A")
        self.house.connect("mallory", "cli_B")
        first = message(number(1, "2823-3", "Potassium", "6.6", "mmol/L", "3.5-5.1", "HH", "P"), number(2, "2951-2", "Sodium", "140", "mmol/L", "134-144"), status="P")
        second = message(number(1, "2823-3", "Potassium", "4.6", "mmol/L", "3.5-5.1", "N", "C"), document(3, "application^pdf", PDF), document(4, "text^html", HTML),
                         day="20260106", status="C")
        self.send("evt_1", first, order="ord_1", test="ot_1", created="2026-01-05T12:00:00Z")
        self.send("evt_2", second, order="ord_1", test="ot_1", created="2026-01-06T12:00:00Z")
        self.send("evt_3", message(number(1, "2823-3", "Potassium", "4.9", "mmol/L", "3.5-5.1"), day="20260201", filler="F-2"), order="ord_2", test="ot_2",
                  created="2026-02-01T12:00:00Z")
        self.house.settled()

    def send(self, event_id, hl7, clinic="cli_A", **more):
        self.assertEqual(self.house.post(clinic_event(event_id, clinic=clinic, result=hl7, **more)), 200)

    def key_of(self, practitioner):
        status, answer = self.house.api("POST", "/v1/keys", {"name": practitioner, "scopes": ["read_results"], "practitioners": [practitioner]})
        self.assertEqual(status, 201, answer)
        return answer["key"]

    def get(self, target, key=None, headers=None, method="GET", body=None):
        connection = http.client.HTTPConnection(self.house.addresses["private"], timeout=60)
        key = key or (self.house.data / "admin.key").read_text()
        connection.request(method, target, body, {"Authorization": "Bearer " + key, **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def fhir(self, target, key=None):
        status, headers, content = self.get("/fhir/R4/" + target, key)
        self.assertEqual(status, 200, content)
        self.assertEqual(headers["Content-Type"], "application/fhir+json")
        return json.loads(content)

    def test_a_corrected_result_is_shown_with_what_stands_and_what_changed(self):
        status, result = self.house.api("GET", "/v1/results/ot_1")
        self.assertEqual(status, 200, result)
        self.assertEqual((result["status"], result["version"], len(result["versions"])), ("corrected", 2, 2))
        change = result["result"]["diff"]["reports"][0]["diff"]["analytes"][0]["changes"][0]
        self.assertEqual((change["before"], change["after"]), ("6.6", "4.6"))
        standing = {o["code"]["codings"][0]["code"]: o["values"][0]["text"] for o in result["known"]["reports"][0]["observations"]}
        self.assertEqual((standing["2823-3"], standing["2951-2"]), ("4.6", "140"))
        status, headers, content = self.get("/v1/results/ot_1/versions/1")
        self.assertEqual((status, json.loads(content)["reports"][0]["observations"][0]["values"][0]["text"]), (200, "6.6"))
        status, _, _ = self.get("/v1/results/ot_1/versions/1", headers={"If-None-Match": headers["ETag"]})
        self.assertEqual(status, 304)

    def test_a_series_shows_each_analyte_once_and_corrected(self):
        _, series = self.house.api("GET", "/v1/patients/pat_NqXmvRr/observations?code=2823-3")
        self.assertEqual([p["observation"]["values"][0]["text"] for p in series["lines"][0]["points"]], ["4.6", "4.9"])
        _, analytes = self.house.api("GET", "/v1/patients/pat_NqXmvRr/observations")
        self.assertEqual({a["code"]: a["count"] for a in analytes["analytes"] if a["system"] == "http://loinc.org"}, {"2823-3": 2, "2951-2": 1})

    def test_documents_come_byte_for_byte_and_nothing_runs(self):
        status, headers, content = self.get("/v1/documents/" + hashlib.sha256(PDF).hexdigest())
        self.assertEqual((status, content, headers["Content-Type"]), (200, PDF, "application/pdf"))
        status, headers, content = self.get("/v1/documents/" + hashlib.sha256(HTML).hexdigest())
        self.assertEqual((status, content), (200, HTML))
        self.assertTrue(headers["Content-Disposition"].startswith("attachment"))
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")

    def test_another_clinics_key_sees_nothing_on_any_route(self):
        anna, mallory = self.key_of("anna"), self.key_of("mallory")
        paths = ["/v1/results/ot_1", "/v1/results/ot_1/versions/1", "/v1/patients/pat_NqXmvRr/observations", "/v1/patients/pat_NqXmvRr/observations?code=2823-3",
                 "/v1/documents/" + hashlib.sha256(PDF).hexdigest()]
        queries = ["/v1/results", "/v1/results?patient=pat_NqXmvRr"]
        for kind in TYPES:
            bundle = self.fhir(kind, anna)
            queries.append("/fhir/R4/" + kind)
            for entry in bundle.get("entry", [])[:2]:
                paths.append(f"/fhir/R4/{kind}/{entry['resource']['id']}")
                queries.append(f"/fhir/R4/{kind}?_id={entry['resource']['id']}&_include={kind}:*&_revinclude=Provenance:target")
        patient = self.fhir("Patient", anna)["entry"][0]["resource"]["id"]
        queries += [f"/fhir/R4/Observation?patient={patient}", "/fhir/R4/Observation?code=2823-3", "/fhir/R4/DiagnosticReport?identifier=F-1",
                    f"/fhir/R4/Patient?_id={patient}&_revinclude=Observation:subject", "/fhir/R4/ServiceRequest?identifier=ord_1", "/fhir/R4/Observation?_summary=count"]
        for path in paths:
            self.assertEqual(self.get(path, anna)[0], 200, path)
            self.assertEqual(self.get(path, mallory)[0], 404, path)
        for query in queries:
            status, _, content = self.get(query, mallory)
            answer = json.loads(content)
            self.assertEqual(status, 200, query)
            self.assertEqual(answer.get("entry", answer.get("items", [])), [], query)
            self.assertEqual(answer.get("total", 0), 0, query)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for key, total in ((anna, 1), (mallory, 0)):
            status, _, content = self.get("/fhir/R4/Patient/_search", key, form, "POST", "family=canary&birthdate=1970-12-31")
            self.assertEqual((status, json.loads(content)["total"]), (200, total))

    def test_nothing_personal_is_written_down_by_a_search(self):
        self.assertEqual(self.get("/fhir/R4/Patient?family=Canary")[0], 400)
        self.get("/fhir/R4/Patient/_search", headers={"Content-Type": "application/x-www-form-urlencoded"}, method="POST", body="family=Canary")
        self.get("/v1/results")
        self.house.terminate()
        self.assertNotIn("anary", self.house.log_text())

    def test_the_index_is_what_a_rebuild_makes(self):
        code, out, talk = self.house.run("verify", "--rebuild")
        self.assertEqual(code, 0, out + talk)

    def test_the_views_do_not_tell_what_somebody_was_examined_for(self):
        self.house.terminate()
        views = (self.house.data / "views.db").read_bytes()
        for canary in (b"2823-3", b"Potassium", b"MRN-77", b"Canary"):
            self.assertNotIn(canary, views)

    def test_the_command_line_shows_what_is_abnormal_and_what_was_corrected(self):
        code, out, talk = self.house.run("results", "list")
        self.assertEqual(code, 0, talk)
        self.assertIn("corrected", out)
        code, out, talk = self.house.run("results", "show", "ot_1")
        self.assertEqual(code, 0, talk)
        for word in ("Potassium", "4.6", "Sodium", "140", "3.5-5.1", "6.6", "Against version 1", hashlib.sha256(PDF).hexdigest()):
            self.assertIn(word, out)
        code, out, _ = self.house.run("results", "show", "ot_1", "--version", "1")
        self.assertEqual(code, 0)
        self.assertIn("HH", out)
        self.assertNotEqual(self.house.run("results", "show", "ot_9")[0], 0)

    def test_what_is_served_is_valid_fhir(self):
        node = shutil.which("node")
        if not node or not (FHIR_TESTS / "node_modules").exists():
            self.skipTest("no node, or no npm packages (npm ci in tests/fhir)")
        answers = [self.fhir("metadata")]
        for kind in TYPES:
            bundle = self.fhir(f"{kind}?_include={kind}:*&_count=2")
            answers.append(bundle)
            for entry in bundle.get("entry", []):
                resource = entry["resource"]
                read = self.fhir(f"{resource['resourceType']}/{resource['id']}")
                # A patient who came along is as that ordered test has them; read, as the newest has.
                self.assertEqual(read["id"] if resource["resourceType"] == "Patient" else read, resource["id"] if resource["resourceType"] == "Patient" else resource)
        answers.append(self.fhir("Patient?_revinclude=Observation:subject&_revinclude=DiagnosticReport:subject"))
        answers.append(self.fhir("Observation?color=red&_sort=date"))
        answers.append(self.fhir("Observation?_summary=count"))
        answers.append(self.fhir("Observation?code=none"))
        for refused in ("Observation?date=x", "Observation/none", "Medication", "Patient?name=x"):
            status, _, content = self.get("/fhir/R4/" + refused)
            self.assertGreaterEqual(status, 400)
            answers.append(json.loads(content))
        done = subprocess.run([node, "served.mjs"], cwd=FHIR_TESTS, input="\n".join(map(json.dumps, answers)), capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{len(answers)} answers, 0 errors", done.stdout)


if __name__ == "__main__":
    unittest.main()
