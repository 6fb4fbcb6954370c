"""The server under test as an operator would have it: one directory, one config, started and killed again and again."""

from __future__ import annotations

import dataclasses
import http.client
import json
import pathlib
import signal
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Sequence

SECRET = "whsec_crash_test_0123456789abcdef"
READY_PATIENCE_SECONDS = 60
SYNC_PATIENCE_SECONDS = 120


@dataclasses.dataclass(frozen=True)
class Door:
    """Where an API is, and the key to it."""

    port: int
    key: str


class Service:
    """`start` and `kill` may alternate for ever; ports, directory and secret stay."""

    def __init__(self, binary: pathlib.Path, directory: pathlib.Path) -> None:
        self.binary = binary
        self.directory = directory
        self.public_port, self.private_port = free_ports(2)
        self.process: subprocess.Popen | None = None
        secret = directory / "signing.secret"
        secret.touch(mode=0o600)
        secret.write_text(SECRET)
        self.config = directory / "resultsync.toml"
        self.config.write_text(
            f'[server]\npublic = "127.0.0.1:{self.public_port}"\nprivate = "127.0.0.1:{self.private_port}"\n'
            f'data_dir = "{self.data_directory}"\n\n[sources.rupa]\nvendor = "rupa"\npath = "/webhook"\n'
            f'secrets = ["file:{secret}"]\nsignature = "t-v1"\nheader = "Rupa-Signature"\n')

    @property
    def data_directory(self) -> pathlib.Path:
        return self.directory / "data"

    def spawn(self, wrapper: Sequence[str] = ()) -> None:
        with open(self.directory / "server.log", "ab") as log:
            self.process = subprocess.Popen([*wrapper, str(self.binary), "serve", "--config", str(self.config)],
                                            stdout=log, stderr=log, cwd=self.directory)

    def start(self) -> None:
        """Spawns, and waits for /readyz. Raises RuntimeError if the server ends or is not ready in time."""
        self.spawn()
        if not self.wait_ready():
            raise RuntimeError(f"the server ended with {self.process.returncode} instead of becoming ready: {self.log_tail()}")

    def wait_ready(self, patience_seconds: float = READY_PATIENCE_SECONDS) -> bool:
        """True once /readyz answers 200, False if the process ended first."""
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            if self.is_ready():
                return True
            time.sleep(0.005)
        raise RuntimeError(f"not ready within {patience_seconds} s: {self.log_tail()}")

    def is_ready(self) -> bool:
        try:
            return self.get_private("/readyz", timeout=1)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code. Kills what does not stop."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError("the server did not stop within 20 s of SIGTERM (P2)")

    def ensure_dead(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def log_tail(self) -> str:
        return (self.directory / "server.log").read_text(errors="replace")[-1500:]

    # The private listener.

    def get_private(self, path: str, timeout: float = 30, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        return exchange(self.private_port, "GET", path, None, headers or {}, timeout)

    def request(self, method: str, path: str, body: dict | None = None) -> tuple[int, bytes]:
        return exchange(self.private_port, method, path, json.dumps(body) if body is not None else None,
                        {**self.bearer(), "Content-Type": "application/json"}, 30)

    def api(self, path: str, method: str = "GET", body: dict | None = None) -> dict:
        status, text = self.request(method, path, body)
        if status // 100 != 2:
            raise RuntimeError(f"{method} {path}: {status} {text[:300]!r}")
        return json.loads(text) if text else {}

    def bearer(self) -> dict[str, str]:
        return {"Authorization": "Bearer " + (self.data_directory / "admin.key").read_text().strip()}

    @property
    def door(self) -> Door:
        return Door(self.private_port, (self.data_directory / "admin.key").read_text().strip())

    def connect(self, practitioner: str, clinic: str) -> None:
        self.api(f"/v1/practitioners/{practitioner}", "PUT", {"clinic_id": clinic, "source": "rupa"})

    def items(self, path: str, limit: int = 1000):
        """Every item of a listing, page by page, until a page brings nothing."""
        after, separator = "", "&" if "?" in path else "?"
        while True:
            page = self.api(f"{path}{separator}limit={limit}" + (f"&after={urllib.parse.quote(after)}" if after else ""))
            yield from page["items"]
            if not page["items"] or not page.get("next") or page["next"] == after:
                return
            after = page["next"]

    def wait_synced(self) -> None:
        """Until the views have everything that is in the log, and whoever was connected what was there before (P1)."""
        deadline = time.monotonic() + SYNC_PATIENCE_SECONDS
        while (status := self.api("/v1/status"))["log"]["lag_records"] > 0 or status["backfills"]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the views have not caught up within {SYNC_PATIENCE_SECONDS} s (P1)")
            time.sleep(0.02)


def exchange(port: int, method: str, path: str, body: str | None, headers: dict[str, str], timeout: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


_given: set[int] = set()  # to somebody who may not listen yet


def free_ports(count: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            ports.append(port)
    return ports
