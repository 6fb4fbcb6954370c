-- API keys and what their writes were answered: durable facts.

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
  revoked_at     INTEGER
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
