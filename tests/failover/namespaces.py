"""A network of the test's own: namespaces on a bridge, whose packets can be dropped. Unlike a wire on loopback (proxy.py), a cut here is what a
broken network is to TCP: nothing is acknowledged, nothing is refused, and what was open lives on when it heals.

    network = enter()                          # None where this machine does not let us: not root, no veth
    place = network.place("db", 2)             # a namespace with two addresses
    subprocess.run([*place.within, "pg_ctl", …])
    road = place.roads[0]                      # what is sent to its first address, and back
    road.cut(to_client=False); road.heal()

The process that calls enter() is started anew in a network and a mount namespace of its own, the middle of it all, so that nothing is left behind
and nothing of the machine is touched. Needs iproute2 and iptables.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

MARK = "RESULTSYNC_TEST_NETWORK"
MIDDLE = "10.77.0.1"
EVERYTHING = "10.77.0.0/24"


def enter() -> "Network | None":
    if os.environ.get(MARK) == "inside":
        return Network()
    if os.environ.get(MARK) == "none" or not is_possible():
        print("  no network namespaces here: cuts are wires on loopback that fall silent", file=sys.stderr, flush=True)
        return None
    os.environ[MARK] = "inside"
    os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, "-B", *sys.argv])


def is_possible() -> bool:
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "ip", "iptables"))):
        return False
    everything_that_is_needed = """
        mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip netns add probe && ip link add name probe-bridge type bridge &&
        ip link add name probe-end type veth peer name eth0 netns probe && ip netns exec probe iptables -A INPUT -s 10.77.0.9 -j DROP
    """
    return subprocess.run(["unshare", "--net", "--mount", "sh", "-c", everything_that_is_needed], capture_output=True, check=False).returncode == 0


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


class Network:
    """The middle: a bridge that every place hangs on, with an address for whoever lives here."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        names = pathlib.Path("/run/netns")
        names.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(names)], check=True)
        ip("link", "set", "lo", "up")
        ip("link", "add", "name", "middle", "type", "bridge")
        ip("address", "add", f"{MIDDLE}/24", "dev", "middle")
        ip("link", "set", "middle", "up")

    def place(self, name: str, addresses: int = 1) -> "Place":
        self.places.append(Place(name, 10 * (1 + len(self.places)), addresses))
        return self.places[-1]


class Place:
    def __init__(self, name: str, number: int, addresses: int) -> None:
        self.within = ["ip", "netns", "exec", name]
        ip("netns", "add", name)
        ip("link", "add", "name", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", f"to-{name}", "master", "middle", "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "link", "set", "eth0", "up")
        self.roads = [Road(self, f"10.77.0.{number + i}") for i in range(addresses)]
        for road in self.roads:
            self.run("ip", "address", "add", f"{road.host}/24", "dev", "eth0")

    def run(self, *command: str) -> None:
        subprocess.run([*self.within, *command], check=True)

    def cut_from(self, address: str, outward: bool = True, inward: bool = True, port: int = 0) -> None:
        """From one other address (and port), or "" for all of them."""
        other = [["-d", address], ["-s", address]] if address else [["-o", "eth0"], ["-i", "eth0"]]
        if port:
            other = [[*other[0], "-p", "tcp", "--dport", str(port)], [*other[1], "-p", "tcp", "--sport", str(port)]]
        if outward:
            self.run("iptables", "-A", "OUTPUT", *other[0], "-j", "DROP")
        if inward:
            self.run("iptables", "-A", "INPUT", *other[1], "-j", "DROP")

    def heal(self) -> None:
        self.run("iptables", "-F")


class Road:
    """What goes to one address of a place, and what comes back from it. Has the members of proxy.Wire."""

    def __init__(self, place: Place, host: str) -> None:
        self.place, self.host = place, host
        self.cuts: list[list[str]] = []

    def cut(self, to_server: bool = True, to_client: bool = True) -> None:
        self.cuts = [["INPUT", "-d", self.host]] * to_server + [["OUTPUT", "-s", self.host]] * to_client
        for rule in self.cuts:
            self.place.run("iptables", "-A", *rule, "-j", "DROP")

    def heal(self) -> None:
        for rule in self.cuts:
            self.place.run("iptables", "-D", *rule, "-j", "DROP")
        self.cuts = []

    def end(self) -> None:
        """A namespace ends with its last process."""
