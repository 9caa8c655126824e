-- How far each partition's events have gone to Parquet, and the files that hold them.

CREATE TABLE history_progress (
    partition SMALLINT NOT NULL,
    archived BIGINT DEFAULT 0 NOT NULL,
    archived_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT history_progress_pkey PRIMARY KEY (partition)
);
INSERT INTO history_progress (partition) SELECT id FROM partitions;

-- No foreign key: the files of an organisation that is gone must still be found, to be deleted.
CREATE TABLE history_files (
    path TEXT NOT NULL,
    org_id UUID NOT NULL,
    date DATE NOT NULL,
    state TEXT NOT NULL,
    partition SMALLINT NOT NULL,
    position_after BIGINT NOT NULL,
    position_upto BIGINT NOT NULL,
    events BIGINT DEFAULT 0 NOT NULL,
    bytes BIGINT DEFAULT 0 NOT NULL,
    first TIMESTAMP WITH TIME ZONE,
    last TIMESTAMP WITH TIME ZONE,
    types TEXT[],
    fields JSONB DEFAULT '{}' NOT NULL,
    digest TEXT,
    problem TEXT,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT history_files_pkey PRIMARY KEY (path),
    CONSTRAINT history_files_state_check CHECK (state IN ('writing', 'live', 'retired', 'damaged'))
);
CREATE INDEX history_files_org_id_date_idx ON history_files (org_id, date);

GRANT SELECT ON history_progress, history_files TO signaldesk_app;
ALTER TABLE history_files ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON history_files TO signaldesk_app
    USING (org_id = nullif(current_setting('app.org', true), '')::uuid)
    WITH CHECK (org_id = nullif(current_setting('app.org', true), '')::uuid);
