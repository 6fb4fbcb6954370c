-- What is known of the network: documents, consents, connect links, readings of its API. All durable facts.

-- Files that links led to, stored once; zstd, then sealed.
CREATE TABLE documents (
  sha256     BLOB    NOT NULL PRIMARY KEY,
  media_type TEXT    NOT NULL,
  bytes      INTEGER NOT NULL,
  source     TEXT    NOT NULL,
  fetched_at INTEGER NOT NULL,
  sealed     BLOB    NOT NULL
) STRICT;

-- One link of one event, and what became of it. The address itself is a secret, and stands in the event only.
CREATE TABLE document_uses (
  record      INTEGER NOT NULL,
  test_id     TEXT    NOT NULL,
  member      TEXT    NOT NULL,
  source      TEXT    NOT NULL,
  order_key   INTEGER NOT NULL,
  link        BLOB    NOT NULL,
  is_content  INTEGER NOT NULL,
  state       TEXT    NOT NULL,
  open        INTEGER NOT NULL,
  sha256      BLOB    NOT NULL,
  reason      TEXT    NOT NULL,
  tries       INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  next_try_at INTEGER NOT NULL,
  PRIMARY KEY (record, test_id, member)
) STRICT, WITHOUT ROWID;
-- What is to be fetched next, and who else waits for the same link.
CREATE INDEX document_uses_due ON document_uses (next_try_at) WHERE open = 1;
CREATE INDEX document_uses_by_link ON document_uses (link) WHERE open = 1;
-- Who may see a document: whoever sees an order that shows it.
CREATE INDEX document_uses_by_document ON document_uses (sha256);

-- Whether a result of an order waits.
CREATE INDEX document_uses_pending ON document_uses (order_key) WHERE state = 'pending';

-- Documents that could not be had when a version was told: it is shown without them for ever (S3).
CREATE TABLE told_missing (
  order_key INTEGER NOT NULL,
  test_id   TEXT    NOT NULL,
  version   INTEGER NOT NULL,
  member    TEXT    NOT NULL,
  reason    TEXT    NOT NULL,
  PRIMARY KEY (order_key, test_id, version, member)
) STRICT, WITHOUT ROWID;

CREATE TABLE authorizations (
  authorization_key   INTEGER PRIMARY KEY,
  source              TEXT    NOT NULL,
  app_id              TEXT    NOT NULL,
  vendor_practitioner TEXT    NOT NULL,
  clinic_id           TEXT    NOT NULL,
  state               TEXT    NOT NULL,
  reason              TEXT    NOT NULL,
  sealed_access       BLOB    NOT NULL,
  sealed_refresh      BLOB    NOT NULL,
  expires_at          INTEGER NOT NULL,
  lease_owner         TEXT    NOT NULL,
  lease_until         INTEGER NOT NULL,
  created_at          INTEGER NOT NULL,
  updated_at          INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX authorizations_by_practitioner ON authorizations (app_id, source);

CREATE TABLE connect_links (
  link             BLOB    NOT NULL PRIMARY KEY,
  source           TEXT    NOT NULL,
  app_id           TEXT    NOT NULL,
  expires_at       INTEGER NOT NULL,
  used             INTEGER NOT NULL,
  state            BLOB    NOT NULL,
  sealed_verifier  BLOB    NOT NULL,
  state_expires_at INTEGER NOT NULL,
  finished         INTEGER NOT NULL
) STRICT;
-- The callback brings the state.
CREATE INDEX connect_links_by_state ON connect_links (state);

CREATE TABLE network_runs (
  run_key      INTEGER PRIMARY KEY,
  source       TEXT    NOT NULL,
  app_id       TEXT    NOT NULL,
  clinic_id    TEXT    NOT NULL,
  kind         TEXT    NOT NULL,
  state        TEXT    NOT NULL,
  reason       TEXT    NOT NULL,
  since        INTEGER NOT NULL,
  orders_total INTEGER NOT NULL,
  orders_read  INTEGER NOT NULL,
  gaps         INTEGER NOT NULL,
  started_at   INTEGER NOT NULL,
  finished_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX network_runs_open ON network_runs (run_key) WHERE state IN ('waiting', 'running');
CREATE INDEX network_runs_by_clinic ON network_runs (clinic_id, source);
