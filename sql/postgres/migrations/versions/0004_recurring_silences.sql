-- Silences that come again: in these hours of the week only.
ALTER TABLE silences ADD COLUMN hours JSONB;
