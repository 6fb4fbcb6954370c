DROP INDEX document_uses_not_fetched;
