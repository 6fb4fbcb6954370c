-- A clinic's results, found by the clinic: what a practitioner or a limited key sees of a long history, without a look at all of
-- it (decision 0043).
CREATE TABLE clinics (
  clinic_key INTEGER PRIMARY KEY,
  source     TEXT NOT NULL,
  clinic_id  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX clinics_by_id ON clinics (clinic_id, source);

-- Of the test's order; 0: it has none. -1: not noted yet, in rows that are older than this column, which are completed while
-- the server runs.
ALTER TABLE result_tests ADD COLUMN clinic_key INTEGER NOT NULL DEFAULT -1;
-- In the order of change, and whether there is something to sign.
CREATE INDEX result_tests_by_clinic ON result_tests (clinic_key, changed_at, test_key, review);
-- The one whose first result came last first.
CREATE INDEX result_tests_of_clinic ON result_tests (clinic_key, test_key);
