-- Results by ordered test, patient, code and document: what is found without reading the log. docs/formats/views.md explains
-- each table; decision 0012 says why these and no more.

-- An ordered test that had a result at some time. `status` and `current_version` are those of what is current.
CREATE TABLE result_tests (
  test_key        INTEGER PRIMARY KEY,
  order_key       INTEGER NOT NULL,
  test_id         TEXT    NOT NULL,
  fhir_prefix     TEXT    NOT NULL,
  current_version INTEGER NOT NULL,
  status          TEXT    NOT NULL,
  changed_at      INTEGER NOT NULL,
  taken_from      INTEGER NOT NULL,
  taken_to        INTEGER NOT NULL
) STRICT;
-- An order's results, and the row of a test when it changes.
CREATE UNIQUE INDEX result_tests_by_order ON result_tests (order_key, test_id);
-- /v1/results/{ordered_test}
CREATE INDEX result_tests_by_id ON result_tests (test_id);
-- The id of a FHIR resource begins with it.
CREATE INDEX result_tests_by_prefix ON result_tests (fhir_prefix);
-- /v1/results pages in the order of change.
CREATE INDEX result_tests_by_change ON result_tests (changed_at, test_key);

-- Which patient a FHIR id speaks of.
CREATE TABLE result_patients (
  fhir_prefix TEXT NOT NULL PRIMARY KEY,
  source      TEXT NOT NULL,
  patient_id  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The codes of any version of a result, and its identifiers, as keyed hashes: what somebody was examined for is health data.
-- Results of one lab test have the same codes: a set of codes is written once, and a result costs one row.
CREATE TABLE result_code_sets (
  set_key INTEGER PRIMARY KEY,
  name    BLOB NOT NULL UNIQUE
) STRICT;
CREATE TABLE result_codes (
  term    INTEGER NOT NULL,
  set_key INTEGER NOT NULL,
  PRIMARY KEY (term, set_key)
) STRICT, WITHOUT ROWID;
CREATE TABLE result_test_codes (
  set_key  INTEGER NOT NULL,
  test_key INTEGER NOT NULL,
  PRIMARY KEY (set_key, test_key)
) STRICT, WITHOUT ROWID;
CREATE TABLE result_identifiers (
  term     INTEGER NOT NULL,
  test_key INTEGER NOT NULL,
  PRIMARY KEY (term, test_key)
) STRICT, WITHOUT ROWID;

-- Documents within a result, with a record whose body holds them.
CREATE TABLE result_documents (
  sha256   BLOB    NOT NULL,
  test_key INTEGER NOT NULL,
  record   INTEGER NOT NULL,
  PRIMARY KEY (sha256, test_key)
) STRICT, WITHOUT ROWID;
