DROP VIEW last_entry;
CREATE TABLE progress (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), applied INTEGER NOT NULL) STRICT;
INSERT INTO progress SELECT 1, min(applied) FROM slots;
DROP TABLE slots;
