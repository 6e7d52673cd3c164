-- A batch is noted, uploaded, claimed and then made: once it is claimed, whoever finds it without a
-- name must take it for made until the provider's list says otherwise.
ALTER TABLE batches ADD COLUMN claimed_at timestamptz;
-- What was noted before may have been made.
UPDATE batches SET claimed_at = created_at WHERE batch_id IS NULL;
