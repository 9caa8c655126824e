-- The whole schema of the main loop: who, what is watched, the stream's way in, what came of it, the books.
-- Times are timestamptz; every tenant row carries org_id; `lane` separates live events ('') from imports.

CREATE TABLE events (
    org_id UUID NOT NULL,
    id UUID NOT NULL,
    type TEXT NOT NULL,
    timestamp TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    source TEXT,
    payload JSON NOT NULL,
    lane TEXT NOT NULL,
    clock_skewed BOOLEAN NOT NULL,
    behind BIGINT NOT NULL,
    partition SMALLINT NOT NULL,
    position BIGINT NOT NULL,
    idx INTEGER NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (partition, position, idx, received_at)
)
 PARTITION BY RANGE (received_at);
CREATE INDEX events_id_idx ON events (id);
CREATE INDEX events_org_id_timestamp_idx ON events (org_id, timestamp);

CREATE TABLE firings (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    rule_id UUID NOT NULL,
    rule_version INTEGER NOT NULL,
    lane TEXT NOT NULL,
    group_key TEXT NOT NULL,
    "group" JSONB DEFAULT '{}' NOT NULL,
    alert_id UUID,
    event_id UUID NOT NULL,
    timestamp TIMESTAMP WITH TIME ZONE NOT NULL,
    value FLOAT NOT NULL,
    at_least BOOLEAN NOT NULL,
    threshold FLOAT NOT NULL,
    window_from TIMESTAMP WITH TIME ZONE NOT NULL,
    window_to TIMESTAMP WITH TIME ZONE NOT NULL,
    evidence UUID[] NOT NULL,
    shadow BOOLEAN NOT NULL,
    partition SMALLINT NOT NULL,
    position BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT firings_pkey PRIMARY KEY (id)
);
CREATE INDEX firings_alert_id_idx ON firings (alert_id);
CREATE INDEX firings_group_idx ON firings (rule_id, lane, group_key, timestamp);
CREATE INDEX firings_org_id_timestamp_idx ON firings (org_id, timestamp);
CREATE INDEX firings_place_idx ON firings (partition, position);

CREATE TABLE partitions (
    id SMALLINT NOT NULL,
    epoch BIGINT DEFAULT 0 NOT NULL,
    owner TEXT,
    owner_pid INTEGER,
    owner_started TIMESTAMP WITH TIME ZONE,
    lease_until TIMESTAMP WITH TIME ZONE,
    position BIGINT DEFAULT 0 NOT NULL,
    checkpoint BIGINT DEFAULT 0 NOT NULL,
    tries BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT partitions_pkey PRIMARY KEY (id)
);

CREATE TABLE plans (
    name TEXT NOT NULL,
    limits JSONB DEFAULT '{}' NOT NULL,
    stripe_price TEXT,
    CONSTRAINT plans_pkey PRIMARY KEY (name)
);

CREATE TABLE users (
    id UUID NOT NULL,
    email TEXT NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    password_hash TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    disabled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email)
);

CREATE TABLE orgs (
    id UUID NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    plan TEXT DEFAULT 'self_hosted' NOT NULL,
    partition SMALLINT NOT NULL,
    rules_revision BIGINT DEFAULT 0 NOT NULL,
    stripe_customer TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT orgs_pkey PRIMARY KEY (id),
    CONSTRAINT orgs_slug_key UNIQUE (slug),
    CONSTRAINT orgs_plan_fkey FOREIGN KEY(plan) REFERENCES plans (name)
);

CREATE TABLE password_resets (
    hash BYTEA NOT NULL,
    user_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT password_resets_pkey PRIMARY KEY (hash),
    CONSTRAINT password_resets_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX password_resets_user_id_idx ON password_resets (user_id);

CREATE TABLE api_keys (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    hash BYTEA NOT NULL,
    hint TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_hash_key UNIQUE (hash),
    CONSTRAINT api_keys_created_by_fkey FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX api_keys_org_id_idx ON api_keys (org_id);

CREATE TABLE audit (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    user_id UUID,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    detail JSONB DEFAULT '{}' NOT NULL,
    request_id TEXT,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (id),
    CONSTRAINT audit_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT audit_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX audit_org_id_at_idx ON audit (org_id, at);

CREATE TABLE channels (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    config JSONB DEFAULT '{}' NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    disabled_reason TEXT,
    failures BIGINT DEFAULT 0 NOT NULL,
    failing_since TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT channels_pkey PRIMARY KEY (id),
    CONSTRAINT channels_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX channels_org_id_name_key ON channels (org_id, name);

CREATE TABLE event_counts (
    org_id UUID NOT NULL,
    minute TIMESTAMP WITH TIME ZONE NOT NULL,
    type TEXT NOT NULL,
    events BIGINT DEFAULT 0 NOT NULL,
    matched BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT event_counts_pkey PRIMARY KEY (org_id, minute, type),
    CONSTRAINT event_counts_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE
);

CREATE TABLE invites (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BYTEA NOT NULL,
    invited_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT invites_pkey PRIMARY KEY (id),
    CONSTRAINT invites_role_check CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    CONSTRAINT invites_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT invites_hash_key UNIQUE (hash),
    CONSTRAINT invites_invited_by_fkey FOREIGN KEY(invited_by) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX invites_org_id_idx ON invites (org_id);

CREATE TABLE memberships (
    org_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT memberships_pkey PRIMARY KEY (org_id, user_id),
    CONSTRAINT memberships_role_check CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    CONSTRAINT memberships_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT memberships_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX memberships_user_id_idx ON memberships (user_id);

CREATE TABLE org_progress (
    org_id UUID NOT NULL,
    lane TEXT DEFAULT '' NOT NULL,
    watermark BIGINT DEFAULT 0 NOT NULL,
    events BIGINT DEFAULT 0 NOT NULL,
    late BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT org_progress_pkey PRIMARY KEY (org_id, lane),
    CONSTRAINT org_progress_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE
);

CREATE TABLE poison_events (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    partition SMALLINT NOT NULL,
    position BIGINT NOT NULL,
    idx INTEGER NOT NULL,
    body BYTEA NOT NULL,
    error TEXT NOT NULL,
    tries INTEGER NOT NULL,
    set_aside_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    replayed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT poison_events_pkey PRIMARY KEY (id),
    CONSTRAINT poison_events_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE
);
CREATE INDEX poison_events_org_id_idx ON poison_events (org_id);
CREATE UNIQUE INDEX poison_events_place_key ON poison_events (partition, position, idx);

CREATE TABLE refresh_tokens (
    hash BYTEA NOT NULL,
    user_id UUID NOT NULL,
    org_id UUID NOT NULL,
    family UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (hash),
    CONSTRAINT refresh_tokens_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_family_idx ON refresh_tokens (family);
CREATE INDEX refresh_tokens_org_id_idx ON refresh_tokens (org_id);
CREATE INDEX refresh_tokens_user_id_idx ON refresh_tokens (user_id);

CREATE TABLE rules (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    since_version INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    live_version INTEGER,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT rules_pkey PRIMARY KEY (id),
    CONSTRAINT rules_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX rules_org_id_name_key ON rules (org_id, name) WHERE deleted_at IS NULL;

CREATE TABLE sessions (
    hash BYTEA NOT NULL,
    user_id UUID NOT NULL,
    org_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (hash),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE
);
CREATE INDEX sessions_org_id_idx ON sessions (org_id);
CREATE INDEX sessions_user_id_idx ON sessions (user_id);

CREATE TABLE system_alerts (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    detail TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    resolved_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT system_alerts_pkey PRIMARY KEY (id),
    CONSTRAINT system_alerts_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX system_alerts_open_key ON system_alerts (org_id, kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX system_alerts_org_id_idx ON system_alerts (org_id);

CREATE TABLE usage (
    org_id UUID NOT NULL,
    day TIMESTAMP WITH TIME ZONE NOT NULL,
    events BIGINT DEFAULT 0 NOT NULL,
    notifications BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT usage_pkey PRIMARY KEY (org_id, day),
    CONSTRAINT usage_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE
);

CREATE TABLE alerts (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    rule_id UUID NOT NULL,
    rule_version INTEGER NOT NULL,
    lane TEXT NOT NULL,
    group_key TEXT NOT NULL,
    "group" JSONB DEFAULT '{}' NOT NULL,
    title TEXT NOT NULL,
    severity TEXT NOT NULL,
    labels JSONB DEFAULT '{}' NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    event_id UUID NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_fired_at TIMESTAMP WITH TIME ZONE NOT NULL,
    firings BIGINT DEFAULT 0 NOT NULL,
    value FLOAT NOT NULL,
    at_least BOOLEAN NOT NULL,
    threshold FLOAT NOT NULL,
    "window" BIGINT NOT NULL,
    acknowledged_by UUID,
    acknowledged_at TIMESTAMP WITH TIME ZONE,
    resolved_by UUID,
    resolved_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT alerts_pkey PRIMARY KEY (id),
    CONSTRAINT alerts_state_check CHECK (state IN ('open', 'acknowledged', 'snoozed', 'resolved')),
    CONSTRAINT alerts_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT alerts_rule_id_fkey FOREIGN KEY(rule_id) REFERENCES rules (id) ON DELETE CASCADE,
    CONSTRAINT alerts_acknowledged_by_fkey FOREIGN KEY(acknowledged_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT alerts_resolved_by_fkey FOREIGN KEY(resolved_by) REFERENCES users (id) ON DELETE SET NULL
);
CREATE UNIQUE INDEX alerts_open_key ON alerts (rule_id, lane, group_key) WHERE state <> 'resolved';
CREATE INDEX alerts_org_id_last_fired_at_idx ON alerts (org_id, last_fired_at);

CREATE TABLE notifications (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    alert_id UUID,
    channel_id UUID NOT NULL,
    message JSONB DEFAULT '{}' NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    lease_token UUID,
    lease_until TIMESTAMP WITH TIME ZONE,
    received_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    CONSTRAINT notifications_pkey PRIMARY KEY (id),
    CONSTRAINT notifications_channel_id_fkey FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE,
    CONSTRAINT notifications_status_check CHECK (status IN ('pending', 'retrying', 'sent', 'failed')),
    CONSTRAINT notifications_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE
);
CREATE INDEX notifications_alert_id_idx ON notifications (alert_id);
CREATE INDEX notifications_due_idx ON notifications (org_id, channel_id, next_attempt_at) WHERE status IN ('pending', 'retrying');
CREATE INDEX notifications_org_id_created_at_idx ON notifications (org_id, created_at);

CREATE TABLE rule_activations (
    org_id UUID NOT NULL,
    rule_id UUID NOT NULL,
    since_version INTEGER NOT NULL,
    position BIGINT NOT NULL,
    late BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT rule_activations_pkey PRIMARY KEY (rule_id, since_version),
    CONSTRAINT rule_activations_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT rule_activations_rule_id_fkey FOREIGN KEY(rule_id) REFERENCES rules (id) ON DELETE CASCADE
);
CREATE INDEX rule_activations_org_id_idx ON rule_activations (org_id);

CREATE TABLE rule_versions (
    org_id UUID NOT NULL,
    rule_id UUID NOT NULL,
    version INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    body JSONB DEFAULT '{}' NOT NULL,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT rule_versions_pkey PRIMARY KEY (rule_id, version),
    CONSTRAINT rule_versions_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT rule_versions_rule_id_fkey FOREIGN KEY(rule_id) REFERENCES rules (id) ON DELETE CASCADE,
    CONSTRAINT rule_versions_created_by_fkey FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX rule_versions_org_id_idx ON rule_versions (org_id);

CREATE TABLE suppressions (
    org_id UUID NOT NULL,
    rule_id UUID NOT NULL,
    lane TEXT NOT NULL,
    group_key TEXT NOT NULL,
    "group" JSONB DEFAULT '{}' NOT NULL,
    reason TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    count BIGINT DEFAULT 0 NOT NULL,
    first_event UUID NOT NULL,
    last_event UUID NOT NULL,
    CONSTRAINT suppressions_reason_check CHECK (reason IN ('cooldown', 'silence', 'maintenance', 'snoozed', 'shadow', 'paused', 'quota')),
    CONSTRAINT suppressions_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT suppressions_rule_id_fkey FOREIGN KEY(rule_id) REFERENCES rules (id) ON DELETE CASCADE
);
CREATE INDEX suppressions_group_idx ON suppressions (rule_id, lane, group_key, until);
CREATE INDEX suppressions_org_id_idx ON suppressions (org_id);

CREATE TABLE delivery_attempts (
    org_id UUID NOT NULL,
    notification_id UUID NOT NULL,
    number INTEGER NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    duration_ms FLOAT NOT NULL,
    outcome TEXT NOT NULL,
    status_code INTEGER,
    error TEXT,
    response TEXT,
    CONSTRAINT delivery_attempts_pkey PRIMARY KEY (notification_id, number),
    CONSTRAINT delivery_attempts_outcome_check CHECK (outcome IN ('sent', 'retry', 'failed')),
    CONSTRAINT delivery_attempts_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT delivery_attempts_notification_id_fkey FOREIGN KEY(notification_id) REFERENCES notifications (id) ON DELETE CASCADE
);
CREATE INDEX delivery_attempts_org_id_idx ON delivery_attempts (org_id);

INSERT INTO plans (name, limits) VALUES
    ('free', '{"events_per_month": 1000000, "retention_days": 30}'),
    ('pro', '{"events_per_month": 10000000, "retention_days": 365}'),
    ('self_hosted', '{}');

INSERT INTO partitions (id) SELECT generate_series(0, 7);

-- Requests of a tenant run as this role: it owns nothing, so row-level security binds it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'signaldesk_app') THEN
        CREATE ROLE signaldesk_app NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role signaldesk_app is missing and % may not create it', current_user
            USING HINT = 'as an administrator: CREATE ROLE signaldesk_app NOLOGIN; GRANT signaldesk_app TO ' || current_user;
END $$;

DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'signaldesk_app', 'MEMBER') THEN
        EXECUTE format('GRANT signaldesk_app TO %I', current_user);
    END IF;
END $$;

GRANT SELECT ON orgs, plans, events, event_counts, rule_activations, org_progress, firings, suppressions,
    poison_events, usage, memberships, delivery_attempts, system_alerts, audit TO signaldesk_app;
GRANT UPDATE (rules_revision) ON orgs TO signaldesk_app;
GRANT SELECT, INSERT, UPDATE ON rules, alerts, notifications, api_keys TO signaldesk_app;
GRANT SELECT, INSERT ON rule_versions TO signaldesk_app;
GRANT UPDATE (resolved_at) ON system_alerts TO signaldesk_app;
GRANT INSERT ON audit TO signaldesk_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON channels, invites, memberships TO signaldesk_app;

ALTER TABLE orgs ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON orgs TO signaldesk_app
    USING (id = nullif(current_setting('app.org', true), '')::uuid);

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOR tenant_table IN
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND a.attname = 'org_id' AND NOT a.attisdropped
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            $p$CREATE POLICY tenant ON %I TO signaldesk_app
               USING (org_id = nullif(current_setting('app.org', true), '')::uuid)
               WITH CHECK (org_id = nullif(current_setting('app.org', true), '')::uuid)$p$, tenant_table);
    END LOOP;
END $$;
