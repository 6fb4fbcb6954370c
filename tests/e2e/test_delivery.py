"""Webhooks to the application over real sockets: what a receiver does, what the command line says, and that none vanishes."""

import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import unittest

from house import BINARY, ENVIRONMENT, House, clinic_event

DELIVERY = pathlib.Path(__file__).resolve().parent.parent / "delivery"
GUIDE = DELIVERY.parent.parent / "docs" / "guides" / "receivers"
sys.path.insert(0, str(DELIVERY))
from receiver import Receiver, verify  # noqa: E402

CONFIG = """
[delivery]
allow = ["127.0.0.1"]
allow_http = true
schedule = ["0s", "100ms", "100ms"]
timeout_ms = 400
lease_ms = 6000
breaker_failures = 3
breaker_ms = 100
"""


class Delivery(unittest.TestCase):
    def setUp(self):
        self.house = House()
        self.addCleanup(self.house.remove)
        self.house.configure(CONFIG)
        self.house.start()
        self.house.connect("anna", "cli_Epqpo2g")
        self.receiver = self.enterContext(Receiver())

    def make(self, name, behaviour="ok", **settings):
        status, made = self.house.api("POST", "/v1/endpoints", {"url": self.receiver.url(name, behaviour), **settings})
        self.assertEqual(status, 201, made)
        return made

    def until(self, done, what, seconds=20):
        deadline = time.monotonic() + seconds
        while not done():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def ended(self, endpoint):
        def done():
            _, page = self.house.api("GET", f"/v1/deliveries?endpoint={endpoint['id']}")
            return page["items"] and all(item["state"] in ("delivered", "dead", "skipped") for item in page["items"])

        self.until(done, "every delivery ends")
        return self.house.api("GET", f"/v1/deliveries?endpoint={endpoint['id']}")[1]["items"]

    def test_every_misbehaviour_ends_as_a_dead_letter_that_says_why(self):
        expected = {
            "hang": "timeout",
            "drip": "timeout",
            "reset": "connection_lost",
            "redirect": "status",
            "liar": "connection_lost",
            "error": "status",
            "malformed": "bad_response",
            "huge": "status",
        }
        endpoints = {behaviour: self.make(behaviour, behaviour) for behaviour in expected}
        self.house.post(clinic_event("evt_1", result="MSH|1"))
        self.house.settled()
        for behaviour, outcome in expected.items():
            with self.subTest(behaviour):
                [item] = self.ended(endpoints[behaviour])
                self.assertEqual((item["state"], item["reason"]), ("dead", "attempts_exhausted"))
                _, delivery = self.house.api("GET", "/v1/deliveries/" + item["id"])
                self.assertEqual({attempt["outcome"] for attempt in delivery["history"]}, {outcome})
        self.assertNotIn("redirected", self.receiver.arrived, "a redirect is not followed")

    def test_a_busy_receiver_is_given_the_time_it_asks_for(self):
        busy = self.make("busy", "busy")
        self.house.post(clinic_event("evt_1", result="MSH|1"))
        self.ended(busy)
        times = [when for when, _, _ in self.receiver.arrived["busy"]]
        self.assertEqual(len(times), 3)
        self.assertGreater(times[1] - times[0], 0.9, "Retry-After: 1")

    def test_an_endpoint_is_sent_no_more_at_a_time_than_it_takes(self):
        self.make("narrow", "slow", concurrency=2, order="none")
        for n in range(8):
            self.house.post(clinic_event(f"evt_{n}", order=f"ord_{n}", test=f"t_{n}", result="MSH|1"))
        self.until(lambda: len(self.receiver.acknowledged["narrow"]) == 8, "all arrive")
        self.assertEqual(self.receiver.open_most["narrow"], 2)

    def test_dead_endpoints_delay_no_other(self):
        def slowest(name):
            self.make(name)
            begun = time.monotonic()
            for n in range(30):
                self.house.post(clinic_event(f"evt_{name}_{n}", order=f"ord_{name}_{n}", test=f"t_{name}_{n}", result="MSH|1"))
            self.until(lambda: len(self.receiver.acknowledged[name]) == 30, "all arrive")
            return time.monotonic() - begun

        alone = slowest("alone")
        for n in range(20):
            self.make(f"dead{n}", "hang")
        beside = slowest("beside")
        # One after the other, their thirty attempts each would take some minutes.
        self.assertLess(beside, alone + 15, "thirty deliveries beside twenty endpoints that hang")

    def test_who_delivers_does_not_give_way_to_every_other_program(self):
        def policy(name):
            tasks = pathlib.Path(f"/proc/{self.house.process.pid}/task").iterdir()
            return [os.sched_getscheduler(int(task.name)) for task in tasks if (task / "comm").read_text().strip() == name]

        self.assertEqual(policy("sync"), [os.SCHED_IDLE], "sync gives way to those who are answered (decision 0009)")
        self.assertEqual(policy("delivery"), [os.SCHED_OTHER], "a busy machine must not keep what is due, nor the writer's turn (decision 0034)")
        self.assertEqual(policy("critical"), [os.SCHED_OTHER])

    def test_the_command_line_makes_an_endpoint_tests_it_and_shows_what_became_of_it(self):
        code, said, talk = self.house.run("endpoints", "add", self.receiver.url("cli"), "-o", "json")
        self.assertEqual(code, 0, talk)
        endpoint = json.loads(said)
        self.assertTrue(endpoint["secret"].startswith("whsec_"))
        code, delivery, talk = self.house.run("endpoints", "test", endpoint["id"])
        self.assertEqual(code, 0, talk)
        self.until(lambda: self.receiver.acknowledged["cli"], "the test arrives")
        _, headers, body = self.receiver.requests[0]
        self.assertTrue(verify([endpoint["secret"]], headers, body))
        self.ended(endpoint)
        for arguments, expected in (
            (("deliveries", "show", delivery.strip()), "delivered"),
            (("endpoints",), endpoint["id"]),
            (("deliveries",), "endpoint.test"),
            (("endpoints", "pause", endpoint["id"], "--reason", "move"), ""),
            (("endpoints", "show", endpoint["id"]), "paused"),
            (("endpoints", "resume", endpoint["id"], "--skip", "done by hand"), ""),
            (("deliveries", "retry", "--dry-run"), "0 dead letters"),
            (("endpoints", "replay", endpoint["id"], "--dry-run"), "0 items would be sent"),
            (("jobs",), ""),
            (("endpoints", "rotate", endpoint["id"]), "whsec_"),
            (("endpoints", "disable", endpoint["id"]), ""),
            (("endpoints", "remove", endpoint["id"]), ""),
        ):
            with self.subTest(arguments):
                code, said, talk = self.house.run(*arguments)
                self.assertEqual(code, 0, talk)
                self.assertIn(expected, said)

    def test_nothing_of_a_patient_a_secret_or_an_answer_is_in_the_log_or_readable_on_the_disk(self):
        made = self.make("canary", "error", payload="full")
        self.house.post(clinic_event("evt_1", result="MSH|CANARYNAME"))
        self.ended(made)
        self.house.terminate()
        disk = b"".join(path.read_bytes() for path in self.house.data.rglob("*") if path.is_file() and "log" not in path.parts)
        for canary in (made["secret"], made["secret"].removeprefix("whsec_"), "CANARYNAME", "/canary/error"):
            self.assertNotIn(canary, self.house.log_text())
            self.assertNotIn(canary.encode(), disk)

    def test_sigterm_ends_within_ten_seconds_though_a_receiver_hangs(self):
        self.house.terminate()
        self.house.configure(CONFIG.replace("timeout_ms = 400", "timeout_ms = 60000").replace("lease_ms = 6000", "lease_ms = 120000"))
        self.house.start()
        self.make("hangs", "hang")
        self.house.post(clinic_event("evt_1", result="MSH|1"))
        self.until(lambda: self.receiver.arrived["hangs"], "it arrives")
        code, took = self.house.terminate()
        self.assertEqual(code, 0)
        self.assertLess(took, 10)

    def test_a_lease_that_its_request_outlasts_is_refused_at_the_start(self):
        self.house.terminate()
        self.house.configure("\n[delivery]\ntimeout_ms = 15000\nlease_ms = 16000\n")
        refused = subprocess.run([BINARY, "check-config", "--config", "resultsync.toml"], cwd=self.house.folder, env=ENVIRONMENT, capture_output=True, text=True)
        self.assertEqual(refused.returncode, 78)
        self.assertIn("delivery.lease_ms", refused.stdout + refused.stderr)

    def run_receiver(self, command, name, secret):
        """Starts one of the guides' receivers; its address."""
        environment = {
            **ENVIRONMENT,
            "WEBHOOK_SECRET": secret,
            "RESULTSYNC_URL": self.house.addresses["private"] if name == "cpp" else "http://" + self.house.addresses["private"],
            "RESULTSYNC_KEY": (self.house.data / "admin.key").read_text().strip(),
        }
        process = subprocess.Popen([*command, self.port, self.house.folder / f"kept-{name}"], env=environment, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline().strip(), f"listening {self.port}")
        return process

    def test_the_receivers_of_the_guide_verify_keep_once_and_answer(self):
        receivers = {"python": [sys.executable, GUIDE / "receiver.py"]}
        if shutil.which("c++") or shutil.which("clang++-19"):
            built = self.house.folder / "receiver"
            compiler = shutil.which("clang++-19") or shutil.which("c++")
            subprocess.run([compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", GUIDE / "receiver.cpp", "-lcrypto", "-o", built], check=True)
            receivers["cpp"] = [built]
        tsc = DELIVERY / "node_modules" / ".bin" / "tsc"
        if tsc.exists() and shutil.which("node"):
            subprocess.run(
                [tsc, "--strict", "--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext", "--skipLibCheck",
                 "--typeRoots", DELIVERY / "node_modules" / "@types", "--types", "node", "--outDir", self.house.folder / "js", GUIDE / "receiver.ts"],
                check=True,
            )
            (self.house.folder / "js" / "package.json").write_text('{"type": "commonjs"}')
            receivers["typescript"] = ["node", self.house.folder / "js" / "receiver.js"]
        for name, command in receivers.items():
            with self.subTest(name), socket.create_server(("127.0.0.1", 0)) as reserved:
                self.port = str(reserved.getsockname()[1])
                reserved.close()
                _, endpoint = self.house.api("POST", "/v1/endpoints", {"url": f"http://127.0.0.1:{self.port}/hook"})
                process = self.run_receiver(command, name, endpoint["secret"])
                self.house.post(clinic_event(f"evt_{name}", order=f"ord_{name}", test=f"t_{name}", result="MSH|1"))
                self.assertIn(f"result ord_{name}", process.stdout.readline())
                [item] = self.ended(endpoint)
                self.assertEqual(item["state"], "delivered")
                forged = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=10)
                forged.request("POST", "/hook", b"{}", {"webhook-id": "x", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"})
                self.assertEqual(forged.getresponse().status, 401)
                forged.close()
                self.house.api("DELETE", f"/v1/endpoints/{endpoint['id']}")

    def test_none_vanishes_while_the_server_is_killed(self):
        proof = subprocess.run(
            [sys.executable, "-B", DELIVERY / "deliveries.py", "--server", BINARY, "--deliveries", "600", "--endpoints", "15", "--kills", "3"],
            capture_output=True, text=True, timeout=200, env=os.environ,
        )
        print(proof.stdout, file=sys.stderr)
        self.assertEqual(proof.returncode, 0, proof.stdout + proof.stderr)


if __name__ == "__main__":
    unittest.main()
