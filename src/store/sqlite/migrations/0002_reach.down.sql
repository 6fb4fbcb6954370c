DROP VIEW visible_practitioners;
DROP VIEW visible_clinics;
DROP TABLE reach_clinics;
DROP TABLE reach_practitioners;
