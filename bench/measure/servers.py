"""The servers that are measured: how each is started on a fresh directory, asked what it stored, and stopped."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.parse

BENCH = pathlib.Path(__file__).resolve().parent.parent
START_PATIENCE_SECONDS = 120
PEER_PYTHON = "/usr/bin/python3"  # Debian's, which sees Debian's fastapi and uvicorn
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port: int, path: str, headers: dict[str, str] | None = None, timeout: float = 60) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@dataclasses.dataclass
class Running:
    """One started server."""

    process: subprocess.Popen
    port: int
    directory: pathlib.Path
    private_port: int = 0
    other_ports: tuple[int, ...] = ()  # of further instances, among which the load is divided

    def cpu_seconds(self) -> float:
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def rss_mb(self) -> float:
        return int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6

    def rss_peak_mb(self) -> float:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024 / 1e6

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError("the server did not stop within 30 s of SIGTERM")

    def wait_until(self, ready, patience_seconds: float = START_PATIENCE_SECONDS, pause_seconds: float = 0.002) -> None:
        """Until `ready` answers true. Raises if the server ends instead, or takes too long."""
        deadline = time.monotonic() + patience_seconds
        while not self.answers(ready):
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.log_tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server was not ready within {patience_seconds} s: {self.log_tail()}")
            time.sleep(pause_seconds)

    def answers(self, ready) -> bool:
        try:
            return ready()
        except (OSError, http.client.HTTPException):  # not listening yet, or no more
            return False

    def log_tail(self) -> str:
        return (self.directory / "server.log").read_text(errors="replace")[-2000:]

    def accepts(self, port: int | None = None) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port or self.port), timeout=1).close()
            return True
        except OSError:
            return False


def spawn(command: list[str], directory: pathlib.Path, environment: dict[str, str] | None = None) -> subprocess.Popen:
    with open(directory / "server.log", "ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(environment or {})}, cwd=directory)


@dataclasses.dataclass
class FastApi:
    """One of the peers, under Debian's uvicorn with uvloop and httptools, one worker, no access log."""

    name: str
    module: str

    def start(self, directory: pathlib.Path, secret: pathlib.Path) -> Running:
        port = free_port()
        command = [PEER_PYTHON, "-m", "uvicorn", f"{self.module}:app", "--app-dir", str(BENCH / "peers"), "--port", str(port),
                   "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        environment = {"SECRET_FILE": str(secret), "DATABASE": str(directory / "events.db"), "PYTHONDONTWRITEBYTECODE": "1"}
        running = Running(spawn(command, directory, environment), port, directory)
        running.wait_until(running.accepts)
        return running

    def stored(self, running: Running) -> int:
        database = sqlite3.connect(f"file:{running.directory / 'events.db'}?mode=ro", uri=True)
        try:
            return database.execute("SELECT count(*) FROM events").fetchone()[0]
        finally:
            database.close()


@dataclasses.dataclass
class Resultsync:
    """The product, as anybody would start it; `settings` are further lines of its configuration."""

    name: str
    binary: pathlib.Path
    settings: str = ""

    def start(self, directory: pathlib.Path, secret: pathlib.Path) -> Running:
        config = directory / "resultsync.toml"
        if config.exists():
            port, private_port = (int(found) for found in re.findall(r"127\.0\.0\.1:(\d+)", config.read_text()))
        else:
            port, private_port = free_port(), free_port()
            config.write_text(f'[server]\npublic = "127.0.0.1:{port}"\nprivate = "127.0.0.1:{private_port}"\ndata_dir = "data"\n\n'
                              f'[sources.rupa]\nvendor = "rupa"\npath = "/webhook"\nsecrets = ["file:{secret}"]\n'
                              f'signature = "t-v1"\nheader = "Rupa-Signature"\n\n{self.settings}\n')
        process = spawn([str(self.binary), "serve", "--config", str(config)], directory)
        running = Running(process, port, directory, private_port)
        running.wait_until(lambda: get(running.private_port, "/readyz", timeout=1)[0] == 200)
        return running

    def api(self, running: Running, path: str, method: str = "GET", body: dict | None = None) -> dict:
        key = (running.directory / "data" / "admin.key").read_text().strip()
        connection = http.client.HTTPConnection("127.0.0.1", running.private_port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status // 100 != 2:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text else {}

    def pages(self, running: Running, path: str, limit: int = 1000):
        """Every item of a listing, page by page."""
        after = ""
        separator = "&" if "?" in path else "?"
        while True:
            page = self.api(running, f"{path}{separator}limit={limit}" + (f"&after={urllib.parse.quote(after)}" if after else ""))
            yield from page["items"]
            if not page["items"] or not page.get("next") or page["next"] == after:
                return
            after = page["next"]

    def metric(self, running: Running, name: str) -> float | None:
        _, text = get(running.private_port, "/metrics")
        values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text.decode(), re.MULTILINE)
        return sum(map(float, values)) if values else None

    def wait_until_synced(self, running: Running, patience_seconds: float = 600) -> None:
        """Until the views have all that is in the log. Asks seldom, and what is cheap to answer first: it must not slow what it waits for."""
        running.wait_until(lambda: self.metric(running, "resultsync_sync_lag_records") == 0 and self.lag(running) == 0, patience_seconds,
                           pause_seconds=0.05)

    def lag(self, running: Running) -> int:
        return self.api(running, "/v1/status")["log"]["lag_records"]

    def connect(self, running: Running, practitioner: str, clinic: str) -> None:
        self.api(running, f"/v1/practitioners/{practitioner}", "PUT", {"clinic_id": clinic, "source": "rupa"})

    def stored(self, running: Running) -> int:
        """Events in the product's own listing, once all that is in the log has come through."""
        self.wait_until_synced(running)
        ids = [item["id"] for item in self.pages(running, "/v1/events")]
        if len(ids) != len(set(ids)):
            raise RuntimeError("an event stands twice in /v1/events")
        return len(ids)


@dataclasses.dataclass
class Ceiling:
    """resultsync's own listener and verification with a log that commits nothing: what the store costs is the difference."""

    name: str
    binary: pathlib.Path

    def start(self, directory: pathlib.Path, secret: pathlib.Path) -> Running:
        port = free_port()
        running = Running(spawn([str(self.binary), "--port", str(port), "--secret-file", str(secret)], directory), port, directory)
        running.wait_until(running.accepts)
        return running

    def stored(self, running: Running) -> int | None:
        return None  # by intention
