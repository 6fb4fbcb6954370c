"""Somebody who reads health data without a pause, and keeps account of what was shown to them: each answer must be on record (P5)."""

from __future__ import annotations

import http.client
import threading
import time

from senders import PRACTITIONERS
from service import Service


class Reader:
    """A thread that reads feeds while `go()` holds and rests after `rest()`. What a dead server does not answer is nobody's reading."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.answered: list[str] = []  # the request ids of whole answers of 200
        self.going = threading.Event()
        self.ended = False
        self.resting = threading.Semaphore(0)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def go(self) -> None:
        self.going.set()

    def rest(self) -> None:
        """Returns when no request is under way any more."""
        self.going.clear()
        self.resting.acquire()

    def end(self) -> None:
        self.ended = True
        self.going.set()
        self.thread.join()

    def run(self) -> None:
        while True:
            self.going.wait()
            if self.ended:
                return
            connection = http.client.HTTPConnection("127.0.0.1", self.service.private_port, timeout=15)
            while self.going.is_set() and not self.ended:
                self.read_one(connection)
            connection.close()
            self.resting.release()

    def read_one(self, connection: http.client.HTTPConnection) -> None:
        practitioner = list(PRACTITIONERS)[len(self.answered) % len(PRACTITIONERS)]
        try:
            connection.request("GET", f"/v1/feed?practitioner={practitioner}&limit=1", headers=self.service.bearer())
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                self.answered.append(answer.headers["X-Request-Id"])
        except (OSError, http.client.HTTPException):
            connection.close()
            time.sleep(0.005)
