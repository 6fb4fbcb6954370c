"""The main job over real sockets: what is acknowledged is durable, and every practitioner of the clinic receives it, once."""

import http.client
import signal
import socket
import stat
import subprocess
import time
import unittest

from house import BINARY, ENVIRONMENT, House, clinic_event


class Serve(unittest.TestCase):
    def setUp(self):
        self.house = House().start()
        self.addCleanup(self.house.remove)

    def metrics(self):
        connection = http.client.HTTPConnection(self.house.addresses["private"], timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def test_the_sample_reaches_everybody_of_the_clinic_and_nobody_else(self):
        for practitioner, clinic in (("anna", "cli_Epqpo2g"), ("ben", "cli_Epqpo2g"), ("carla", "cli_other")):
            self.house.connect(practitioner, clinic)
        self.assertEqual(self.house.post(clinic_event("evt_9b2m8O7")), 200)
        for practitioner in ("anna", "ben"):
            items = self.house.feed(practitioner)
            self.assertEqual([(i["event_id"], i["order_id"], i["clinic_id"]) for i in items], [("evt_9b2m8O7", "ord_qNJ1nl1", "cli_Epqpo2g")])
        self.assertEqual(self.house.feed("carla"), [])

    def test_the_same_event_again_is_a_receipt_and_no_item(self):
        self.house.connect("anna", "cli_Epqpo2g")
        for _ in range(3):
            self.assertEqual(self.house.post(clinic_event("evt_1", result="MSH|1")), 200)
        self.assertEqual(len(self.house.feed("anna")), 1)
        _, event = self.house.api("GET", "/v1/events/evt_1")
        self.assertEqual([r["kind"] for r in event["receipts"]], ["first", "duplicate", "duplicate"])

    def test_a_wrong_signature_is_refused_and_leaves_no_trace(self):
        self.assertEqual(self.house.post(clinic_event("evt_1"), signature="t=1,v1=00"), 400)
        self.assertEqual(self.house.settled()["totals"]["events"], 0)

    def test_a_changed_result_is_a_new_version(self):
        self.house.connect("anna", "cli_Epqpo2g")
        self.house.post(clinic_event("evt_1", result="MSH|1", created="2024-01-01T00:00:00Z"))
        self.house.post(clinic_event("evt_2", result="MSH|2", created="2024-01-02T00:00:00Z"))
        self.assertEqual([i["result"]["version"] for i in self.house.feed("anna")], [1, 2])

    def test_unmatched_then_connected_gives_what_waited(self):
        self.house.post(clinic_event("evt_1", result="MSH|1"))
        self.house.settled()
        _, waiting = self.house.api("GET", "/v1/unmatched")
        self.assertEqual([(w["event_id"], w["reason"]) for w in waiting["items"]], [("evt_1", "nobody_connected")])
        self.house.connect("anna", "cli_Epqpo2g")
        items = self.house.feed("anna")
        self.assertEqual([(i["event_id"], i["backfill"]) for i in items], [("evt_1", True)])
        _, waiting = self.house.api("GET", "/v1/unmatched")
        self.assertEqual(waiting["items"], [])

    def test_what_was_acknowledged_survives_sigkill(self):
        self.house.connect("anna", "cli_Epqpo2g")
        for i in range(20):
            self.assertEqual(self.house.post(clinic_event(f"evt_{i}", order=f"ord_{i}", test=f"t_{i}", result="MSH|1")), 200)
        key = (self.house.data / "admin.key").read_text()
        self.house.kill()
        self.house.start()
        self.assertEqual((self.house.data / "admin.key").read_text(), key)
        self.assertEqual(sorted(i["event_id"] for i in self.house.feed("anna")), sorted(f"evt_{i}" for i in range(20)))

    def test_a_restart_on_the_same_ports_right_after_sigkill_works(self):
        public, private = self.house.addresses["public"], self.house.addresses["private"]
        self.house.post(clinic_event("evt_1"))
        self.house.kill()
        text = (self.house.folder / "resultsync.toml").read_text()
        text = text.replace('public = "127.0.0.1:0"', f'public = "{public}"').replace('private = "127.0.0.1:0"', f'private = "{private}"')
        (self.house.folder / "resultsync.toml").write_text(text)
        self.house.start()
        self.assertEqual(self.house.addresses["public"], public)
        self.assertEqual(self.house.post(clinic_event("evt_2")), 200)

    def test_sigterm_ends_it_in_order_within_ten_seconds(self):
        self.house.connect("anna", "cli_Epqpo2g")
        key = (self.house.data / "admin.key").read_text()
        # A long poll is waiting meanwhile; it must not hold anything up.
        with subprocess.Popen(
            [BINARY, "listen", "--practitioner", "anna"], cwd=self.house.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
        ) as listener:
            self.house.wait_for(lambda: "resultsync_api_feed_waiters 1" in self.metrics())
            code, seconds = self.house.terminate()
            listener.kill()
        self.assertEqual(code, 0)
        self.assertLess(seconds, 10)
        self.assertFalse((self.house.data / "server.json").exists())
        self.assertTrue(key)

    def test_a_second_signal_ends_it_at_once(self):
        with socket.create_connection(self.house.addresses["public"].split(":")) as half_a_request:
            half_a_request.sendall(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
            self.assertIn(b"100 Continue", half_a_request.recv(100))
            self.house.process.terminate()
            self.house.wait_for(lambda: "server.stopping" in self.house.log_text())
            self.assertIsNone(self.house.process.poll(), "it waits for what is in flight")
            self.house.process.terminate()
            self.assertEqual(self.house.process.wait(timeout=9), 128 + signal.SIGTERM, "sooner than the ten seconds of an end in order")

    def test_a_failed_sync_ends_it_with_74_and_nothing_is_acknowledged_after_it(self):
        house = House()
        self.addCleanup(house.remove)
        house.start(under=("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=60+"))
        answers = []
        for i in range(200):
            try:
                answers.append(house.post(clinic_event(f"evt_{i}")))
            except OSError:
                answers.append(None)
                break
        self.assertEqual(house.process.wait(timeout=60), 74, house.log_text())
        taken = [a == 200 for a in answers]
        self.assertEqual(taken, sorted(taken, reverse=True), "a 200 after the failure")
        self.assertIn('"event":"store.failed"', house.log_text())
        house.start()
        self.assertGreaterEqual(house.settled()["totals"]["events"], sum(taken))

    def test_keys_and_data_are_for_their_owner_only(self):
        self.assertEqual(stat.S_IMODE((self.house.data / "admin.key").stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE((self.house.data / "master.key").stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.house.data.stat().st_mode), 0o700)
        self.assertRegex((self.house.data / "admin.key").read_text(), r"\A[A-Za-z0-9_-]{43}\Z")

    def test_two_servers_never_share_a_data_directory(self):
        code, _, talk = self.house.run("serve", "--config", "resultsync.toml")
        self.assertEqual(code, 5, talk)
        self.assertIn("in use by process", talk)
        self.assertEqual(self.house.post(clinic_event("evt_1")), 200)
        # The one that was refused has not taken the file away by which the other is found.
        self.assertEqual(self.house.run("status")[0], 0)

    def test_an_address_in_use_is_told(self):
        other = House()
        self.addCleanup(other.remove)
        code, _, talk = other.run("serve", "--config", "resultsync.toml", "--public", self.house.addresses["public"])
        self.assertEqual(code, 5, talk)
        self.assertIn("server.public", talk)

    def test_nothing_of_a_patient_or_secret_is_in_the_log(self):
        self.house.connect("anna", "cli_Epqpo2g")
        self.house.post(clinic_event("evt_1", result="MSH|canary-result"))
        self.house.post(b'{"canary": "body"', signature=None)
        self.house.settled()
        self.house.terminate()
        log = self.house.log_text()
        for canary in ("canary", "Robin", "pat_NqXmvRr", "e2e-secret", (self.house.data / "admin.key").read_text()):
            self.assertNotIn(canary, log)

    def test_verify_rebuild_finds_the_views_right_beside_the_running_server(self):
        self.house.connect("anna", "cli_Epqpo2g")
        for i in range(5):
            self.house.post(clinic_event(f"evt_{i}", result=f"MSH|{i}", created=f"2024-01-0{5 - i}T00:00:00Z"))
        self.house.settled()
        code, out, talk = self.house.run("verify", "--rebuild")
        self.assertEqual(code, 0, out + talk)
        self.assertIn("the views say what the log says", out)


if __name__ == "__main__":
    unittest.main()
