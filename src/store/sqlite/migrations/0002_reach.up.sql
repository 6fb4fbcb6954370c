-- What an API key may reach, if it was limited (S5): the orders of the clinics that its practitioners are connected to, and of
-- the clinics that it names. `reach` is the key's number; 0 stands for no limit and has no rows here.
CREATE TABLE reach_practitioners (
  reach  INTEGER NOT NULL,
  app_id TEXT    NOT NULL,
  PRIMARY KEY (reach, app_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE reach_clinics (
  reach     INTEGER NOT NULL,
  source    TEXT    NOT NULL,
  clinic_id TEXT    NOT NULL,
  PRIMARY KEY (reach, source, clinic_id)
) STRICT, WITHOUT ROWID;
-- Every look-up for a limited key asks this, in the query itself.
CREATE VIEW visible_clinics (reach, source, clinic_id) AS
  SELECT r.reach, c.source, c.clinic_id
    FROM reach_practitioners r
    JOIN practitioners p ON p.app_id = r.app_id
    JOIN connections c ON c.practitioner_key = p.practitioner_key AND c.ended_at IS NULL
  UNION ALL
  SELECT reach, source, clinic_id FROM reach_clinics;
-- Whose feed and connections a limited key may ask for: those it names, and those connected to a clinic that it names. What of
-- them it is shown is limited to visible_clinics still.
CREATE VIEW visible_practitioners (reach, practitioner_key) AS
  SELECT r.reach, p.practitioner_key
    FROM reach_practitioners r
    JOIN practitioners p ON p.app_id = r.app_id
  UNION ALL
  SELECT r.reach, c.practitioner_key
    FROM reach_clinics r
    JOIN connections c ON c.source = r.source AND c.clinic_id = r.clinic_id AND c.ended_at IS NULL;
