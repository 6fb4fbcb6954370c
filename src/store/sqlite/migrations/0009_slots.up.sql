-- How far the log is applied, by slot: all events of an order are in one, so that several instances can share the work. One slot where a single process
-- does all of it. docs/formats/views.md and docs/formats/postgres.md explain them.
CREATE TABLE slots (slot INTEGER PRIMARY KEY, applied INTEGER NOT NULL) STRICT;
INSERT INTO slots SELECT 0, applied FROM progress;
DROP TABLE progress;

-- The key of the newest entry; where instances share the work, keys are given otherwise.
CREATE VIEW last_entry AS SELECT coalesce(max(entry_key), 0) AS entry_key FROM entries;
