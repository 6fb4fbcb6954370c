"""Faults at system calls: strace counts the calls of each thread and kills the process, or has a call fail, at the K-th.

A failed call returns late (`delay_exit`), so that whatever had been committed before it has long been answered: an acknowledgement
that arrives after the failure of the log's own write or sync was given without a commit.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import oracle
from readers import Reader
from senders import PRACTITIONERS, Senders
from service import Service

NOT_REACHED = "not reached"
PREPARE_SECONDS = 0.15        # of load before the crash that precedes each case
LOAD_SECONDS = 1.0            # under load after ready, if the fault does not come before
STOP_PATIENCE_SECONDS = 15    # for the process to end itself after a store failure
DELAY_SECONDS = 0.3           # of the failing call
GRACE_SECONDS = 0.2           # for answers on their way when the call failed; less than the delay

STARTING = "starting"         # strace runs the server: recovery, the rewritten tail, the views' opening
SERVING = "serving"           # strace is attached once it is ready: the way to the acknowledgement, sync, new segments

VIEWS = "views"               # as serving, and only calls on the views' files count: the way from the log to the feeds

AUDIT = "audit"               # as serving, while somebody reads, and only calls on the audit log's files count: the way to the answer

FILES = {VIEWS: ["views.db", "views.db-wal"], AUDIT: ["audit.db", "audit.db-wal"]}
KILL_AT = {
    STARTING: ["openat", "pwrite64", "write", "fdatasync", "fsync", "rename", "renameat", "renameat2", "ftruncate", "fallocate", "unlink"],
    SERVING: ["pwrite64", "pwritev", "write", "fdatasync", "fsync", "openat", "rename", "ftruncate", "fallocate", "unlink",
              "sendto", "sendmsg", "writev"],
    VIEWS: ["pwrite64", "fdatasync"],
    AUDIT: ["pwrite64", "fdatasync"],
}
FAIL_AT = {STARTING: ["pwrite64", "fdatasync", "fsync"], SERVING: ["pwrite64", "pwritev", "fdatasync", "fsync"], VIEWS: ["pwrite64", "fdatasync"],
           AUDIT: ["pwrite64", "fdatasync"]}
ERRORS = ["EIO", "ENOSPC"]


@dataclasses.dataclass(frozen=True)
class Case:
    phase: str
    call: str
    fault: str   # "SIGKILL", "EIO", "ENOSPC"
    place: int   # the how many-th call of a thread, counted from the start of strace
    on: bool     # that one and all later ones

    @property
    def name(self) -> str:
        return f"{self.phase}: {self.fault} at {self.call} {self.when}"

    @property
    def when(self) -> str:
        return f"{self.place}+" if self.on else f"{self.place}"

    @property
    def kills(self) -> bool:
        return self.fault == "SIGKILL"

    def strace(self, log: pathlib.Path, data_directory: pathlib.Path) -> list[str]:
        fault = ["signal=SIGKILL"] if self.kills else [f"error={self.fault}", f"delay_exit={int(DELAY_SECONDS * 1e6)}"]
        options = [] if self.kills else ["--seccomp-bpf"]  # with it strace 6.1 is much faster, and forgets to inject signals
        options += [option for file in FILES.get(self.phase, []) for option in ("-P", str(data_directory / file))]
        return [*STRACE, *options, "-o", str(log), "-e", f"trace={self.call}",
                "-e", ":".join([f"inject={self.call}", *fault, f"when={self.when}"])]


# Where strace starts the server, -D is added: the server stays our own child, so that its exit code is ours to see.
STRACE = ["strace", "-f", "-ttt", "-y", "-s", "0", "-e", "signal=none"]


@dataclasses.dataclass(frozen=True)
class Injected:
    moment: float
    text: str

    @property
    def in_event_log(self) -> bool:
        return "/data/log/" in self.text


def run_injections(arguments: argparse.Namespace) -> list[bool]:
    if not strace_injects():
        print("skipped: no strace injection (ptrace is not allowed here)")
        return [True]
    results = []
    unreached: set[tuple] = set()  # where a thread does not come to the K-th call, none comes to a later one
    for index, case in enumerate(all_cases(arguments)):
        kind = (case.phase, case.call, case.fault, case.on)
        if kind in unreached or (arguments.only and arguments.only not in case.name):
            continue
        held, reached = run_case(case, arguments, seed=arguments.seed * 1000 + index)
        results.append(held)
        if not reached and case.phase != STARTING:
            unreached.add(kind)
    return results


def strace_injects() -> bool:
    run = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO", "true"],
                         capture_output=True)
    return run.returncode == 0


def all_cases(arguments: argparse.Namespace):
    """The first calls of each kind; while starting, of those that touch the data directory."""
    for phase in (STARTING, SERVING, VIEWS, AUDIT):
        for call in dict.fromkeys(KILL_AT[phase] + FAIL_AT[phase]):
            places = starting_places(call, arguments) if phase == STARTING else range(1, arguments.depth + 1)
            for place in list(places)[: arguments.depth]:
                if call in KILL_AT[phase]:
                    yield Case(phase, call, "SIGKILL", place, on=False)
                if call in FAIL_AT[phase]:
                    yield from (Case(phase, call, error, place, on) for error in ERRORS for on in (False, True))


def starting_places(call: str, arguments: argparse.Namespace) -> list[int]:
    """Which of a thread's calls touch the data directory while the server starts after a crash, seen in a run without faults."""
    with tempfile.TemporaryDirectory(prefix="inject-", dir=arguments.directory) as name:
        place = pathlib.Path(name)
        service = Service(arguments.server, place)
        senders = Senders(service, seed=0)
        try:
            prepare(service, senders)
            log = place / "strace.log"
            service.spawn([*STRACE, "-D", "-o", str(log), "-e", f"trace={call}"])
            service.wait_ready()
        finally:
            senders.end()
            service.ensure_dead()
        seen: dict[str, int] = {}
        places = set()
        for line in log.read_text(errors="replace").splitlines():
            pid, _, text = line.split(maxsplit=2)
            if text.startswith(call + "("):
                seen[pid] = seen.get(pid, 0) + 1
                if str(service.data_directory) in text:
                    places.add(seen[pid])
        return sorted(places)


def prepare(service: Service, senders: Senders) -> None:
    """A server with practitioners and some events that was killed: what recovery meets."""
    service.start()
    for practitioner, clinic in PRACTITIONERS.items():
        service.connect(practitioner, clinic)
    senders.go()
    time.sleep(PREPARE_SECONDS)
    service.kill()
    senders.rest()


def run_case(case: Case, arguments: argparse.Namespace, seed: int) -> tuple[bool, bool]:
    """Whether every promise held, and whether the fault came."""
    with tempfile.TemporaryDirectory(prefix="inject-", dir=arguments.directory) as name:
        place = pathlib.Path(name)
        service = Service(arguments.server, place)
        senders = Senders(service, seed)
        reader = Reader(service) if case.phase == AUDIT else None
        outcome, broken = NOT_REACHED, []
        try:
            prepare(service, senders)
            outcome, broken = endure(case, service, [senders, *([reader] if reader else [])], place / "strace.log")
            service.start()
            broken += oracle.everything_holds(service, senders.ledger)
            if reader:
                broken += oracle.reads_are_on_record(service, reader.answered)
            service.stop()
            broken += oracle.rebuild_is_clean(service)
            broken += oracle.audit_is_sound(service)
        except RuntimeError as error:
            broken.append(str(error))
        finally:
            senders.end()
            if reader:
                reader.end()
            service.ensure_dead()
        answered = f", {len(reader.answered)} answered" if reader else ""
        print(f"{'ok    ' if not broken else 'FAILED'}  {case.name:36} {outcome}, {len(senders.ledger.acknowledged)} acknowledged{answered}", flush=True)
        for line in broken:
            print(f"    {line}")
        if broken and arguments.keep:
            kept = pathlib.Path(tempfile.mkdtemp(prefix="kept-", dir=arguments.directory))
            place.rename(kept / "case")
            place.mkdir()
            print(f"    kept: {kept}")
    return not broken, outcome != NOT_REACHED


def endure(case: Case, service: Service, load: list[Senders | Reader], log: pathlib.Path) -> tuple[str, list[str]]:
    """Runs the server under the fault and load. What happened, and which promises that broke."""
    tracer = None
    if case.phase == STARTING:
        service.spawn([*case.strace(log, service.data_directory), "-D"])
        ready = service.wait_ready()
    else:
        service.start()
        ready = True
        tracer = attach(case.strace(log, service.data_directory), service)
    if ready:
        for one in load:
            one.go()
        deadline = time.monotonic() + LOAD_SECONDS
        while service.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if service.process.poll() is None and not case.kills and injections(log):
            wait_for_end(service)
        for one in load:
            one.rest()
    if tracer is not None:
        tracer.terminate()  # lets go of the server, if that still lives
        tracer.wait()
    hits = injections(log)
    code = service.process.poll()
    if case.kills and code == -signal.SIGKILL:
        return "killed", []
    if hits:
        return failure_holds(case, service, load[0].ledger, hits, code)
    if code is not None:
        return NOT_REACHED, [f"the server ended with {code} by itself: {service.log_tail()}"]
    service.stop()
    return NOT_REACHED, []


def attach(strace: list[str], service: Service) -> subprocess.Popen:
    """Returns when every thread of the server is traced, or the fault has already ended it: it may come during attaching."""
    strace = [option for option in strace if option != "--seccomp-bpf"]  # only for what strace starts itself
    tracer = subprocess.Popen([*strace, "-p", str(service.process.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while service.process.poll() is None and not all_traced(service.process.pid):
        if time.monotonic() > deadline or (tracer.poll() is not None and service.process.poll() is None):
            raise RuntimeError("strace could not be attached to the server")
        time.sleep(0.01)
    return tracer


def all_traced(pid: int) -> bool:
    try:
        return all("TracerPid:\t0\n" not in status.read_text() for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"))
    except (FileNotFoundError, ProcessLookupError):
        return False  # a thread ended between the listing and the reading


def failure_holds(case: Case, service: Service, ledger: oracle.Ledger, hits: list[Injected], code: int | None) -> tuple[str, list[str]]:
    """A failed write or sync stops the process by itself, non-zero, and nothing is acknowledged after the log's own failed."""
    broken = []
    where = "event log" if any(hit.in_event_log for hit in hits) else pathlib.Path(re.sub(r".*<([^>]*)>.*", r"\1", hits[0].text)).name
    if code is None:
        refuses = any(status >= 500 for status in ledger.statuses)
        if case.fault == "ENOSPC" and refuses:
            service.stop()
        else:
            broken.append(f"the server lives {STOP_PATIENCE_SECONDS} s after {case.fault} in {hits[0].text[:200]} (fail-stop)")
            service.kill()
    elif code == 0:
        broken.append(f"the exit code is 0 after {case.fault} in {hits[0].text[:200]}")
    elif code < 0:
        broken.append(f"the process died of signal {-code} after {case.fault} in {hits[0].text[:200]}")
    first_in_log = min((hit.moment for hit in hits if hit.in_event_log), default=None)
    if first_in_log is not None:
        late = oracle.acknowledged_after(ledger, first_in_log + GRACE_SECONDS)
        if late and not (code is None and case.fault == "ENOSPC" and not case.on):
            broken.append(f"{len(late)} acknowledged after {case.fault} in the event log, first {late[0].id} (I1, I6)")
    ended = f"exit {code}" if code is not None else "lives"
    return f"{where}: {ended}", broken


def wait_for_end(service: Service) -> None:
    try:
        service.process.wait(timeout=STOP_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        pass


def injections(log: pathlib.Path) -> list[Injected]:
    """What strace did, from its log: "<pid> <seconds> call(...) = -1 EIO ... (INJECTED)". A kill leaves no such line."""
    if not log.exists():
        return []
    lines = log.read_text(errors="replace").splitlines()
    entered: dict[str, Injected] = {}  # by pid: a call that was cut in two by another thread's line
    found = []
    for line in lines:
        parts = line.split(maxsplit=2)
        if len(parts) < 3:
            continue
        pid, moment, text = parts
        if text.endswith("<unfinished ...>"):
            entered[pid] = Injected(float(moment), text)
        elif "INJECTED" in text:
            begun = entered.pop(pid, None) if "resumed>" in text else None
            found.append(begun or Injected(float(moment), text))
    return found
