"""The receiver that the network's page tells people to write: FastAPI, a pydantic model of the event, HMAC over "t.body", and a
durable commit per event before the 200.

    uvicorn fastapi_page:app   (DATABASE and SECRET_FILE in the environment)
"""

import hashlib
import hmac
import os
import pathlib
import sqlite3
from datetime import datetime

from fastapi import FastAPI, HTTPException, Request, status
from pydantic import BaseModel

SECRET = pathlib.Path(os.environ["SECRET_FILE"]).read_bytes().strip()

database = sqlite3.connect(os.environ["DATABASE"], check_same_thread=False, isolation_level=None)
database.execute("PRAGMA journal_mode=WAL")
database.execute("PRAGMA synchronous=FULL")
database.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, type TEXT NOT NULL, body BLOB NOT NULL)")

app = FastAPI()


class RupaEvent(BaseModel):
    id: str
    type: str
    created_at: datetime
    data: dict


def validate_event(request: Request, payload: bytes) -> bool:
    parts = dict(part.split("=", 1) for part in request.headers.get("rupa-signature", "").split(",") if "=" in part)
    signed = parts.get("t", "").encode() + b"." + payload
    return hmac.compare_digest(hmac.new(SECRET, signed, hashlib.sha256).hexdigest(), parts.get("v1", ""))


@app.post("/webhook")
async def rupa_webhook(event: RupaEvent, request: Request):
    payload = await request.body()
    if not validate_event(request, payload):
        raise HTTPException(status_code=status.HTTP_400_BAD_REQUEST)
    database.execute("INSERT INTO events VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (event.id, event.type, payload))
    return {"status": "success"}
