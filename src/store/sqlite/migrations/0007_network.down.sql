DROP TABLE network_runs;
DROP TABLE connect_links;
DROP TABLE authorizations;
DROP TABLE told_missing;
DROP TABLE document_uses;
DROP TABLE documents;
