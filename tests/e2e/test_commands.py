"""Every command: that it does what it says, and how it answers one bad input."""

import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import unittest

from house import BINARY, ENVIRONMENT, House, clinic_event


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House().start()
        cls.addClassCleanup(cls.house.remove)
        cls.house.connect("anna", "cli_Epqpo2g")
        cls.house.post(clinic_event("evt_known", result="MSH|1"))
        cls.house.settled()

    def ok(self, *arguments, stdin=None):
        code, out, talk = self.house.run(*arguments, stdin=stdin)
        self.assertEqual(code, 0, f"{arguments}: {out}{talk}")
        return out

    def fails(self, expected, *arguments, stdin=None):
        code, out, talk = self.house.run(*arguments, stdin=stdin)
        self.assertEqual(code, expected, f"{arguments}: {out}{talk}")
        self.assertTrue(talk.strip() or out.strip(), f"{arguments} failed without a word")
        return out + talk

    def test_status(self):
        self.assertIn("ready", self.ok("status"))
        self.assertGreaterEqual(json.loads(self.ok("status", "-o", "json"))["totals"]["events"], 1)
        self.assertIn("resultsync serve", self.fails(6, "status", "--data-dir", "elsewhere"))

    def test_a_wrong_key_names_its_file(self):
        (self.house.folder / "wrong.key").write_text("x" * 43)
        self.assertIn("wrong.key", self.fails(4, "status", "--key-file", "wrong.key"))

    def test_connect_and_practitioners(self):
        self.assertIn("dora is connected", self.ok("connect", "dora", "--clinic", "cli_dora"))
        self.ok("connect", "dora", "--clinic", "cli_dora")
        self.assertIn("cli_dora", self.ok("practitioners", "get", "dora"))
        self.assertIn("dora", self.ok("practitioners"))
        self.assertIn("dora", [json.loads(line)["id"] for line in self.ok("practitioners", "list", "-o", "ndjson").splitlines()])
        self.ok("practitioners", "disconnect", "dora")
        self.fails(3, "practitioners", "get", "nobody")
        self.fails(3, "practitioners", "disconnect", "nobody")
        self.fails(2, "connect", "dora", "--clinic", "x" * 300)

    def test_hl7_parse(self):
        header = "MSH|^~\\&|LAB|NORTH|||20240501120000-0500||ORU^R01|M-1|P|2.5.1\r"
        message = header + "PID|1||1\rOBR|1|P|F|1^A^LN\rOBX|1|NM|1-8^A^LN||5|mg|1-9|N|||F\rOBX|2|NM\robx|3|NM|2^B^L||6||||||F\r"
        (self.house.folder / "parse.hl7").write_text(message + message, newline="")
        objects = [json.loads(line) for line in self.ok("hl7", "parse", "parse.hl7").splitlines()]
        self.assertEqual([one["index"] for one in objects], [0, 1])
        for one in objects:
            self.assertEqual(one["file"], "parse.hl7")
            self.assertEqual(one["tree"]["name"], "ORU_R01")
            self.assertIsInstance(one["diagnostics"], list)
            account = one["account"]
            self.assertEqual((account["obx_in"], account["observations"]), (2, 1), "lines that begin with OBX|")
            self.assertEqual([(row["segment"], row["reason"]) for row in account["explained"]], [("OBX", "says_nothing")])
        for stdin in (b"", b"\r\n", b"no message", b"OBX|1|NM|1^a^L||5\r", b"FHS|^~\\&\rOBX|1\rBTS|1\rOBX|2\r", b"FHS|^~\\&\rFTS|0\r"):
            only = self.ok("hl7", "parse", "-", stdin=stdin).splitlines()
            self.assertEqual(len(only), 1, f"{stdin!r}: without MSH there is one object")
            self.assertEqual(json.loads(only[0])["account"]["obx_in"], stdin.count(b"OBX|"))
        self.assertIn("2 OBX", self.ok("hl7", "parse", "-o", "table", "parse.hl7"))
        code, out, _ = self.house.run("hl7", "parse", "no-such-file.hl7", "parse.hl7")
        self.assertEqual((code, len(out.splitlines())), (1, 2), "what can be read is shown also after what cannot")
        self.fails(2, "hl7", "parse")

    def test_hl7_fhir(self):
        message = "MSH|^~\\&|LAB|NORTH|||20240501120000-0500||ORU^R01|M-1|P|2.5.1\rPID|1||1\rOBR|1|P|F|1^A^LN\rOBX|1|NM|1-8^A^LN||5|mg|1-9|N|||F\r"
        (self.house.folder / "two.hl7").write_text(message + message.replace("M-1", "M-2"))
        lines = [json.loads(line) for line in self.ok("hl7", "fhir", "two.hl7").splitlines()]
        self.assertEqual([bundle["identifier"]["value"] for bundle in lines], ["M-1", "M-2"])
        kinds = [entry["resource"]["resourceType"] for entry in lines[0]["entry"]]
        self.assertEqual(kinds.count("Observation"), 1)
        self.assertEqual(json.loads(self.ok("hl7", "fhir", "-", stdin=message.encode())), lines[0])
        self.assertIn("Observation", self.ok("hl7", "fhir", "-o", "table", "two.hl7"))
        self.assertIn("MSH", self.fails(1, "hl7", "fhir", "-", stdin=b"no message"))
        self.assertIn("MSH", self.fails(1, "hl7", "fhir", "-", stdin=b""))
        self.fails(1, "hl7", "fhir", "no-such-file.hl7", "two.hl7")

    def test_hl7_fhir_of_results_that_lost_their_header(self):
        rest = "OBR|1|P|F|1^A^LN\rOBX|1|NM|1-8^A^LN||5|mg|1-9|N|||F\r"
        # A batch trailer amid a message, and a message that was cut off at its beginning.
        for stdin in (f"MSH|^~\\&|LAB|||||ORU^R01|1|P|2.5.1\rPID|1||1\rBTS|1\r{rest}", f"PID|1||1\r{rest}"):
            parsed = [json.loads(line) for line in self.ok("hl7", "parse", "-", stdin=stdin.encode()).splitlines()]
            bundles = [json.loads(line) for line in self.ok("hl7", "fhir", "-", stdin=stdin.encode()).splitlines()]
            observations = sum(entry["resource"]["resourceType"] == "Observation" for bundle in bundles for entry in bundle.get("entry", []))
            self.assertEqual(observations, sum(one["account"]["observations"] for one in parsed), "what is accounted for is there")

    def test_hl7_diff(self):
        message = "MSH|^~\\&|LAB|NORTH|||20240501120000-0500||ORU^R01|M-1|P|2.5.1\rPID|1||1\rOBR|1|P|F|1^A^LN\rOBX|1|NM|1-8^A^LN||5|mg|1-9|N|||F\r"
        (self.house.folder / "old.hl7").write_text(message, newline="")
        changed = message.replace("||5|", "||6|").encode()
        [one] = [json.loads(line) for line in self.ok("hl7", "diff", "old.hl7", "-", stdin=changed).splitlines()]
        self.assertEqual(one["diff"]["analytes"][0]["changes"][0]["after"], "6")
        [back] = [json.loads(line) for line in self.ok("hl7", "diff", "-", "old.hl7", stdin=changed).splitlines()]
        self.assertEqual(back["diff"]["analytes"][0]["changes"][0]["after"], "5")
        self.assertIn("only one", self.fails(2, "hl7", "diff", "-", "-", stdin=changed))
        self.assertIn("holds no HL7", self.fails(1, "hl7", "diff", "old.hl7", "-", stdin=b"no message"))
        self.fails(1, "hl7", "diff", "no-such-file.hl7", "old.hl7")

    def test_hl7_parse_shows_a_table_for_each_report(self):
        micro = pathlib.Path(__file__).parents[1] / "fhir/messages/microbiology.hl7"
        shown = self.ok("hl7", "parse", "-o", "table", str(micro))
        self.assertIn("of Bacteria identified: Staphylococcus aureus", shown)
        self.assertIn("8 OBX: 8 in observations", shown)
        self.assertIn("FILE…", self.ok("hl7", "parse", "--help"))

    def test_events(self):
        self.assertIn("evt_known", self.ok("events"))
        self.assertIsInstance(json.loads(self.ok("events", "list", "-o", "json")), list)
        shown = self.ok("events", "get", "evt_known")
        self.assertIn("synced", shown)
        self.assertNotIn("Robin", shown)
        self.assertIn("Robin", self.ok("events", "get", "evt_known", "--body"))
        self.fails(3, "events", "get", "evt_unknown")
        self.fails(2, "events", "list", "--outcome", "nice")

    def test_orders(self):
        self.assertIn("ord_qNJ1nl1", self.ok("orders", "list", "--practitioner", "anna"))
        self.assertIn("ordts_lv57vnP", self.ok("orders", "get", "ord_qNJ1nl1"))
        self.fails(3, "orders", "get", "ord_unknown")
        self.fails(3, "orders", "list", "--practitioner", "nobody")

    def test_unmatched(self):
        self.house.post(clinic_event("evt_lost", clinic=None, order="ord_lost", test="t_lost", result="MSH|1").replace(b"pra_PbpNmjM", b"pra_unknown"))
        self.house.settled()
        self.assertIn("resultsync unmatched match evt_lost", self.ok("unmatched"))
        self.assertIn("order ord_lost belongs to cli_Epqpo2g; 1 feed item issued", self.ok("unmatched", "match", "evt_lost", "--clinic", "cli_Epqpo2g"))
        self.fails(5, "unmatched", "match", "evt_known", "--clinic", "cli_Epqpo2g")
        self.fails(3, "unmatched", "match", "evt_unknown", "--clinic", "cli_Epqpo2g")

    def test_listen(self):
        for arguments, marker in ((["--practitioner", "anna", "--from", "start"], "ord_qNJ1nl1"), (["--events", "--from", "start", "-o", "ndjson"], "evt_known")):
            with subprocess.Popen([BINARY, "listen", *arguments], cwd=self.house.folder, stdout=subprocess.PIPE, env=ENVIRONMENT) as listener:
                line = listener.stdout.readline().decode()
                while marker not in line:
                    line = listener.stdout.readline().decode()
                listener.send_signal(signal.SIGINT)
                self.assertEqual(listener.wait(timeout=5), 0)
        self.fails(2, "listen")
        self.fails(3, "listen", "--practitioner", "nobody")

    def test_whoever_listens_goes_on_when_the_server_is_back(self):
        for arguments, name in ((["--practitioner", "anna", "--from", "start"], lambda item: item["cursor"]), (["--events", "--from", "start"], lambda item: item["id"])):
            with subprocess.Popen(
                [BINARY, "listen", *arguments, "-o", "ndjson"], cwd=self.house.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
            ) as listener:
                seen = [json.loads(listener.stdout.readline())]
                self.house.kill()
                self.assertIn(b"is away", listener.stderr.readline())
                self.house.start()
                self.assertIn(b"is back", listener.stderr.readline())
                event = f"evt_after_{len(arguments)}"
                self.house.post(clinic_event(event, order=f"ord_{event}", test=f"t_{event}", result="MSH|1"))
                while event not in (seen[-1].get("event_id"), seen[-1].get("id")):
                    seen.append(json.loads(listener.stdout.readline()))
                self.assertEqual(len(seen), len({name(item) for item in seen}), "each once")
                listener.send_signal(signal.SIGINT)
                self.assertEqual(listener.wait(timeout=5), 0)
        self.house.kill()
        self.fails(6, "listen", "--practitioner", "anna")
        self.house.start()

    def test_trigger_the_sample_and_a_stream(self):
        self.assertIn("1 × 200", self.ok("trigger"))
        report = json.loads(
            self.ok("trigger", "--count", "40", "--seed", "7", "--duplicates", "0.2", "--shuffle", "--forged", "3", "--account", "account", "-o", "json")
        )
        lines = [json.loads(line) for line in (self.house.folder / "account").read_text().splitlines()]
        self.assertEqual(report["by_status"], {"200": len(lines) - 3, "400": 3})
        self.assertEqual(len({line["event_id"] for line in lines if not line["forged"]}), 40)
        self.assertTrue(all(line["status"] == (400 if line["forged"] else 200) for line in lines))
        status = self.house.settled()
        self.assertGreaterEqual(status["totals"]["events"], 41)

    def test_trigger_elsewhere(self):
        received = []

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                received.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}/hook"
        self.assertIn("1 × 204", self.ok("trigger", "--url", url, "--secret-file", "rupa.secret", "--file", "-", stdin=b"hello"))
        self.assertEqual(received, [b"hello"])
        (self.house.folder / "other.secret").write_text("another-secret-0123456789")
        self.assertIn("secret", self.fails(1, "trigger", "--secret-file", "other.secret"))
        self.fails(6, "trigger", "--url", "http://127.0.0.1:1/", "--secret-file", "rupa.secret")
        self.fails(2, "trigger", "--url", "ftp://x/", "--secret-file", "rupa.secret")

    def test_sign_and_verify_signature(self):
        (self.house.folder / "body").write_bytes(clinic_event("evt_signed"))
        header = self.ok("sign", "body", "--secret-file", "rupa.secret").strip()
        self.assertIn("valid", self.ok("verify-signature", "body", "--secret-file", "rupa.secret", "-H", header))
        self.assertIn("signature_mismatch", self.fails(7, "verify-signature", "-", "--secret-file", "rupa.secret", "-H", header, stdin=b"other"))
        line = self.ok("sign", "body", "--secret-file", "rupa.secret", "-o", "curl", "--url", f"http://{self.house.addresses['public']}/webhook")
        done = subprocess.run(["sh", "-c", line], cwd=self.house.folder, capture_output=True, timeout=20)
        self.assertEqual(json.loads(done.stdout), {"status": "success"}, done.stderr)
        self.fails(3, "sign", "absent", "--secret-file", "rupa.secret")

    def test_log(self):
        self.assertIn("SEGMENT", self.ok("log", "ls"))
        self.assertIn("1", self.ok("log", "cat", "--count", "1"))
        self.assertNotIn("Robin", self.ok("log", "cat", "-o", "json"))
        self.assertIn("Robin", self.ok("log", "cat", "--count", "1", "--body"))
        self.assertIn("every one is whole", self.ok("log", "verify"))
        self.fails(3, "log", "ls", "--data-dir", "elsewhere")

    def test_verify(self):
        self.assertEqual(json.loads(self.ok("verify", "--rebuild", "-o", "json"))["differences"], 0)
        self.fails(2, "verify")

    def test_check_config(self):
        settings = {s["key"]: s for s in json.loads(self.ok("check-config", "--config", "resultsync.toml", "-o", "json"))}
        self.assertEqual(settings["server.data_dir"]["value"], str(self.house.data))
        self.assertRegex(settings["server.public"]["from"], r"resultsync.toml:2$")
        code, out, _ = self.house.run("check-config", "--config", "resultsync.toml", environment={"RESULTSYNC_SERVER_THREADS": "3"})
        self.assertRegex(out, r"server.threads\s+RESULTSYNC_SERVER_THREADS\s+3")
        self.assertNotIn("e2e-secret", out)
        (self.house.folder / "bad.toml").write_text("[server]\npublik = 1\n")
        said = self.fails(78, "check-config", "--config", "bad.toml")
        self.assertIn("bad.toml:2", said)
        self.assertIn("did you mean server.public?", said)
        self.assertIn("no source", said)
        self.fails(78, "serve", "--config", "bad.toml")
        self.assertIn("[sources.rupa]", self.fails(78, "serve"))

    def test_version_help_completion_man(self):
        self.assertRegex(self.ok("version"), r"^resultsync \d+\.\d+\.\d+$")
        self.assertIn("version", json.loads(self.ok("version", "-o", "json")))
        self.assertEqual(self.ok("help", "serve"), self.ok("serve", "--help"))
        script = self.ok("completion", "bash")
        done = subprocess.run(
            ["bash", "-c", script + '\nCOMP_WORDS=(resultsync events g); COMP_CWORD=2; _resultsync; echo "${COMPREPLY[@]}"'], capture_output=True, timeout=20
        )
        self.assertEqual(done.stdout.decode().split(), ["get"], done.stderr)
        self.ok("man", "man")
        pages = sorted(os.listdir(self.house.folder / "man"))
        self.assertIn("resultsync.1", pages)
        self.assertIn("resultsync-events-get.1", pages)
        self.fails(2, "completion", "tcsh")
        self.fails(2, "nonsense")


class Demo(unittest.TestCase):
    def test_it_ends_with_an_account_in_which_nothing_is_lost(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([BINARY, "demo", "--events", "60", "--rate", "0"], cwd=folder, capture_output=True, timeout=120, env=ENVIRONMENT)
        text = done.stdout.decode()
        self.assertEqual(done.returncode, 0, text + done.stderr.decode())
        self.assertIn("Nothing was lost", text)
        self.assertEqual(len(re.findall(r"^(anna|ben|carla) .* 0 +0 +0$", text, re.M)), 3, text)
        self.assertNotIn("\x1b", text)

    def test_a_folder_that_is_not_empty_is_left_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            open(os.path.join(folder, "mine"), "w").close()
            done = subprocess.run([BINARY, "demo", "--data-dir", folder], capture_output=True, timeout=60, env=ENVIRONMENT)
            self.assertEqual(done.returncode, 5)
            self.assertEqual(os.listdir(folder), ["mine"])


if __name__ == "__main__":
    unittest.main()
