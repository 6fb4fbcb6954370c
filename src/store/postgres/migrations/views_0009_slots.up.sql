-- Sync, shared out over instances (decision 0036). docs/formats/postgres.md explains each table.

-- How far the log is applied, by slot.
CREATE TABLE slots (slot BIGINT NOT NULL PRIMARY KEY, applied BIGINT NOT NULL) WITH (fillfactor = 10);
INSERT INTO slots SELECT n, p.applied FROM generate_series(0, 15) AS n CROSS JOIN progress p;

-- Who may apply a slot, and until when unless they say so again. The last lease is that of giving records their slots.
CREATE TABLE sync_leases (
  slot  BIGINT NOT NULL PRIMARY KEY,  -- 16: giving out slots
  owner TEXT   NOT NULL,              -- a member, or empty
  fence BIGINT NOT NULL,              -- how often it has changed hands
  until BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO sync_leases SELECT n, '', 0, 0 FROM generate_series(0, 16) AS n;

-- Who takes part: the leases are shared out between them.
CREATE TABLE sync_members (member TEXT NOT NULL PRIMARY KEY, until BIGINT NOT NULL);

-- The slots of records that follow one another in the line, a byte for each: given once, the same for everybody. What was
-- applied while one instance had all slots has none.
CREATE TABLE sync_dispatch (first BIGINT NOT NULL PRIMARY KEY, slots BYTEA NOT NULL);

-- Keys of entries are taken by blocks of 64, by several at a time: above all that were there, and never twice.
CREATE SEQUENCE entry_blocks MINVALUE 0;
SELECT setval('entry_blocks', (SELECT coalesce(max(entry_key), 0) / 64 + 1 FROM entries));
CREATE VIEW last_entry AS SELECT (last_value + 1) * 64 AS entry_key FROM entry_blocks;

-- Instances of an older version may still run: they go on acknowledging and answering. That all is applied is what they are told, and what would be
-- decided by their rules is refused as something to be tried again later, until they are stopped.
UPDATE progress SET applied = 4611686018427387904;
CREATE FUNCTION refuse_older() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'this database was upgraded by a newer resultsync, which does this work now: stop this older one';
END
$$;
CREATE TRIGGER newer_only BEFORE INSERT ON entries
  FOR EACH STATEMENT WHEN (current_setting('resultsync.slots', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION refuse_older();
CREATE TRIGGER newer_only BEFORE INSERT OR UPDATE ON settled_clinics
  FOR EACH STATEMENT WHEN (current_setting('resultsync.slots', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION refuse_older();
