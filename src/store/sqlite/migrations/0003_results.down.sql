DROP TABLE result_documents;
DROP TABLE result_identifiers;
DROP TABLE result_test_codes;
DROP TABLE result_codes;
DROP TABLE result_code_sets;
DROP TABLE result_patients;
DROP TABLE result_tests;
