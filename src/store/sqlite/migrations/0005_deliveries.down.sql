DROP TABLE delivery_jobs;
DROP TABLE attempts;
DROP TABLE deliveries;
DROP TABLE endpoints;
