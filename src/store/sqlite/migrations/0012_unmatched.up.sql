-- /v1/unmatched pages through what waits in the order of its arrival, without a look at the events that do not.
CREATE INDEX events_unmatched ON events (record) WHERE outcome = 'waiting';
