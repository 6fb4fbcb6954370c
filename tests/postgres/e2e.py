"""The main job from end to end on a private PostgreSQL: the demo's account comes out, the views are what the log says, a password in the
address and a server that would lose commits are refused.

    python3 tests/postgres/e2e.py build/release/resultsync
"""

import contextlib
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from cluster import Cluster

SERVER = sys.argv.pop(1)


class PostgresEndToEnd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.cluster.create()
        cls.cluster.start()
        cls.folder = tempfile.TemporaryDirectory(prefix="rse2e")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.__exit__()
        cls.folder.cleanup()

    def run_command(self, *arguments, store=None):
        return subprocess.run([SERVER, *arguments], env={**os.environ, "RESULTSYNC_SERVER_STORE": store or "postgres:" + self.cluster.conninfo},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)

    def test_the_demo_and_a_rebuild_come_out_on_postgresql(self):
        folder = pathlib.Path(self.folder.name) / "demo"
        demo = self.run_command("demo", "--rate", "0", "--events", "150", "--data-dir", folder)
        self.assertEqual(demo.returncode, 0, demo.stdout)
        self.assertIn("Nothing was lost, nothing came twice", demo.stdout)
        verified = self.run_command("verify", "--rebuild", "-o", "json", "--config", folder / "resultsync.toml")
        self.assertEqual(verified.returncode, 0, verified.stdout)
        report = json.loads(verified.stdout)
        self.assertEqual(report["differences"], 0)
        self.assertGreater(report["facts"], 100)
        self.assertEqual(self.cluster.query("SELECT sum(count) FROM resultsync.log_runs"), str(report["through"]))
        listed = self.run_command("log", "ls", "-o", "json", "--config", folder / "resultsync.toml")
        streams = json.loads(listed.stdout)
        self.assertEqual(sum(stream["records"] for stream in streams), report["through"])
        self.assertEqual({stream["state"] for stream in streams} - {"open", "ended", "placed"}, set())
        self.assertIn("STREAM", self.run_command("log", "ls", "--config", folder / "resultsync.toml").stdout)
        self.assertEqual(self.cluster.query("SELECT count(*) FROM resultsync.log_records WHERE position('ord_'::bytea IN frame) > 0"), "0")

    def feed_of_anna(self, folder, store):
        """The whole answer of a server that is started on the folder for it."""
        with open(folder / "serve.log", "ab") as log:
            server = subprocess.Popen([SERVER, "serve", "--config", folder / "resultsync.toml"],
                                      env={**os.environ, "RESULTSYNC_SERVER_STORE": store}, stdout=log, stderr=log)
        try:
            address = folder / "data" / "server.json"
            for _ in range(600):
                if address.exists() and json.loads(address.read_text())["pid"] == server.pid:
                    break
                self.assertIsNone(server.poll(), (folder / "serve.log").read_text())
                time.sleep(0.05)
            host, _, port = json.loads(address.read_text())["private"].rpartition(":")
            connection = http.client.HTTPConnection(host, int(port), timeout=30)
            key = (folder / "data" / "admin.key").read_text().strip()
            connection.request("GET", "/v1/feed?practitioner=anna&limit=1000", headers={"Authorization": f"Bearer {key}"})
            with contextlib.closing(connection):
                return json.loads(connection.getresponse().read())
        finally:
            server.terminate()
            server.wait(timeout=20)

    def test_a_store_moves_from_files_with_every_cursor_and_is_compared(self):
        folder = pathlib.Path(self.folder.name) / "moved"
        schema = "moved"
        store = "postgres:" + self.cluster.conninfo
        demo = self.run_command("demo", "--rate", "0", "--events", "150", "--data-dir", folder, store="embedded")
        self.assertEqual(demo.returncode, 0, demo.stdout)
        before = self.feed_of_anna(folder, "embedded")
        chain = json.loads(self.run_command("audit", "verify", "-o", "json", "--data-dir", folder / "data", store="embedded").stdout)
        self.assertTrue(chain["sound"])
        self.assertGreater(chain["rows"], 1)
        move = ("migrate-store", "--from", f"sqlite:{folder / 'data'}", "--to", store, "--schema", schema)
        os.environ["RESULTSYNC_SERVER_STORE_SCHEMA"] = schema
        self.addCleanup(os.environ.pop, "RESULTSYNC_SERVER_STORE_SCHEMA")
        # A move that was begun and not finished: no server starts on it, and the next call goes on.
        moved = self.run_command(*move)
        self.assertEqual(moved.returncode, 0, moved.stdout)
        self.cluster.query("INSERT INTO moved.log_meta VALUES ('moving', 'from embedded'); TRUNCATE moved.feed")
        refused = self.run_command("serve", "--config", folder / "resultsync.toml")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("not complete", refused.stdout)
        again = self.run_command(*move)
        self.assertEqual(again.returncode, 0, again.stdout)
        self.assertEqual(again.stdout, moved.stdout)
        after = self.feed_of_anna(folder, store)
        self.assertGreater(len(before["items"]), 10)
        self.assertEqual(after, before)
        for command in (("verify", "--rebuild"), ("log", "verify"), ("log", "cat", "--count", "1", "--body"), ("audit", "verify")):
            verified = self.run_command(*command, "--config", folder / "resultsync.toml")
            self.assertEqual(verified.returncode, 0, verified.stdout)
        # The chain came along, checkpoints and all, and went on: with the feed that was read, and with the body that was shown here.
        moved_chain = json.loads(self.run_command("audit", "verify", "-o", "json", "--config", folder / "resultsync.toml").stdout)
        self.assertGreaterEqual(moved_chain["rows"], chain["rows"] + 2)
        self.assertGreaterEqual(moved_chain["checkpoints"], chain["checkpoints"])
        self.assertEqual(self.cluster.query("SELECT action FROM moved.audit ORDER BY seq DESC LIMIT 1"), "cli log cat")
        self.assertNotEqual(self.run_command(*move).returncode, 0, "what was moved is not moved again")

    def test_a_server_that_would_lose_commits_and_a_password_in_the_address_are_refused(self):
        config = pathlib.Path(self.folder.name) / "refused.toml"
        (config.parent / "s").write_text("a-secret-of-some-length-0123456789\n")
        (config.parent / "s").chmod(0o600)
        config.write_text('[server]\npublic = "127.0.0.1:0"\nprivate = "127.0.0.1:0"\ndata_dir = "./refused"\n[sources.rupa]\nsecrets = ["file:s"]\n')
        lossy = self.run_command("serve", "--config", config, store=f"postgres:{self.cluster.conninfo} options='-c synchronous_commit=off'")
        self.assertNotEqual(lossy.returncode, 0)
        self.assertIn("synchronous_commit = off", lossy.stdout)
        written = self.run_command("serve", "--config", config, store="postgres:host=db password=hunter2")
        self.assertEqual(written.returncode, 78)
        self.assertIn("holds a password", written.stdout)
        self.assertNotIn("hunter2", written.stdout)
        shown = self.run_command("check-config", "--config", config, store="postgres:host=db password=hunter2")
        self.assertNotIn("hunter2", shown.stdout)


if __name__ == "__main__":
    unittest.main()
