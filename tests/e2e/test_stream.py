"""The live stream over real sockets: every item once and in order, beside writers, over reconnects and restarts (D5)."""

import http.client
import pathlib
import random
import ssl
import subprocess
import threading
import time
import unittest

from house import House, clinic_event
from sse import Stream, follow


def event(number):
    return clinic_event(
        f"evt_{number}", order=f"ord_{number % 7}", test=f"t_{number % 7}", result=f"MSH|{number}", created=f"2024-01-01T00:{number // 60:02}:{number % 60:02}Z"
    )


class LiveStream(unittest.TestCase):
    def setUp(self):
        self.house = House().start()
        self.addCleanup(self.house.remove)

    def key(self):
        return (self.house.data / "admin.key").read_text()

    def test_every_item_comes_once_and_in_order_beside_writers_reconnects_and_restarts(self):
        for practitioner in ("anna", "ben"):
            self.house.connect(practitioner, "cli_Epqpo2g")
        total, dice = 240, random.Random(6)
        sent = []

        def write(numbers):
            for number in numbers:
                while True:  # as the network does: again until it is acknowledged
                    try:
                        if self.house.post(event(number)) == 200:
                            break
                    except (OSError, http.client.HTTPException):
                        pass
                    time.sleep(0.02)
                sent.append(number)

        seen = {"anna": [], "both": []}
        enough = {"anna": lambda items: len(items) >= total, "both": lambda items: len(items) >= 2 * total}
        readers = [
            threading.Thread(target=follow, args=(self.house, "/v1/stream?practitioner=anna", enough["anna"], seen["anna"])),
            threading.Thread(target=follow, args=(self.house, "/v1/stream?practitioner=anna&practitioner=ben", enough["both"], seen["both"])),
        ]
        # One that goes away in the middle, again and again.
        restless = []

        def come_and_go():
            last_id = ""
            while len(restless) < total and readers[0].is_alive():
                try:
                    stream = Stream(self.house.addresses["private"], "/v1/stream?practitioner=anna", self.key(), last_id, timeout=5)
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
                    continue
                if stream.status == 200:
                    for _, (last_id, _, item) in zip(range(dice.randint(1, 30)), stream):
                        restless.append(item)
                stream.close()

        readers.append(threading.Thread(target=come_and_go))
        writers = [threading.Thread(target=write, args=(range(start, total, 3),)) for start in range(3)]
        for thread in readers + writers:
            thread.start()
        for restart in range(3):
            target = total * (restart + 1) // 4
            while len(sent) < target and any(w.is_alive() for w in writers):
                time.sleep(0.01)
            self.house.kill() if restart % 2 else self.house.terminate()
            self.house.start()
        for thread in writers + readers:
            thread.join(timeout=90)
            self.assertFalse(thread.is_alive())

        feeds = {p: [i["cursor"] for i in self.house.feed(p)] for p in ("anna", "ben")}
        self.assertEqual(len(feeds["anna"]), total)
        self.assertEqual([item["cursor"] for _, _, item in seen["anna"]], feeds["anna"])
        self.assertEqual([item["cursor"] for item in restless], feeds["anna"][: len(restless)])
        for practitioner in ("anna", "ben"):
            of_one = [item["cursor"] for _, _, item in seen["both"] if item["practitioner"]["id"] == practitioner]
            self.assertEqual(of_one, feeds[practitioner])

    def test_a_stream_ends_in_order_when_the_server_does(self):
        self.house.connect("anna", "cli_Epqpo2g")
        self.house.post(event(1))
        stream = Stream(self.house.addresses["private"], "/v1/stream?practitioner=anna", self.key())
        events = iter(stream)
        self.assertEqual(next(events)[2]["event_id"], "evt_1")
        code, seconds = self.house.terminate()
        self.assertEqual(code, 0)
        self.assertLess(seconds, 10)
        self.assertIsNone(next(events, None))
        stream.close()

    def test_a_consumer_and_what_was_acknowledged_survive_sigkill(self):
        self.house.connect("anna", "cli_Epqpo2g")
        for number in range(6):
            self.house.post(event(number))
        cursors = [item["cursor"] for item in self.house.feed("anna")]
        self.assertEqual(self.house.api("PUT", "/v1/consumers/ehr", {"practitioner": "anna"})[0], 201)
        self.assertEqual(self.house.api("POST", "/v1/consumers/ehr/commit", {"practitioner": "anna", "cursor": cursors[2]})[0], 200)
        self.assertEqual(self.house.api("POST", "/v1/feed/ack", {"practitioner": "anna", "through": cursors[3]})[0], 200)
        self.house.kill()
        self.house.start()
        _, page = self.house.api("GET", "/v1/feed?practitioner=anna&consumer=ehr")
        self.assertEqual([item["cursor"] for item in page["items"]], cursors[3:])
        _, page = self.house.api("GET", "/v1/feed/unacknowledged?practitioner=anna")
        self.assertEqual([item["cursor"] for item in page["items"]], cursors[4:])


def certificate(folder, name, serial):
    """A self-signed certificate for 127.0.0.1, as NAME.pem and NAME.key."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=resultsync test",
         "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-set_serial", str(serial), "-keyout", f"{name}.key.new", "-out", f"{name}.pem.new"],
        cwd=folder, check=True, capture_output=True,
    )
    for ending in ("key", "pem"):
        (pathlib.Path(folder) / f"{name}.{ending}.new").replace(pathlib.Path(folder) / f"{name}.{ending}")


class Tls(unittest.TestCase):
    def test_both_listeners_speak_tls_and_take_a_new_certificate_without_dropping_anybody(self):
        house = House()
        self.addCleanup(house.remove)
        certificate(house.folder, "server", 1)
        text = (house.folder / "resultsync.toml").read_text()
        tls = "".join(f'{listener}_tls_{what} = "{file}"\n' for listener in ("public", "private") for what, file in (("certificate", "server.pem"), ("key", "server.key")))
        (house.folder / "resultsync.toml").write_text(text.replace("[server]\n", "[server]\n" + tls))
        house.start()

        def connect(address):
            context = ssl.create_default_context(cafile=house.folder / "server.pem")
            return http.client.HTTPSConnection(address, context=context, timeout=10)

        def serial(connection):
            return int(ssl_serial(connection.sock.getpeercert()), 16)

        def ssl_serial(shown):
            return shown["serialNumber"]

        old = connect(house.addresses["private"])
        old.request("GET", "/livez")
        self.assertEqual(old.getresponse().read() is not None, True)
        self.assertEqual(serial(old), 1)
        with self.assertRaises((http.client.HTTPException, OSError)):
            plain = http.client.HTTPConnection(house.addresses["public"], timeout=10)
            plain.request("GET", "/")
            plain.getresponse()

        code, out, err = house.run("status", "--config", "resultsync.toml", "--ca-file", "server.pem")
        self.assertEqual(code, 0, err)
        code, out, err = house.run("status", "--config", "resultsync.toml")
        self.assertNotEqual(code, 0)
        self.assertIn("self-signed", err)

        certificate(house.folder, "server", 2)
        house.process.send_signal(1)  # SIGHUP
        deadline = time.monotonic() + 10
        while "tls.certificate_read" not in house.log_text():
            self.assertLess(time.monotonic(), deadline, house.log_text())
            time.sleep(0.05)
        old.request("GET", "/livez")
        self.assertEqual(old.getresponse().status, 200, "an open connection goes on")
        fresh = connect(house.addresses["private"])
        fresh.request("GET", "/livez")
        self.assertEqual(fresh.getresponse().status, 200)
        self.assertEqual(serial(fresh), 2)
        code, seconds = house.terminate()
        self.assertEqual(code, 0)


if __name__ == "__main__":
    unittest.main()
