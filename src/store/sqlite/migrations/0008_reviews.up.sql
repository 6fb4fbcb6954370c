-- Signatures of result versions, and what becomes of critical ones: durable facts, inputs of a rebuild and never made by one.
-- docs/formats/views.md explains them; decision 0030 says why they are as they are.

-- Whether somebody has signed what is current of the test: 0 nobody, 1 what was current before, 2 what is current.
ALTER TABLE result_tests ADD COLUMN review INTEGER NOT NULL DEFAULT 0;
-- /v1/results?reviewed=no pages in the order of change over what is left to do, however long the history is.
CREATE INDEX result_tests_unreviewed ON result_tests (changed_at, test_key) WHERE review < 2;

-- A practitioner's sign-off of one version. Only ever added to.
CREATE TABLE signatures (
  signature_key    INTEGER PRIMARY KEY,
  order_key        INTEGER NOT NULL,
  test_id          TEXT    NOT NULL,
  version          INTEGER NOT NULL,
  practitioner_key INTEGER NOT NULL,
  action           TEXT    NOT NULL,
  note             BLOB    NOT NULL,  -- sealed; empty without one
  was_current      INTEGER NOT NULL,
  signed_at        INTEGER NOT NULL,
  signed_with      TEXT    NOT NULL   -- the API key
) STRICT;
CREATE INDEX signatures_by_test ON signatures (order_key, test_id, signature_key);

-- A version that was critical when it became current, until somebody has acknowledged it or it needs nobody any more.
CREATE TABLE critical_results (
  critical_key INTEGER PRIMARY KEY,
  order_key    INTEGER NOT NULL,
  test_id      TEXT    NOT NULL,
  version      INTEGER NOT NULL,
  state        TEXT    NOT NULL,
  event_at     INTEGER NOT NULL,  -- of the network's event
  opened_at    INTEGER NOT NULL,
  clock_at     INTEGER NOT NULL,  -- since when somebody could see it; 0: nobody can
  steps        INTEGER NOT NULL,  -- escalations that were told
  next_at      INTEGER NOT NULL,  -- of the next one; 0: there is none
  ended_at     INTEGER NOT NULL,  -- 0: it is open
  reconsider   INTEGER NOT NULL,  -- more was reported since: whether it still stands is to be looked up
  told         TEXT    NOT NULL   -- the last state that was told; '' before the first
) STRICT;
-- What is critical of a test, newest last.
CREATE INDEX critical_by_test ON critical_results (order_key, test_id, critical_key);
-- /v1/critical, and what the watch goes over.
CREATE INDEX critical_open ON critical_results (critical_key) WHERE state = 'open';
CREATE INDEX critical_untold ON critical_results (critical_key) WHERE told <> state;

CREATE TABLE critical_acknowledgements (
  acknowledgement_key INTEGER PRIMARY KEY,
  critical_key        INTEGER NOT NULL,
  practitioner_key    INTEGER NOT NULL,
  note                BLOB    NOT NULL,  -- sealed; empty without one
  acknowledged_at     INTEGER NOT NULL,
  acknowledged_with   TEXT    NOT NULL   -- the API key
) STRICT;
CREATE INDEX critical_acknowledgements_by_critical ON critical_acknowledgements (critical_key);
