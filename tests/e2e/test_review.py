"""Sign-off and critical results of the real binary: a lab's event, the command line, and the webhooks that tell of what nobody acknowledged."""

import json
import sys
import time
import unittest

from house import House, clinic_event
from test_delivery import CONFIG, DELIVERY

sys.path.insert(0, str(DELIVERY))
from receiver import Receiver  # noqa: E402

NOTE = "Zebedee is to come back in two weeks"


def lab(value, flag, day="20260105", status="F"):
    return (f"MSH|^~\\&|LIS|LAB|||{day}120000+0000||ORU^R01|{day}|P|2.5.1\rPID|1||M-7^^^L^MR||Canary^Robin\r"
            f"OBR|1|P-1|F-1|24323-8^Panel^LN|||{day}081500+0000|||||||||||||||{day}110000+0000|||{status}\r"
            f"OBX|1|NM|2823-3^Potassium^LN||{value}|mmol/L|3.5-5.1|{flag}|||{status}")


class Review(unittest.TestCase):
    def setUp(self):
        self.house = House()
        self.addCleanup(self.house.remove)
        self.house.configure(CONFIG + '[critical]\nescalate_after = ["1s", "2s"]\n')
        self.house.start()
        self.house.connect("anna", "cli_A")
        self.house.connect("ben", "cli_B")

    def send(self, event, result, hours_ago=1, **more):
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600 * hours_ago))
        self.assertEqual(self.house.post(clinic_event(event, clinic="cli_A", order="ord_1", test="ot_1", result=result, created=created, **more)), 200)
        self.house.settled()

    def run_ok(self, *arguments, **more):
        code, out, err = self.house.run(*arguments, **more)
        self.assertEqual(code, 0, err)
        return out

    def test_the_command_line_signs_acknowledges_and_shows_who_did(self):
        self.assertEqual(self.run_ok("critical"), "")
        self.send("evt_1", lab("7.1", "HH"), hours_ago=2)
        [item] = [json.loads(line) for line in self.run_ok("results", "list", "--unreviewed", "-o", "ndjson").splitlines()]
        self.assertEqual((item["review"]["state"], item["critical"]["state"]), ("unreviewed", "open"))
        self.assertIn("ot_1", self.run_ok("critical", "list", "--practitioner", "anna"))
        self.assertNotIn("ot_1", self.run_ok("critical", "list", "--practitioner", "ben"))

        acknowledge = ("critical", "acknowledge", "ot_1", "--version", "1", "--practitioner")
        code, _, err = self.house.run(*acknowledge, "ben")
        self.assertNotEqual(code, 0)
        self.assertIn("no result", err)
        self.assertIn("acknowledged by anna", self.run_ok(*acknowledge, "anna"))
        self.assertEqual(self.run_ok("critical"), "")

        review = ("results", "review", "ot_1", "--practitioner", "anna", "--version")
        out = self.run_ok(*review, "1", "--action", "follow_up", "--note-file", "-", stdin=NOTE.encode())
        self.assertIn("follow_up by anna; the result is reviewed", out)
        self.assertNotIn("ot_1", self.run_ok("results", "list", "--unreviewed"))
        self.assertIn("reviewed: version 1, anna, follow_up", self.run_ok("results", "show", "ot_1"))

        self.send("evt_2", lab("4.1", "N", day="20260106", status="C"))
        self.assertIn("changed", self.run_ok("results", "list", "--unreviewed"))
        code, _, err = self.house.run(*review, "1")
        self.assertNotEqual(code, 0)
        self.assertIn("Version 2 is current", err)
        self.run_ok(*review, "2")
        history = [json.loads(line) for line in self.run_ok("results", "reviews", "ot_1", "-o", "ndjson").splitlines()]
        self.assertEqual([(one["version"], one["note"]) for one in history], [(2, None), (1, NOTE)])
        self.assertIn("results", self.run_ok("audit", "list"))
        # P4: the note is in the answer of who asks for it, and nowhere else.
        self.assertNotIn("Zebedee", self.house.log_text())
        self.assertNotIn("Zebedee", self.run_ok("audit", "export"))
        self.house.terminate()
        for file in self.house.data.rglob("*"):
            if file.is_file():
                self.assertNotIn(b"Zebedee", file.read_bytes(), file)

    def test_each_escalation_is_told_once_also_when_the_server_is_killed(self):
        with Receiver() as receiver:
            status, made = self.house.api("POST", "/v1/endpoints", {"url": receiver.url("app"), "types": ["critical.*"]})
            self.assertEqual(status, 201, made)
            self.send("evt_1", lab("7.1", "HH"))

            def told():
                bodies = {headers["webhook-id"]: json.loads(body) for _, headers, body in receiver.requests}
                return [(one["type"], one["data"]["steps_told"]) for one in bodies.values()]

            def until(expected, seconds=40):
                self.house.wait_for(lambda: sorted(told()) == sorted(expected), seconds)

            until([("critical.opened", 0)])
            self.house.kill()
            self.house.start()
            steps = [("critical.opened", 0), ("critical.escalated", 1), ("critical.escalated", 2)]
            until(steps)
            self.house.kill()
            self.house.start()
            status, _ = self.house.api("POST", "/v1/results/ot_1/versions/1/acknowledge", {"practitioner": "anna"})
            self.assertEqual(status, 201)
            until([*steps, ("critical.acknowledged", 2)])
            self.assertNotIn(b"Canary", b"".join(body for _, _, body in receiver.requests))


if __name__ == "__main__":
    unittest.main()
