-- Known incidents: spans of time in which something was wrong, told by people, to compare rules with.

CREATE TABLE labels (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    name TEXT NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    "group" JSONB DEFAULT '{}' NOT NULL,
    comment TEXT DEFAULT '' NOT NULL,
    created_by UUID,
    author TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT labels_pkey PRIMARY KEY (id),
    CONSTRAINT labels_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT labels_created_by_fkey FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX labels_org_id_starts_at_idx ON labels (org_id, starts_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON labels TO signaldesk_app;
ALTER TABLE labels ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON labels TO signaldesk_app
    USING (org_id = nullif(current_setting('app.org', true), '')::uuid)
    WITH CHECK (org_id = nullif(current_setting('app.org', true), '')::uuid);
