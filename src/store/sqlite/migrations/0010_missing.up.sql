-- Documents that are not there: of millions that are, they are found, counted and paged through without a look at the others.
CREATE INDEX document_uses_not_fetched ON document_uses (record) WHERE state IN ('pending', 'missing');
