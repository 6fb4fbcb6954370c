DROP TABLE critical_acknowledgements;
DROP TABLE critical_results;
DROP TABLE signatures;
DROP INDEX result_tests_unreviewed;
ALTER TABLE result_tests DROP COLUMN review;
