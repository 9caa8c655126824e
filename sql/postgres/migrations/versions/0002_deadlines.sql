-- Deadlines: how far time (µs) has come in a partition without an event, when conditions began, and more reasons for
-- holding a firing back.
ALTER TABLE partitions ADD COLUMN clock BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE partitions ADD COLUMN checkpoint_clock BIGINT DEFAULT 0 NOT NULL;

ALTER TABLE rule_activations ADD COLUMN begun BIGINT DEFAULT 0 NOT NULL;

ALTER TABLE suppressions DROP CONSTRAINT suppressions_reason_check;
ALTER TABLE suppressions ADD CONSTRAINT suppressions_reason_check CHECK (reason IN (
    'cooldown', 'silence', 'maintenance', 'snoozed', 'shadow', 'paused', 'quota', 'inactive', 'flapping', 'storm',
    'repeat'));
