-- API keys and the audit log: durable facts.

-- An API key. Its number is the `reach` of reach_practitioners and reach_clinics where it is limited. Of the key itself only
-- digests are kept; during a rotation the one before is good until `previous_until`.
CREATE TABLE api_keys (
  key_number     INTEGER PRIMARY KEY,
  key_id         TEXT    NOT NULL UNIQUE,
  name           TEXT    NOT NULL,
  scopes         TEXT    NOT NULL,
  limited        INTEGER NOT NULL,
  secret         BLOB    NOT NULL,
  previous       BLOB,
  previous_until INTEGER,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER,
  revoked_at     INTEGER,
  last_used_at   INTEGER
) STRICT;

-- Writes that carried an Idempotency-Key, for 24 hours. `caller` and `key` are found by digest only, and `answer` is sealed under a key
-- that the caller's own Idempotency-Key is part of: it may hold a secret that is shown once.
CREATE TABLE idempotency (
  caller     TEXT    NOT NULL,
  key        BLOB    NOT NULL,
  request    BLOB    NOT NULL,
  started_at INTEGER NOT NULL,
  status     INTEGER NOT NULL,
  answer     BLOB    NOT NULL,
  PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency (started_at);

-- One row for each read, change or export (P5), each with the digest of itself and all before it. No health data: ids only.
CREATE TABLE audit (
  seq        INTEGER PRIMARY KEY,
  at         INTEGER NOT NULL,
  actor      TEXT    NOT NULL,
  action     TEXT    NOT NULL,
  objects    TEXT    NOT NULL,
  purpose    TEXT    NOT NULL,
  peer       TEXT    NOT NULL,
  outcome    TEXT    NOT NULL,
  request_id TEXT    NOT NULL,
  hash       BLOB    NOT NULL
) STRICT;
-- /v1/audit?actor=
CREATE INDEX audit_by_actor ON audit (actor, seq);
-- The end of the chain; whoever appends holds this row.
CREATE TABLE audit_head (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
-- Signed statements of how far the chain had come.
CREATE TABLE audit_checkpoints (
  seq        INTEGER PRIMARY KEY,
  at         INTEGER NOT NULL,
  hash       BLOB    NOT NULL,
  public_key BLOB    NOT NULL,
  signature  BLOB    NOT NULL
) STRICT;
