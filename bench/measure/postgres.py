"""The servers that are measured on PostgreSQL: each on a fresh private cluster of the same settings, on the disk that is measured."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import ClassVar

from measure.servers import BENCH, PEER_PYTHON, Resultsync, Running, free_port, spawn

sys.path.insert(0, str(BENCH.parent / "tests" / "postgres"))

from cluster import Cluster, as_server_user, binaries  # noqa: E402

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}
# For tables larger than memory on a machine of 16 GB or more that does nothing else. Commits are as durable as ever.
LARGE = {"shared_buffers": "4GB", "effective_cache_size": "12GB", "maintenance_work_mem": "512MB", "random_page_cost": "1.1",
         "autovacuum_naptime": "15s"}


@dataclasses.dataclass
class OnPostgres:
    """Starts the cluster with the server, and ends it with it."""

    more_settings: ClassVar[dict[str, str]] = {}  # of the cluster

    def cluster(self, directory: pathlib.Path) -> Cluster:
        directory.chmod(0o755)
        made = Cluster({**SETTINGS, **self.more_settings}, tcp=True, parent=directory)
        made.create()
        made.start()
        return made

    @staticmethod
    def uri(cluster: Cluster) -> str:
        return f"postgresql://postgres@127.0.0.1:{cluster.port}/postgres"

    @staticmethod
    def ending_with(running: Running, cluster: Cluster) -> Running:
        running.cluster = cluster
        stop = running.stop

        def stop_both() -> int:
            try:
                return stop()
            finally:
                cluster.stop("fast")

        running.stop = stop_both
        return running

    def stored(self, running: Running) -> int:
        return int(running.cluster.query("SELECT count(*) FROM events"))


@dataclasses.dataclass
class ResultsyncOnPostgres(OnPostgres, Resultsync):
    def start(self, directory: pathlib.Path, secret: pathlib.Path) -> Running:
        cluster = self.cluster(directory)
        os.environ["RESULTSYNC_SERVER_STORE"] = "postgres:" + cluster.conninfo
        try:
            return self.ending_with(Resultsync.start(self, directory, secret), cluster)
        finally:
            del os.environ["RESULTSYNC_SERVER_STORE"]

    def stored(self, running: Running) -> int:
        """Rows that are committed, as the peers are asked; what becomes of them, the run through to the feed compares."""
        return int(running.cluster.query("SELECT coalesce(sum(records), 0)::bigint FROM resultsync.log_records"))


@dataclasses.dataclass
class TwoResultsyncsOnPostgres(ResultsyncOnPostgres):
    """Two instances on one database, each with half of the connections."""

    def start(self, directory: pathlib.Path, secret: pathlib.Path) -> Running:
        first = super().start(directory, secret)
        place = directory / "second"
        (place / "data").mkdir(parents=True)
        for key in ("master.key", "audit.key", "admin.key"):
            shutil.copy(directory / "data" / key, place / "data" / key)
        os.environ["RESULTSYNC_SERVER_STORE"] = "postgres:" + first.cluster.conninfo
        try:
            second = Resultsync.start(self, place, secret)
        except BaseException:
            first.stop()
            raise
        finally:
            del os.environ["RESULTSYNC_SERVER_STORE"]
        return Both(first, second)


class Both(Running):
    """What is measured of two is their sum."""

    def __init__(self, first: Running, second: Running) -> None:
        super().__init__(first.process, first.port, first.directory, first.private_port, (second.port,))
        self.cluster, self.each = first.cluster, (first, second)

    def cpu_seconds(self) -> float:
        return sum(one.cpu_seconds() for one in self.each)

    def rss_mb(self) -> float:
        return sum(one.rss_mb() for one in self.each)

    def rss_peak_mb(self) -> float:
        return sum(one.rss_peak_mb() for one in self.each)

    def stop(self) -> int:
        try:
            self.each[1].stop()
        finally:
            ended = self.each[0].stop()  # and the cluster
        return ended


@dataclasses.dataclass
class FastApiOnPostgres(OnPostgres):
    name: str

    def start(self, directory: pathlib.Path, secret: pathlib.Path) -> Running:
        cluster, port = self.cluster(directory), free_port()
        command = [PEER_PYTHON, "-m", "uvicorn", "fastapi_asyncpg:app", "--app-dir", str(BENCH / "peers"), "--port", str(port), "--loop", "uvloop",
                   "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        running = Running(spawn(command, directory, {"SECRET_FILE": str(secret), "DATABASE": self.uri(cluster), "PYTHONDONTWRITEBYTECODE": "1"}), port,
                          directory)
        running.wait_until(running.accepts)
        return self.ending_with(running, cluster)


@dataclasses.dataclass
class FastifyOnPostgres(OnPostgres):
    name: str
    batch_ms: int
    binary: pathlib.Path = BENCH / "peers" / "fastify_pg" / "node_modules" / "fastify" / "package.json"

    def start(self, directory: pathlib.Path, secret: pathlib.Path) -> Running:
        cluster, port = self.cluster(directory), free_port()
        environment = {"SECRET_FILE": str(secret), "DATABASE": self.uri(cluster), "PORT": str(port), "BATCH_MS": str(self.batch_ms), "WORKERS": "2"}
        running = Running(spawn([shutil.which("node") or "node", str(BENCH / "peers" / "fastify_pg" / "server.mjs")], directory, environment), port,
                          directory)
        running.wait_until(running.accepts)
        return self.ending_with(running, cluster)


def pgbench_inserts(directory: pathlib.Path, seconds: float, clients: int) -> float:
    """What the database does by itself: one-row commits of 2.8 kB, a second."""
    made = OnPostgres().cluster(directory)
    try:
        made.query("CREATE TABLE events (id BIGSERIAL PRIMARY KEY, type TEXT NOT NULL, body TEXT NOT NULL)")
        script = made.folder / "insert.sql"
        script.write_text("INSERT INTO events (type, body) VALUES ('order.new_result', repeat(md5(random()::text), 88));\n")
        script.chmod(0o644)
        run = subprocess.run([*as_server_user(), binaries() / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(int(seconds)),
                              "-f", script, "-h", "127.0.0.1", "-p", str(made.port), "-U", "postgres", "postgres"], capture_output=True, text=True,
                             check=True)
        return float(re.search(r"tps = ([0-9.]+) \(without", run.stdout).group(1))
    finally:
        made.stop("fast")


def servers_on_postgres(build: pathlib.Path) -> list:
    return [
        ResultsyncOnPostgres("(a) resultsync", build / "resultsync"),
        TwoResultsyncsOnPostgres("(e) resultsync x2", build / "resultsync"),
        FastApiOnPostgres("(b) FastAPI, asyncpg"),
        FastifyOnPostgres("(c) fastify x2, pg", 0),
        FastifyOnPostgres("(d) fastify x2, 2 ms", 2),
    ]
