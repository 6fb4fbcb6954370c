DROP TABLE idempotency;
DROP TABLE api_keys;
