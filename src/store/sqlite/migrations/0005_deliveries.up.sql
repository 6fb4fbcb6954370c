-- Endpoints, deliveries and attempts: durable facts, inputs of a rebuild and never made by one. docs/formats/views.md explains them.
CREATE TABLE endpoints (
  endpoint_key  INTEGER PRIMARY KEY,
  endpoint_id   TEXT    NOT NULL UNIQUE,
  url           BLOB    NOT NULL,  -- sealed: a receiver's address may hold a token
  secrets       BLOB    NOT NULL,  -- sealed
  description   TEXT    NOT NULL,
  state         TEXT    NOT NULL,
  state_reason  TEXT    NOT NULL,
  state_since   INTEGER NOT NULL,
  practitioners TEXT    NOT NULL,  -- filters: one value a line; empty takes all
  clinics       TEXT    NOT NULL,
  types         TEXT    NOT NULL,
  statuses      TEXT    NOT NULL,
  payload       TEXT    NOT NULL,
  ordered       INTEGER NOT NULL,
  rate          INTEGER NOT NULL,
  concurrency   INTEGER NOT NULL,
  reach         INTEGER NOT NULL,  -- of the key that made it (S5)
  created_at    INTEGER NOT NULL,
  previous_until INTEGER NOT NULL, -- how long the secret before also signs; 0: there is none
  health        TEXT    NOT NULL,
  health_since  INTEGER NOT NULL,
  breaker_until INTEGER NOT NULL,  -- of an open breaker; 0: it is closed
  dead_told     INTEGER NOT NULL,  -- a dead letter was told of since it was last healthy
  sweep_through INTEGER NOT NULL,  -- what is open up to this delivery ends as sweep_to
  sweep_to      TEXT    NOT NULL,
  sweep_reason  TEXT    NOT NULL
) STRICT;

CREATE TABLE deliveries (
  delivery_key     INTEGER PRIMARY KEY,
  nonce            INTEGER NOT NULL,  -- makes the delivery's id unique over restores
  endpoint_key     INTEGER NOT NULL,
  type             TEXT    NOT NULL,
  practitioner_key INTEGER NOT NULL,  -- the feed item, or 0
  position         INTEGER NOT NULL,
  order_key        INTEGER NOT NULL,
  note             TEXT    NOT NULL,  -- what is told where it is no feed item, as JSON
  replay           INTEGER NOT NULL,
  state            TEXT    NOT NULL,
  reason           TEXT    NOT NULL,
  attempts         INTEGER NOT NULL,
  attempted        INTEGER NOT NULL,  -- its first attempt has ended
  tries            INTEGER NOT NULL,  -- failed ones of this round: the place in the schedule
  next_at          INTEGER NOT NULL,
  fence            INTEGER NOT NULL,
  lease_until      INTEGER NOT NULL,
  last_status      INTEGER NOT NULL,
  created_at       INTEGER NOT NULL,
  ended_at         INTEGER
) STRICT;
-- What is due at an endpoint.
CREATE INDEX deliveries_due ON deliveries (endpoint_key, next_at, delivery_key) WHERE state = 'pending';
-- Leases that run out; what a crash left in flight.
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 'in_flight';
-- The chain of an order at an endpoint: who goes before whom; and where an order went.
CREATE INDEX deliveries_by_order ON deliveries (order_key, endpoint_key, delivery_key);
-- Pages of one endpoint, and what a sweep or a job goes over.
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint_key, delivery_key);
CREATE INDEX deliveries_dead ON deliveries (endpoint_key, delivery_key) WHERE state = 'dead';

CREATE TABLE attempts (
  delivery_key INTEGER NOT NULL,
  number       INTEGER NOT NULL,
  started_at   INTEGER NOT NULL,
  duration_us  INTEGER NOT NULL,
  outcome      TEXT    NOT NULL,
  status       INTEGER NOT NULL,
  response     BLOB    NOT NULL,  -- its first bytes, redacted and sealed; may be empty
  PRIMARY KEY (delivery_key, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery_jobs (
  job_key      INTEGER PRIMARY KEY,
  kind         TEXT    NOT NULL,
  state        TEXT    NOT NULL,
  endpoint_key INTEGER NOT NULL,  -- 0: all (retry only)
  reach        INTEGER NOT NULL,
  since        INTEGER NOT NULL,
  until        INTEGER NOT NULL,
  practitioner INTEGER NOT NULL,  -- 0: all
  rate         INTEGER NOT NULL,  -- a second; 0: as fast as it goes
  after_key    INTEGER NOT NULL,
  after_place  INTEGER NOT NULL,
  done         INTEGER NOT NULL,
  total        INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  ended_at     INTEGER
) STRICT;
CREATE INDEX delivery_jobs_running ON delivery_jobs (job_key) WHERE state = 'running';
