-- The audit log (store/audit.hpp): a store of its own, of the same two engines.

-- One row for each read, change or export (P5), each with the digest of itself and all before it. No health data: ids only.
CREATE TABLE IF NOT EXISTS audit (
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
-- /v1/audit?actor=, and when a key was last used.
CREATE INDEX IF NOT EXISTS audit_by_actor ON audit (actor, seq);
-- The end of the chain; whoever appends holds this row.
CREATE TABLE IF NOT EXISTS audit_head (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
-- Signed statements of how far the chain had come.
CREATE TABLE IF NOT EXISTS audit_checkpoints (
  seq        INTEGER PRIMARY KEY,
  at         INTEGER NOT NULL,
  hash       BLOB    NOT NULL,
  public_key BLOB    NOT NULL,
  signature  BLOB    NOT NULL
) STRICT;
