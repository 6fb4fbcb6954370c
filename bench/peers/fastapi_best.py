"""The fastest sensible FastAPI receiver: the raw body, json.loads instead of a model, and a writer thread that commits whatever has
gathered while the commit before ran (group commit). Still one durable commit before each 200.

    uvicorn fastapi_best:app   (DATABASE and SECRET_FILE in the environment)
"""

import asyncio
import hashlib
import hmac
import json
import os
import pathlib
import queue
import sqlite3
import threading

from fastapi import FastAPI, Request
from fastapi.responses import Response

SECRET = pathlib.Path(os.environ["SECRET_FILE"]).read_bytes().strip()
KEYED = hmac.new(SECRET, digestmod=hashlib.sha256)
SUCCESS = b'{"status":"success"}'

app = FastAPI()
waiting: queue.SimpleQueue = queue.SimpleQueue()


@app.post("/webhook")
async def webhook(request: Request):
    payload = await request.body()
    if not is_signed(request.headers.get("rupa-signature", ""), payload):
        return Response(status_code=400)
    event = json.loads(payload)
    committed = asyncio.get_running_loop().create_future()
    waiting.put(((event["id"], event["type"], payload), committed))
    await committed
    return Response(SUCCESS, media_type="application/json")


def is_signed(header: str, payload: bytes) -> bool:
    time, _, signature = header.partition(",v1=")
    mac = KEYED.copy()
    mac.update(time[2:].encode() + b"." + payload)
    return hmac.compare_digest(mac.hexdigest(), signature)


def write_forever(loop: asyncio.AbstractEventLoop) -> None:
    database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, type TEXT NOT NULL, body BLOB NOT NULL)")
    while True:
        batch = [waiting.get()]
        while not waiting.empty():
            batch.append(waiting.get())
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO events VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [row for row, _ in batch])
        database.execute("COMMIT")
        loop.call_soon_threadsafe(answer_all, [committed for _, committed in batch])


def answer_all(batch: list) -> None:
    for committed in batch:
        if not committed.done():
            committed.set_result(None)


@app.on_event("startup")
async def start_writer() -> None:
    threading.Thread(target=write_forever, args=(asyncio.get_running_loop(),), daemon=True).start()
