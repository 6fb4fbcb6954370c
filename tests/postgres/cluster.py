"""A PostgreSQL of one's own: in a temporary folder, on a Unix socket (and a free loopback port, if asked for), with nobody else in
it. Run as root it runs the server as the user postgres, since PostgreSQL refuses to be root."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time


def binaries():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    sys.exit("skipped: no PostgreSQL server. Install it with: apt-get install postgresql-15")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def as_server_user():
    """What to put before a command so that it does not run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


class Cluster:
    """with Cluster() as cluster: … cluster.conninfo"""

    def __init__(self, settings=None, tcp=False, parent=None, within=(), network=None):
        """`within` goes before every command, and `network` is who may connect, where the cluster lives in a namespace of its own."""
        self.within, self.network = within, network
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rspg", dir=parent))
        self.port = free_port() if tcp else 5432
        self.settings = {
            "listen_addresses": "*" if network else "127.0.0.1" if tcp else "",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "max_connections": 200,
            "shared_buffers": "64MB",
            "fsync": "on",
            "synchronous_commit": "on",
            **(settings or {}),
        }
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.folder.chmod(0o755)
        self.data = self.folder / "data"

    @property
    def conninfo(self):
        host = "127.0.0.1" if self.settings["listen_addresses"] else self.folder
        return f"host={host} port={self.port} user=postgres dbname=postgres"

    def run(self, program, *arguments, check=True):
        return subprocess.run([*self.within, *as_server_user(), binaries() / program, *map(str, arguments)], check=check, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def create(self):
        self.run("initdb", "--pgdata", self.data, "--auth", "trust", "--username", "postgres", "--encoding", "UTF8", "--locale", "C.UTF-8",
                 "--no-instructions", "--data-checksums")
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as file:
            for name, value in self.settings.items():
                file.write(f"{name} = '{value}'\n")
        if self.network:
            with open(self.data / "pg_hba.conf", "a", encoding="utf-8") as file:
                file.write(f"host all all {self.network} trust\n")

    def start(self):
        try:
            self.run("pg_ctl", "--pgdata", self.data, "--wait", "--log", self.folder / "log", "start")
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"PostgreSQL does not start:\n{error.stdout}{self.log()}") from None

    def stop(self, mode="immediate"):
        self.run("pg_ctl", "--pgdata", self.data, "--wait", "--mode", mode, "stop", check=False)

    def pid(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def query(self, sql):
        return self.run("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", "--command", sql, self.conninfo).stdout.strip()

    def __enter__(self):
        self.create()
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        for _ in range(20):
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self.folder.exists():
                return
            time.sleep(0.1)
