-- Views of the event log, and the durable facts beside them. docs/formats/views.md explains each table.

CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE progress (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), applied INTEGER NOT NULL) STRICT;
INSERT INTO progress VALUES (1, 0);

-- Views -------------------------------------------------------------------------------------------------------------------------

CREATE TABLE events (
  record      INTEGER PRIMARY KEY,
  source      TEXT    NOT NULL,
  event_id    TEXT    NOT NULL,
  type        TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  body_sha256 BLOB    NOT NULL,
  flags       INTEGER NOT NULL,
  outcome     TEXT    NOT NULL,
  reason      TEXT    NOT NULL,
  order_id    TEXT    NOT NULL,
  order_key   INTEGER NOT NULL
) STRICT;
-- One event per (source, id): I2.
CREATE UNIQUE INDEX events_by_id ON events (event_id, source);
-- /v1/unmatched, and what waits for one order.
CREATE INDEX events_waiting ON events (order_key) WHERE outcome = 'waiting';

CREATE TABLE receipts (
  record       INTEGER PRIMARY KEY,
  event_record INTEGER NOT NULL,
  received_at  INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  body_sha256  BLOB    NOT NULL,
  stale        INTEGER NOT NULL
) STRICT;
CREATE INDEX receipts_by_event ON receipts (event_record);

CREATE TABLE orders (
  order_key    INTEGER PRIMARY KEY,
  source       TEXT    NOT NULL,
  order_id     TEXT    NOT NULL,
  clinic_id    TEXT    NOT NULL,
  reason       TEXT    NOT NULL,
  practitioner TEXT    NOT NULL,
  patient_id   TEXT    NOT NULL,
  updated_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX orders_by_id ON orders (order_id, source);
-- Backfill of a clinic, and the orders that a practitioner sees.
CREATE INDEX orders_by_clinic ON orders (clinic_id, source);
CREATE INDEX orders_by_patient ON orders (patient_id);
-- /v1/orders pages in the order of change.
CREATE INDEX orders_by_update ON orders (updated_at);
-- What a new practitioner-to-clinic fact may match.
CREATE INDEX orders_without_clinic ON orders (practitioner, source) WHERE clinic_id = '';

CREATE TABLE order_points (
  order_key    INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  event_id     TEXT    NOT NULL,
  record       INTEGER NOT NULL,
  state        BLOB    NOT NULL,
  patient_id   TEXT    NOT NULL,
  practitioner TEXT    NOT NULL,
  clinic_id    TEXT    NOT NULL,
  status       TEXT    NOT NULL,
  PRIMARY KEY (order_key, created_at, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE test_points (
  order_key   INTEGER NOT NULL,
  test_id     TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  event_id    TEXT    NOT NULL,
  record      INTEGER NOT NULL,
  content     BLOB    NOT NULL,
  has_content INTEGER NOT NULL,
  PRIMARY KEY (order_key, test_id, created_at, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE practitioner_clinics (
  source       TEXT NOT NULL,
  practitioner TEXT NOT NULL,
  clinic_id    TEXT NOT NULL,
  stated       INTEGER NOT NULL,  -- by a connection: a durable fact, not only what events show
  PRIMARY KEY (source, practitioner, clinic_id)
) STRICT, WITHOUT ROWID;

-- Durable facts: inputs of a rebuild, never made anew by one ----------------------------------------------------------------------

-- The clinic an order was given to, or that an operator named (S5).
CREATE TABLE settled_clinics (
  order_key    INTEGER PRIMARY KEY,
  clinic_id    TEXT    NOT NULL,
  by_operator  INTEGER NOT NULL,
  delivered_at INTEGER NOT NULL,
  settled_at   INTEGER NOT NULL
) STRICT;

-- A version's number is its name, for ever (S3).
CREATE TABLE versions (
  order_key INTEGER NOT NULL,
  test_id   TEXT    NOT NULL,
  version   INTEGER NOT NULL,
  content   BLOB    NOT NULL,
  record    INTEGER NOT NULL,
  PRIMARY KEY (order_key, test_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE practitioners (
  practitioner_key INTEGER PRIMARY KEY,
  app_id           TEXT    NOT NULL UNIQUE,
  last_position    INTEGER NOT NULL
) STRICT;

CREATE TABLE connections (
  connection_key      INTEGER PRIMARY KEY,
  practitioner_key    INTEGER NOT NULL,
  source              TEXT    NOT NULL,
  clinic_id           TEXT    NOT NULL,
  vendor_practitioner TEXT    NOT NULL,
  created_at          INTEGER NOT NULL,
  ended_at            INTEGER
) STRICT;
-- Whom an order of a clinic is given to; one live connection per practitioner and clinic.
CREATE UNIQUE INDEX connections_live ON connections (clinic_id, source, practitioner_key) WHERE ended_at IS NULL;
CREATE INDEX connections_by_practitioner ON connections (practitioner_key);

CREATE TABLE backfills (
  connection_key INTEGER PRIMARY KEY,
  through_entry  INTEGER NOT NULL,
  after_order    INTEGER NOT NULL,
  orders_done    INTEGER NOT NULL,
  orders_total   INTEGER NOT NULL,
  finished       INTEGER NOT NULL
) STRICT;
CREATE INDEX backfills_unfinished ON backfills (connection_key) WHERE finished = 0;

CREATE TABLE entries (
  entry_key        INTEGER PRIMARY KEY AUTOINCREMENT,
  order_key        INTEGER NOT NULL,
  record           INTEGER NOT NULL,
  kind             TEXT    NOT NULL,
  test_id          TEXT    NOT NULL,
  version          INTEGER NOT NULL,
  current_version  INTEGER NOT NULL,
  previous_version INTEGER NOT NULL,
  previous_record  INTEGER NOT NULL,
  current          INTEGER NOT NULL
) STRICT;
CREATE INDEX entries_by_order ON entries (order_key);

-- One gapless sequence per practitioner (D5).
CREATE TABLE feed (
  practitioner_key INTEGER NOT NULL,
  position         INTEGER NOT NULL,
  entry_key        INTEGER NOT NULL,
  connection_key   INTEGER NOT NULL,
  current          INTEGER NOT NULL,
  backfill         INTEGER NOT NULL,
  issued_at        INTEGER NOT NULL,
  PRIMARY KEY (practitioner_key, position)
) STRICT, WITHOUT ROWID;
