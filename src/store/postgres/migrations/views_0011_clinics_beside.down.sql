DROP TRIGGER older_moves ON orders;
DROP FUNCTION forget_clinic();
DROP INDEX orders_by_clinic;
CREATE INDEX orders_by_clinic ON orders (clinic_id, source);
