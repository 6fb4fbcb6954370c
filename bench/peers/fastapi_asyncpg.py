"""The receiver that people write for PostgreSQL in Python: FastAPI, HMAC over "t.body", a pool of asyncpg connections, and one INSERT, committed
with synchronous_commit=on, before each 200.

    uvicorn fastapi_asyncpg:app   (DATABASE, a postgresql:// URI, and SECRET_FILE in the environment)
"""

import hashlib
import hmac
import json
import os
import pathlib

import asyncpg
from fastapi import FastAPI, Request
from fastapi.responses import Response

SECRET = pathlib.Path(os.environ["SECRET_FILE"]).read_bytes().strip()
SUCCESS = b'{"status":"success"}'

app = FastAPI()


@app.on_event("startup")
async def connect() -> None:
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE"], min_size=16, max_size=16)
    await app.state.pool.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, type TEXT NOT NULL, body BYTEA NOT NULL)")


@app.post("/webhook")
async def webhook(request: Request):
    payload = await request.body()
    time, _, signature = request.headers.get("rupa-signature", "").partition(",v1=")
    mac = hmac.new(SECRET, time[2:].encode() + b"." + payload, hashlib.sha256)
    if not hmac.compare_digest(mac.hexdigest(), signature):
        return Response(status_code=400)
    event = json.loads(payload)
    await app.state.pool.execute("INSERT INTO events VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", event["id"], event["type"], payload)
    return Response(SUCCESS, media_type="application/json")
