-- The life of an alert: snoozes, assignments, its timeline; silences; storms.
ALTER TABLE alerts
    ADD COLUMN notified_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN assigned_to UUID CONSTRAINT alerts_assigned_to_fkey REFERENCES users (id) ON DELETE SET NULL,
    ADD COLUMN resolved_reason TEXT,
    ADD COLUMN snoozed_by UUID CONSTRAINT alerts_snoozed_by_fkey REFERENCES users (id) ON DELETE SET NULL,
    ADD COLUMN snoozed_until TIMESTAMP WITH TIME ZONE,
    ADD COLUMN snoozed_value FLOAT,
    ADD COLUMN snoozed_firings BIGINT,
    ADD COLUMN flapping BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN storm_id UUID;
CREATE INDEX alerts_told_idx ON alerts (rule_id, notified_at) WHERE lane = '';
CREATE INDEX alerts_group_idx ON alerts (rule_id, lane, group_key, opened_at);
-- People were told of every firing until now.
UPDATE alerts a SET notified_at = last_fired_at
WHERE state <> 'resolved' AND EXISTS (SELECT FROM notifications n WHERE n.alert_id = a.id);

CREATE TABLE alert_changes (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    alert_id UUID NOT NULL,
    kind TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    count BIGINT DEFAULT 1 NOT NULL,
    user_id UUID,
    actor TEXT DEFAULT '' NOT NULL,
    detail JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT alert_changes_pkey PRIMARY KEY (id),
    CONSTRAINT alert_changes_kind_check CHECK (kind IN (
        'opened', 'fired', 'acknowledged', 'assigned', 'commented', 'snoozed', 'woke', 'resolved', 'reopened',
        'flapping', 'storm')),
    CONSTRAINT alert_changes_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT alert_changes_alert_id_fkey FOREIGN KEY(alert_id) REFERENCES alerts (id) ON DELETE CASCADE,
    CONSTRAINT alert_changes_user_id_fkey FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX alert_changes_org_id_idx ON alert_changes (org_id);
CREATE INDEX alert_changes_alert_id_id_idx ON alert_changes (alert_id, id);

-- What is known of the alerts there are; their ids sort before those that are made from now on.
INSERT INTO alert_changes (id, org_id, alert_id, kind, at, until, detail)
SELECT overlay(gen_random_uuid()::text placing '00' from 1)::uuid, org_id, id, 'opened', opened_at, opened_at, jsonb_build_object('event', event_id)
FROM alerts;
INSERT INTO alert_changes (id, org_id, alert_id, kind, at, until, count)
SELECT overlay(gen_random_uuid()::text placing '00' from 1)::uuid, org_id, id, 'fired', last_fired_at, last_fired_at, firings - 1
FROM alerts WHERE firings > 1;
INSERT INTO alert_changes (id, org_id, alert_id, kind, at, until, user_id)
SELECT overlay(gen_random_uuid()::text placing '00' from 1)::uuid, org_id, id, 'acknowledged', acknowledged_at, acknowledged_at, acknowledged_by
FROM alerts WHERE acknowledged_at IS NOT NULL;
INSERT INTO alert_changes (id, org_id, alert_id, kind, at, until, user_id)
SELECT overlay(gen_random_uuid()::text placing '00' from 1)::uuid, org_id, id, 'resolved', resolved_at, resolved_at, resolved_by
FROM alerts WHERE resolved_at IS NOT NULL;

CREATE TABLE silences (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    kind TEXT NOT NULL,
    matchers JSONB DEFAULT '[]' NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    comment TEXT DEFAULT '' NOT NULL,
    created_by UUID,
    author TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT silences_pkey PRIMARY KEY (id),
    CONSTRAINT silences_kind_check CHECK (kind IN ('silence', 'maintenance')),
    CONSTRAINT silences_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT silences_created_by_fkey FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX silences_org_id_ends_at_idx ON silences (org_id, ends_at);

CREATE TABLE storms (
    id UUID NOT NULL,
    org_id UUID NOT NULL,
    rule_id UUID NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    alerts BIGINT DEFAULT 0 NOT NULL,
    groups JSONB DEFAULT '[]' NOT NULL,
    messages JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT storms_pkey PRIMARY KEY (id),
    CONSTRAINT storms_org_id_fkey FOREIGN KEY(org_id) REFERENCES orgs (id) ON DELETE CASCADE,
    CONSTRAINT storms_rule_id_fkey FOREIGN KEY(rule_id) REFERENCES rules (id) ON DELETE CASCADE
);
CREATE INDEX storms_org_id_idx ON storms (org_id);
CREATE INDEX storms_rule_id_until_idx ON storms (rule_id, until);

ALTER TABLE suppressions ADD COLUMN silence_id UUID;
ALTER TABLE suppressions DROP CONSTRAINT suppressions_reason_check;
ALTER TABLE suppressions ADD CONSTRAINT suppressions_reason_check CHECK (reason IN (
    'cooldown', 'silence', 'maintenance', 'snoozed', 'shadow', 'paused', 'quota', 'inactive', 'flapping', 'storm',
    'repeat', 'acknowledged'));

GRANT SELECT, INSERT ON alert_changes TO signaldesk_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON silences TO signaldesk_app;
GRANT SELECT ON storms TO signaldesk_app;

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['alert_changes', 'silences', 'storms'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            $p$CREATE POLICY tenant ON %I TO signaldesk_app
               USING (org_id = nullif(current_setting('app.org', true), '')::uuid)
               WITH CHECK (org_id = nullif(current_setting('app.org', true), '')::uuid)$p$, tenant_table);
    END LOOP;
END $$;
