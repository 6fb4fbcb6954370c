"""A wire that can be cut: a TCP proxy on loopback between one client and one server. What is cut is silent, as a broken network is:
nothing is refused, nothing arrives, either way or one way only."""

from __future__ import annotations

import select
import socket
import threading


class Wire:
    """Listens on `port`; what connects there talks to `target`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.host, self.port = self.listener.getsockname()
        self.lock = threading.Lock()
        self.pairs: list[tuple[socket.socket, socket.socket]] = []  # guarded by lock
        self.cut_to_server = self.cut_to_client = False
        self.ended = False
        threading.Thread(target=self.accept, daemon=True).start()

    def cut(self, to_server: bool = True, to_client: bool = True) -> None:
        self.cut_to_server, self.cut_to_client = to_server, to_client

    def heal(self) -> None:
        """What was open before is gone, as after a router was replaced; new connections work."""
        self.cut_to_server = self.cut_to_client = False
        self.drop()

    def drop(self) -> None:
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            close(pair)

    def end(self) -> None:
        self.ended = True
        self.listener.close()
        self.drop()

    def accept(self) -> None:
        while not self.ended:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=3)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        pair = (client, server)
        with self.lock:
            self.pairs.append(pair)
        try:
            while True:
                readable, _, _ = select.select(pair, [], [], 0.2)
                for end in readable:
                    other = server if end is client else client
                    if self.cut_to_server if end is client else self.cut_to_client:
                        select.select([], [], [], 0.05)  # left in the socket: it never arrives
                        continue
                    data = end.recv(65536)
                    if not data:
                        return
                    other.sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            close(pair)
            with self.lock:
                if pair in self.pairs:
                    self.pairs.remove(pair)


def close(pair: tuple[socket.socket, socket.socket]) -> None:
    for end in pair:
        try:
            end.close()
        except OSError:
            pass
