-- Behind sqlite/migrations/0011_clinics.up.sql. An instance of an older version that still runs adds results without their
-- clinic, as those were before. One that gives an order another clinic leaves its results to be completed, too.
CREATE FUNCTION forget_clinic() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE result_tests SET clinic_key = -1 WHERE order_key = NEW.order_key;
  RETURN NULL;
END
$$;
CREATE TRIGGER older_moves AFTER UPDATE ON orders FOR EACH ROW
  WHEN (OLD.clinic_id <> NEW.clinic_id AND current_setting('resultsync.clinics', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION forget_clinic();

-- A back-fill pages through a clinic's orders by their keys. SQLite's indexes end with the key by themselves.
DROP INDEX orders_by_clinic;
CREATE INDEX orders_by_clinic ON orders (clinic_id, source, order_key);
