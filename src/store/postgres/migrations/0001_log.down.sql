DROP TABLE instances;
DROP TABLE log_runs;
DROP TABLE log_records;
DROP FUNCTION log_open(BIGINT);
DROP TABLE log_streams;
DROP TABLE log_meta;
