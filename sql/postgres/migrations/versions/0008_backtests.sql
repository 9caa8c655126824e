-- Backtests that the server runs: what was asked, how far they are, what came of them. And up to which position a
-- partition's events have left PostgreSQL.

ALTER TABLE history_progress ADD COLUMN released BIGINT DEFAULT 0 NOT NULL;

CREATE TABLE backtests (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    rule TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT NOT NULL,
    done BIGINT DEFAULT 0 NOT NULL,
    total BIGINT DEFAULT 0 NOT NULL,
    answer JSON,
    firings BYTEA,
    problem JSON,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT backtests_pkey PRIMARY KEY (id),
    CONSTRAINT backtests_state_check CHECK (state IN ('running', 'done', 'failed')),
    CONSTRAINT backtests_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT backtests_created_by_fkey FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX backtests_org_id_created_at_idx ON backtests (org_id, created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON backtests TO signaldesk_app;
ALTER TABLE backtests ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON backtests TO signaldesk_app
    USING (org_id = nullif(current_setting('app.org', true), '')::uuid)
    WITH CHECK (org_id = nullif(current_setting('app.org', true), '')::uuid);
