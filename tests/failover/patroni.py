"""A PostgreSQL cluster of three that fails over: Patroni and etcd from Debian's packages, synchronous and strict.

Each node lives in a network namespace of its own whose packets can be dropped (namespaces.py); where there are none, all live on loopback, and the way
from each Patroni to etcd is a wire that can fall silent (proxy.py). Nodes run in process groups, so that one can be stopped or killed as a machine would be.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys

from house import wait_until

from cluster import as_server_user, binaries, free_port  # noqa: E402  (house.py says where)
import namespaces
from proxy import Wire

TTL_SECONDS = 10


def etcd_binary() -> str:
    return shutil.which("etcd") or sys.exit("skipped: no etcd")


class Node:
    def __init__(self, group: "Group", name: str) -> None:
        self.group, self.name = group, name
        self.port, self.rest_port = free_port(), free_port()
        self.place = group.network.place(name) if group.network else None
        self.host = self.place.roads[0].host if self.place else "127.0.0.1"
        self.etcd_wire = None if self.place else Wire(group.etcd_port)
        self.folder = group.folder / name
        self.folder.mkdir()
        own(self.folder)
        self.process: subprocess.Popen | None = None

    def write_config(self) -> None:
        etcd = f"127.0.0.1:{self.etcd_wire.port}" if self.etcd_wire else f"{namespaces.MIDDLE}:{self.group.etcd_port}"
        network = namespaces.EVERYTHING if self.place else "127.0.0.1/32"
        access = ["local all all trust", *(f"host {what} all {who} trust" for what in ("all", "replication") for who in {network, "127.0.0.1/32"})]
        # Whoever was stopped finds what was written meanwhile: its slot goes when its key in etcd does.
        parameters = {"unix_socket_directories": str(self.folder), "shared_buffers": "64MB", "max_connections": 100, "wal_keep_size": "4GB"}
        config = {
            "scope": "rs", "name": self.name,
            "restapi": {"listen": f"{self.host}:{self.rest_port}", "connect_address": f"{self.host}:{self.rest_port}"},
            "etcd3": {"hosts": [etcd], "use_proxies": True},  # this way, and no other
            "bootstrap": {
                "dcs": {"ttl": TTL_SECONDS, "loop_wait": 2, "retry_timeout": 3, "synchronous_mode": True, "synchronous_mode_strict": True,
                        "maximum_lag_on_failover": 1048576,
                        "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": {"wal_log_hints": "on", "hot_standby": "on"}}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
                "pg_hba": access},
            "postgresql": {
                "listen": f"{self.host}:{self.port}", "connect_address": f"{self.host}:{self.port}", "data_dir": str(self.folder / "data"),
                "bin_dir": str(binaries()), "pgpass": str(self.folder / "pgpass"), "parameters": parameters,
                "pg_hba": access,
                "authentication": {"superuser": {"username": "postgres", "password": "x"}, "replication": {"username": "replicator", "password": "x"},
                                   "rewind": {"username": "rewinder", "password": "x"}}},
        }
        path = self.folder / "patroni.json"  # JSON is YAML
        path.write_text(json.dumps(config))
        own(path)

    def start(self) -> None:
        self.write_config()
        with open(self.folder / "patroni.log", "ab") as log:
            within = self.place.within if self.place else []
            self.process = subprocess.Popen([*within, *as_server_user(), "/usr/bin/patroni", str(self.folder / "patroni.json")], stdout=log, stderr=log,
                                            cwd=self.folder, start_new_session=True)

    def pids(self) -> list[int]:
        """Of Patroni and of everything below it; PostgreSQL's postmaster is a group of its own."""
        found = [self.process.pid] if self.process else []
        pidfile = self.folder / "data" / "postmaster.pid"
        if pidfile.exists():
            postmaster = int(pidfile.read_text().split()[0])
            found.append(postmaster)
            found += [int(child) for child in subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True, check=False).stdout.split()]
        return found

    def send(self, what: signal.Signals) -> None:
        for pid in self.pids():
            try:
                os.kill(pid, what)
            except ProcessLookupError:
                pass

    def kill(self) -> None:
        """As if the machine had lost its power (but for the page cache)."""
        self.send(signal.SIGKILL)
        if self.process:
            self.process.wait()
            self.process = None

    def kill_patroni(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = None

    def cut_from_etcd(self, one_way: bool) -> None:
        """Clients and standbys still reach it. One way: what it says arrives, and no answer."""
        if self.place:
            self.place.cut_from(namespaces.MIDDLE, outward=not one_way, port=self.group.etcd_port)
        else:
            self.etcd_wire.cut(to_server=not one_way)

    def cut_off(self) -> None:
        """From everything, as if its network port had died: its clients hear nothing, not even an end. Only with a namespace."""
        self.place.cut_from("")

    def heal(self) -> None:
        (self.place or self.etcd_wire).heal()

    def ask(self, path: str) -> dict:
        """What its Patroni says; nothing for one that does not answer."""
        try:
            connection = http.client.HTTPConnection(self.host, self.rest_port, timeout=1)
            connection.request("GET", path)
            said = json.loads(connection.getresponse().read())
            connection.close()
            return said
        except (OSError, http.client.HTTPException, ValueError):
            return {}

    def make_anew(self) -> None:
        connection = http.client.HTTPConnection(self.host, self.rest_port, timeout=20)
        connection.request("POST", "/reinitialize", json.dumps({"force": True}), {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()

    def last_words(self, lines: int = 40) -> str:
        """The end of its log, without what it says again and again."""
        chorus = ("no action. I am", "Lock owner:", "starting up", "Retry got exception", "Failed to determine PostgreSQL state")
        said = [line for line in (self.folder / "patroni.log").read_text(errors="replace").splitlines() if not any(words in line for words in chorus)]
        return "\n    ".join(said[-lines:])

    def role(self) -> str:
        """primary, replica, or nothing for one that does not answer."""
        state = self.ask("/patroni")
        if state.get("state") != "running":
            return ""
        return "primary" if state.get("role") in ("master", "primary") else "replica"


class Group:
    """with Group(folder) as group: … group.primary()"""

    def __init__(self, folder: pathlib.Path, network: "namespaces.Network | None") -> None:
        self.folder, self.network = folder, network
        own(folder)
        self.etcd_port, self.etcd_peer_port = free_port(), free_port()
        self.etcd: subprocess.Popen | None = None
        self.nodes: list[Node] = []
        self.made_anew = 0

    def __enter__(self) -> "Group":
        client = f"http://{namespaces.MIDDLE if self.network else '127.0.0.1'}:{self.etcd_port}"
        peer = f"http://127.0.0.1:{self.etcd_peer_port}"
        with open(self.folder / "etcd.log", "ab") as log:
            self.etcd = subprocess.Popen(
                [etcd_binary(), "--name", "e", "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
                 "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"e={peer}", "--unsafe-no-fsync"],
                stdout=log, stderr=log)
        self.nodes = [Node(self, f"n{i}") for i in range(3)]
        self.nodes[0].start()
        wait_until("the first node is primary", lambda: self.nodes[0].role() == "primary")
        for node in self.nodes[1:]:
            node.start()
        self.wait_whole()
        return self

    def __exit__(self, *_) -> None:
        for node in self.nodes:
            node.send(signal.SIGCONT)
            node.kill()
            if node.etcd_wire:
                node.etcd_wire.end()
        if self.etcd:
            self.etcd.kill()
            self.etcd.wait()

    def primary(self) -> Node | None:
        found = [node for node in self.nodes if node.role() == "primary"]
        return found[0] if len(found) == 1 else None

    def synchronous_standby(self) -> Node | None:
        """Whom commits wait for, as the server says and etcd knows: who is not on record there will not be promoted."""
        primary = self.primary()
        if not primary:
            return None
        name = query(primary, "SELECT application_name FROM pg_stat_replication WHERE sync_state = 'sync' LIMIT 1")
        on_record = {member["name"] for member in primary.ask("/cluster").get("members", []) if member["role"] == "sync_standby"}
        return next((node for node in self.nodes if node.name == name and name in on_record), None)

    def wait_whole(self) -> None:
        """A primary, two replicas, and commits that wait for one of them."""
        def all_run() -> bool:
            return sorted(node.role() for node in self.nodes) == ["primary", "replica", "replica"]

        try:
            wait_until("three nodes run", all_run, 60)
        except RuntimeError:
            # A standby that nobody waits for may have received more of the lost primary than the one that leads now. Debian's Patroni 3.0.2 does
            # not wind it back while it is in recovery; it is made anew, as whoever operates it would do.
            for node in self.nodes:
                if not node.role():
                    node.make_anew()
                    self.made_anew += 1
            wait_until("three nodes run", all_run, 300)
        wait_until("a standby is synchronous", lambda: self.synchronous_standby() is not None, 60)

    def switch_over(self) -> None:
        primary, standby = self.primary(), self.synchronous_standby()
        connection = http.client.HTTPConnection(primary.host, primary.rest_port, timeout=60)
        connection.request("POST", "/switchover", json.dumps({"leader": primary.name, "candidate": standby.name}), {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()


def query(node: Node, sql: str) -> str:
    run = subprocess.run([binaries() / "psql", "-X", "-A", "-t", "-c", sql, f"host={node.host} port={node.port} user=postgres dbname=postgres connect_timeout=2"],
                         capture_output=True, text=True, check=False, timeout=20)
    return run.stdout.strip()


def own(path: pathlib.Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(path, user.pw_uid, user.pw_gid)
        if path.is_dir():
            path.chmod(0o755)


