"""A client of server-sent events that goes by the letter of WHATWG HTML §9.2, and comes back by itself as browsers do."""

import http.client
import json
import socket
import time


class Stream:
    """One connection. Iterating gives (id, type, data); it ends when the server ends it or the socket breaks."""

    def __init__(self, address, target, key, last_id="", timeout=30):
        self.last_id = last_id
        self.connection = http.client.HTTPConnection(address, timeout=timeout)
        headers = {"Authorization": "Bearer " + key, "Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        self.connection.request("GET", target, headers=headers)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status

    def __iter__(self):
        event_id, kind, data = None, "message", []
        try:
            while line := self.answer.readline():
                line = line.rstrip(b"\r\n").decode()
                if not line:
                    if event_id is not None:
                        self.last_id = event_id
                    if data:
                        yield self.last_id, kind, json.loads("\n".join(data))
                    event_id, kind, data = None, "message", []
                elif line.startswith("id: "):
                    event_id = line[4:]
                elif line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    data.append(line[6:])
        except (http.client.HTTPException, OSError):
            return  # broken off in the middle: what was not whole was not seen

    def close(self):
        # As a client that is gone, whatever is on its way.
        if self.connection.sock:
            try:
                self.connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.connection.close()


def follow(house, target, until, seen, patience=60):
    """Reads `target` into `seen` (a list of items), coming back after every end, until `until(seen)`."""
    last_id, deadline = "", time.monotonic() + patience
    while not until(seen) and time.monotonic() < deadline:
        try:
            stream = Stream(house.addresses["private"], target, (house.data / "admin.key").read_text(), last_id, timeout=5)
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)  # the server is away
            continue
        if stream.status != 200:
            stream.close()
            time.sleep(0.05)
            continue
        for last_id, kind, item in stream:
            seen.append((last_id, kind, item))
            if until(seen):
                break
        last_id = stream.last_id
        stream.close()
    return last_id
