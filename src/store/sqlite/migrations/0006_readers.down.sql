DROP TABLE acknowledged_items;
DROP TABLE acknowledged;
DROP TABLE consumers;
