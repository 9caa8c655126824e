-- The alerts of a batch, read and written in its transaction (signaldesk/store/alert_book.py).

-- name: unresolved
-- The alerts of these groups that are not resolved; people who change one meanwhile wait.
SELECT a.id, a.org_id, a.rule_id, a.lane, a.group_key, a."group", a.title, a.severity, a.labels, a.rule_version,
    a.event_id, a.opened_at, a.last_fired_at, a.value, a.at_least, a.margin,
    a.threshold, a."window", a.firings, a.state, a.notified_at,
    a.snoozed_until, a.snoozed_value, a.snoozed_firings, a.flapping, a.storm_id
FROM alerts a
JOIN jsonb_to_recordset(%(groups)s) AS g (rule_id uuid, lane text, group_key text)
    USING (rule_id, lane, group_key)
WHERE a.state <> 'resolved'
ORDER BY a.id
FOR UPDATE OF a

-- name: earlier
-- Alerts of these groups that were over by themselves, and had opened since.
SELECT a.rule_id, a.lane, a.group_key, a.opened_at AS at, a.flapping, a.notified_at
FROM jsonb_to_recordset(%(groups)s) AS g (rule_id uuid, lane text, group_key text)
JOIN alerts a USING (rule_id, lane, group_key)
WHERE a.opened_at > %(since)s AND a.resolved_reason IN ('quiet', 'threshold', 'returned')

-- name: told
-- The alerts of these rules that people were told of last.
SELECT r.rule_id, a.id, a.notified_at AS at
FROM unnest(%(rules)s::uuid[]) AS r (rule_id)
CROSS JOIN LATERAL (
    SELECT id, notified_at FROM alerts
    WHERE rule_id = r.rule_id AND lane = '' AND notified_at > %(since)s
    ORDER BY notified_at DESC LIMIT %(most)s) AS a

-- name: storms
SELECT s.id, s.org_id, s.rule_id, s.since, s.until, s.alerts, s.groups, s.messages
FROM unnest(%(rules)s::uuid[]) AS r (rule_id)
CROSS JOIN LATERAL (
    SELECT * FROM storms WHERE rule_id = r.rule_id AND until > %(since)s ORDER BY until DESC LIMIT 1) AS s

-- name: silences
SELECT id, org_id, kind, matchers, starts_at, ends_at, hours
FROM silences
WHERE org_id = ANY(%(orgs)s) AND ends_at > %(since)s AND starts_at <= %(until)s

-- name: change
UPDATE alerts a SET
    state = r.state, last_fired_at = r.last_fired_at, firings = r.firings, value = r.value,
    at_least = r.at_least, margin = r.margin, threshold = r.threshold, "window" = r."window",
    rule_version = r.rule_version, severity = r.severity, notified_at = r.notified_at,
    snoozed_until = r.snoozed_until, snoozed_value = r.snoozed_value, snoozed_firings = r.snoozed_firings,
    snoozed_by = CASE r.state WHEN 'snoozed' THEN a.snoozed_by END, storm_id = r.storm_id,
    resolved_at = r.resolved_at, resolved_reason = r.resolved_reason
FROM jsonb_to_recordset(%(rows)s) AS r (
    id uuid, state text, last_fired_at timestamptz, firings bigint, value float, at_least boolean, margin float,
    threshold float, "window" bigint, rule_version int, severity text, notified_at timestamptz,
    snoozed_until timestamptz, snoozed_value float, snoozed_firings bigint, storm_id uuid, resolved_at timestamptz,
    resolved_reason text)
WHERE a.id = r.id

-- name: open
INSERT INTO alerts (
    id, org_id, rule_id, rule_version, lane, group_key, "group", title, severity, labels, state, event_id,
    opened_at, last_fired_at, firings, value, at_least, margin, threshold, "window", notified_at, flapping, storm_id,
    resolved_at, resolved_reason)
SELECT id, org_id, rule_id, rule_version, lane, group_key, "group", title, severity, labels, state, event_id,
    opened_at, last_fired_at, firings, value, at_least, margin, threshold, "window", notified_at,
    flapping, storm_id, resolved_at, resolved_reason
FROM jsonb_to_recordset(%(rows)s) AS r (
    id uuid, org_id uuid, rule_id uuid, rule_version int, lane text, group_key text, "group" jsonb, title text,
    severity text, labels jsonb, state text, event_id uuid, opened_at timestamptz, last_fired_at timestamptz,
    firings bigint, value float, at_least boolean, margin float, threshold float, "window" bigint,
    notified_at timestamptz, flapping boolean, storm_id uuid, resolved_at timestamptz, resolved_reason text)

-- name: put_changes
-- Firings that follow one another without anything between them are one row: one that `extends` goes into the alert's
-- latest, if that is another firing.
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS r (
        id uuid, org_id uuid, alert_id uuid, kind text, at timestamptz, until timestamptz, count bigint,
        detail jsonb, extends boolean)
), extended AS (
    UPDATE alert_changes c SET count = c.count + g.count, until = greatest(c.until, g.until)
    FROM given g
    WHERE g.extends AND c.kind = 'fired' AND c.id = (
        SELECT id FROM alert_changes WHERE alert_id = g.alert_id ORDER BY id DESC LIMIT 1)
    RETURNING g.id
)
INSERT INTO alert_changes (id, org_id, alert_id, kind, at, until, count, detail)
SELECT id, org_id, alert_id, kind, at, until, count, detail
FROM given
WHERE id NOT IN (SELECT id FROM extended)

-- name: put_notifications
INSERT INTO notifications (id, org_id, alert_id, channel_id, message, received_at)
SELECT id, org_id, alert_id, channel_id, message, received_at
FROM jsonb_to_recordset(%(rows)s) AS r (
    id uuid, org_id uuid, alert_id uuid, channel_id uuid, message jsonb, received_at timestamptz)

-- name: set_message_aside
-- One for each rule, until it is saved again.
INSERT INTO system_alerts (id, org_id, kind, subject, detail)
VALUES (gen_random_uuid(), %(org_id)s, 'message_set_aside', %(rule_id)s::uuid::text,
    format('A message of the rule %%s could not be composed, and nobody was told%%s: %%s', %(name)s::text,
        ' of alert ' || %(alert_id)s::uuid::text, %(error)s::text))
ON CONFLICT DO NOTHING

-- name: waiting
-- Messages that nobody began to send; they stay so until this transaction ends.
SELECT id FROM notifications
WHERE id = ANY(%(ids)s) AND status = 'pending' AND attempts = 0 AND lease_token IS NULL
FOR UPDATE

-- name: gather
INSERT INTO notifications (id, org_id, channel_id, message, received_at, next_attempt_at)
SELECT id, org_id, channel_id, message, received_at, now() + make_interval(secs => wait)
FROM jsonb_to_recordset(%(rows)s) AS r (
    id uuid, org_id uuid, channel_id uuid, message jsonb, received_at timestamptz, wait float)
ON CONFLICT (id) DO UPDATE SET message = EXCLUDED.message

-- name: keep_storms
INSERT INTO storms (id, org_id, rule_id, since, until, alerts, groups, messages)
SELECT id, org_id, rule_id, since, until, alerts, groups, messages
FROM jsonb_to_recordset(%(rows)s) AS r (
    id uuid, org_id uuid, rule_id uuid, since timestamptz, until timestamptz, alerts bigint, groups jsonb,
    messages jsonb)
ON CONFLICT (id) DO UPDATE
SET until = EXCLUDED.until, alerts = EXCLUDED.alerts, groups = EXCLUDED.groups, messages = EXCLUDED.messages
