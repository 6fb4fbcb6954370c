"""Several instances of the server that share one PostgreSQL, behind haproxy."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "crash"), str(HERE.parent / "postgres")]

from service import Service, free_ports  # noqa: E402

SHARED_KEYS = ("master.key", "audit.key", "admin.key")


class Instance(Service):
    """One of several: it has a directory of its own, and the keys and the database of the others."""

    def __init__(self, binary: pathlib.Path, directory: pathlib.Path, store: str, standby: bool = False) -> None:
        directory.mkdir()
        super().__init__(binary, directory)
        settings = f'[server]\nstore = "postgres:{store}"\nstore_standby = {str(standby).lower()}\n'
        self.config.write_text(self.config.read_text().replace("[server]\n", settings))

    def take_keys(self, first: "Instance") -> None:
        self.data_directory.mkdir(mode=0o700, exist_ok=True)
        for name in SHARED_KEYS:
            if (first.data_directory / name).exists():
                shutil.copy2(first.data_directory / name, self.data_directory / name)

    def api(self, path: str, method: str = "GET", body: dict | None = None) -> dict:
        """A 503 says to try again, and so it is done."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return super().api(path, method, body)
            except RuntimeError as error:
                if ": 503 " not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def verify(self) -> list[str]:
        """`verify --rebuild` (S1)."""
        run = subprocess.run([str(self.binary), "verify", "--rebuild", "--config", str(self.config)], capture_output=True, text=True,
                             timeout=600, check=False)
        return [] if run.returncode == 0 else [f"verify --rebuild ended with {run.returncode}: {(run.stdout + run.stderr)[-500:]}"]


class Balancer:
    """haproxy: one public port for all instances, asking each one's /readyz."""

    def __init__(self, directory: pathlib.Path, instances: list[Instance]) -> None:
        [self.public_port] = free_ports(1)
        self.config = directory / "haproxy.cfg"
        servers = "".join(f"  server i{i} 127.0.0.1:{one.public_port} check port {one.private_port}\n" for i, one in enumerate(instances))
        self.config.write_text(
            "global\n  maxconn 2000\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 30s\n  timeout server 11s\n"
            "  timeout check 1s\n  option redispatch\n  retries 3\n"
            f"frontend public\n  bind 127.0.0.1:{self.public_port}\n  default_backend instances\n"
            "backend instances\n  balance roundrobin\n  option httpchk GET /readyz\n  http-check expect status 200\n"
            f"  default-server inter 300 fall 2 rise 1\n{servers}")
        self.process = subprocess.Popen([haproxy(), "-db", "-f", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def haproxy() -> str:
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    return found or sys.exit("skipped: no haproxy")


def wait_until(what: str, condition, patience_seconds: float = 60) -> float:
    """How long it took, in seconds."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > patience_seconds:
            raise RuntimeError(f"{what}: not within {patience_seconds} s")
        time.sleep(0.05)
    return time.monotonic() - started


def told(broken: list[str], place: pathlib.Path, keep: bool) -> int:
    """Says how a trial ended, and keeps its directory only if that is wanted and worth it. The exit code."""
    print("ok" if not broken else "FAILED")
    for line in broken:
        print(f"    {line}")
    if keep and broken:
        print(f"    kept: {place}")
    else:
        shutil.rmtree(place, ignore_errors=True)
    return 1 if broken else 0


def acknowledges(ledger) -> float:
    """How long until the next event is acknowledged: the outage, as the network sees it."""
    before = len(ledger.acknowledged)
    return wait_until("an event is acknowledged", lambda: len(ledger.acknowledged) > before, 90)
