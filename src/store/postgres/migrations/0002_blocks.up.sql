-- A row may hold a block of records. docs/formats/postgres.md and decision 0041.

-- number, number + 1 … number + records - 1
ALTER TABLE log_records ADD COLUMN records BIGINT NOT NULL DEFAULT 1;

-- What of the log a process can read. Those from before this format say nothing.
ALTER TABLE instances ADD COLUMN log_format BIGINT NOT NULL DEFAULT 1;

-- Streams whose rows may hold blocks have states of their own, which those from before this format pass by:
-- 3 open, 4 ended, 5 ended with all of it in the line.
DROP INDEX log_streams_open;
CREATE INDEX log_streams_open ON log_streams (stream) WHERE state NOT IN (2, 5);

CREATE OR REPLACE FUNCTION log_open(which BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
  found_state BIGINT;
BEGIN
  SELECT state INTO found_state FROM log_streams WHERE stream = which FOR SHARE;
  IF found_state IS NULL OR found_state NOT IN (0, 3) THEN
    RAISE EXCEPTION USING ERRCODE = 'RS001', MESSAGE = 'the stream was ended';
  END IF;
  RETURN 0;
END
$$;
