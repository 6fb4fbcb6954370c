-- Consumers and acknowledgements: durable facts, inputs of a rebuild and never made by one.

-- A named reader of one practitioner's feed, and the last position it has committed.
CREATE TABLE consumers (
  practitioner_key INTEGER NOT NULL,
  name             TEXT    NOT NULL,
  position         INTEGER NOT NULL,
  created_at       INTEGER NOT NULL,
  committed_at     INTEGER NOT NULL,
  PRIMARY KEY (practitioner_key, name)
) STRICT, WITHOUT ROWID;

-- What the application has acknowledged of a practitioner's feed: everything up to a position, and single items beyond it.
CREATE TABLE acknowledged (
  practitioner_key INTEGER PRIMARY KEY,
  through          INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL
) STRICT;
CREATE TABLE acknowledged_items (
  practitioner_key INTEGER NOT NULL,
  position         INTEGER NOT NULL,
  acknowledged_at  INTEGER NOT NULL,
  PRIMARY KEY (practitioner_key, position)
) STRICT, WITHOUT ROWID;
