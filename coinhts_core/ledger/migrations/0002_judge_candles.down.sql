DROP TABLE listings;
DROP TABLE revisions;
DROP TABLE quarantine;
UPDATE coverage SET answer = 'unavailable', reason = 'some bars were not believed'
WHERE answer = 'partial';
ALTER TABLE coverage DROP CONSTRAINT answer_is_known;
ALTER TABLE coverage ADD CONSTRAINT answer_is_known CHECK (answer IN ('complete', 'unavailable'));
