"""Runs the load generator against a started server, and the directories and secrets that a run needs."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import tempfile

from measure.servers import Running


def run_loadgen(loadgen: pathlib.Path, running: Running, secret: pathlib.Path, options: list[str]) -> tuple[dict, float]:
    """The generator's report, and the CPU seconds that it took."""
    ports = [option for port in (running.port, *running.other_ports) for option in ("--port", str(port))]
    command = [str(loadgen), *ports, "--secret-file", str(secret), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"loadgen ended with {process.returncode}; the server says: {running.log_tail()}")
    return json.loads(text), usage.ru_utime + usage.ru_stime


class FreshDirectory(tempfile.TemporaryDirectory):
    def __enter__(self) -> pathlib.Path:
        return pathlib.Path(super().__enter__())


def fresh_directory(directory: pathlib.Path) -> FreshDirectory:
    directory.mkdir(parents=True, exist_ok=True)
    os.sync()  # the write-back of the run before belongs to that run
    return FreshDirectory(dir=directory, prefix="run-")


def write_secret(place: pathlib.Path) -> pathlib.Path:
    secret = place / "signing.secret"
    secret.touch(mode=0o600)
    secret.write_text("whsec_" + os.urandom(24).hex())
    return secret
