"""A receiver of webhooks that behaves as badly as it is told to: one asyncio server, where the path says how an endpoint answers.

    POST /<endpoint>/<behaviour>

It keeps what arrived (headers and body), what it acknowledged with 2xx, and when, so that a test can say afterwards that nothing vanished,
in which order things came, and what came twice.

    python3 receiver.py    # the same in a process of its own: prints its port, and ends when its input does
"""

import asyncio
import base64
import collections
import hashlib
import hmac
import json
import sys
import threading
import time

BEHAVIOURS = ("ok", "slow", "hang", "drip", "reset", "redirect", "liar", "gone", "busy", "error", "huge", "flaky", "malformed")


class Receiver:
    """`with Receiver() as receiver: receiver.url("anna", "ok")`. Thread-safe to read once the traffic has ended."""

    def __init__(self, keep_requests=True):
        self.keep_requests = keep_requests
        self.requests = []  # of acknowledged ones: (endpoint, headers, body)
        self.acknowledged = collections.defaultdict(collections.Counter)  # endpoint -> webhook-id -> 2xx answers
        self.arrived = collections.defaultdict(list)  # endpoint -> (time, webhook-id, data)
        self.seen = collections.Counter()  # webhook-id -> requests
        self.healed = set()  # endpoints that answer 200 whatever their path says
        self.open_now = collections.Counter()  # endpoint -> requests that are being answered
        self.open_most = collections.Counter()
        self._ready = threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def url(self, endpoint, behaviour="ok"):
        return f"http://127.0.0.1:{self.port}/{endpoint}/{behaviour}"

    async def _main(self):
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()

    async def _connection(self, reader, writer):
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        _, endpoint, behaviour = target.split("/", 2)
        assert method == "POST", method
        webhook_id = headers["webhook-id"]
        first = self.seen[webhook_id] == 0
        self.seen[webhook_id] += 1
        self.arrived[endpoint].append((time.monotonic(), webhook_id, json.loads(body)))
        self.open_now[endpoint] += 1
        self.open_most[endpoint] = max(self.open_most[endpoint], self.open_now[endpoint])
        try:
            if endpoint in self.healed or behaviour == "ok" or (behaviour == "flaky" and not first):
                return await self._acknowledge(writer, endpoint, webhook_id, headers, body)
            return await self._misbehave(behaviour, writer, reader, endpoint, webhook_id, headers, body)
        finally:
            self.open_now[endpoint] -= 1

    async def _acknowledge(self, writer, endpoint, webhook_id, headers, body):
        # Counted before the answer is written: what the sender could have read is what was acknowledged.
        self.acknowledged[endpoint][webhook_id] += 1
        if self.keep_requests:
            self.requests.append((endpoint, headers, body))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        return True

    async def _misbehave(self, behaviour, writer, reader, endpoint, webhook_id, headers, body):
        if behaviour == "slow":
            await asyncio.sleep(0.3)
            return await self._acknowledge(writer, endpoint, webhook_id, headers, body)
        if behaviour == "hang":
            await reader.read(1)  # until the sender gives up
        elif behaviour == "drip":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            for _ in range(100_000):
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.05)
        elif behaviour == "reset":
            writer.transport.abort()
        elif behaviour == "redirect":
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {self.url('redirected')}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return True
        elif behaviour == "liar":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort")
            await writer.drain()
        elif behaviour == "gone":
            writer.write(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return True
        elif behaviour == "busy":
            writer.write(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return True
        elif behaviour == "huge":
            writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10_000_000)
            await writer.drain()
        elif behaviour == "malformed":
            writer.write(b"\x00\x01\x02 this is no HTTP\r\n\r\n")
            await writer.drain()
        else:  # error, flaky
            answer = b'{"error":"no order ' + body[:60].hex().encode() + b' here"}'
            writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
            await writer.drain()
            return True
        return False


def verify(secrets, headers, body):
    """Whether one of the secrets signed this (Standard Webhooks, v1), by the specification's own words."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    given = [part.partition(",")[2] for part in headers["webhook-signature"].split(" ") if part.startswith("v1,")]
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        if base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() in given:
            return True
    return False


if __name__ == "__main__":
    with Receiver(keep_requests=False) as alone:
        print(alone.port, flush=True)
        sys.stdin.read()
