DROP INDEX result_tests_of_clinic;
DROP INDEX result_tests_by_clinic;
ALTER TABLE result_tests DROP COLUMN clinic_key;
DROP TABLE clinics;
