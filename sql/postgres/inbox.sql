-- What the Alerts page asks, inside one organisation's transaction.

-- name: rules
-- Those that have alerts which are not resolved.
SELECT DISTINCT r.id, r.name FROM alerts a JOIN rules r ON r.id = a.rule_id
WHERE a.org_id = :org_id AND a.lane = '' AND a.state <> 'resolved'
ORDER BY r.name LIMIT :limit

-- name: labels
SELECT DISTINCT l.key || '=' || l.value AS label FROM alerts a, jsonb_each_text(a.labels) AS l
WHERE a.org_id = :org_id AND a.lane = '' AND a.state <> 'resolved'
ORDER BY 1 LIMIT :limit

-- name: members
SELECT user_id AS id FROM memberships WHERE org_id = :org_id LIMIT :limit

-- name: alert
SELECT a.id, a.title, a.severity, a.state, a."group", a.value, a.at_least, a.margin, a.threshold, a."window",
    a.last_fired_at, a.opened_at, coalesce(a.resolved_by, a.acknowledged_by) AS acknowledged_by, a.rule_id,
    a.rule_version, a.labels, a.event_id, a.firings, a.group_key, a.assigned_to,
    r.name AS rule_name, v.body ->> 'runbook' AS runbook
FROM alerts a
JOIN rules r ON r.id = a.rule_id
LEFT JOIN rule_versions v ON v.rule_id = a.rule_id AND v.version = a.rule_version
WHERE a.org_id = :org_id AND a.id = :id

-- name: latest_firing
SELECT evidence
FROM firings
WHERE org_id = :org_id AND alert_id = :id
ORDER BY timestamp DESC
LIMIT 1

-- name: messages
SELECT n.id, n.status, n.created_at, n.next_attempt_at, c.name AS channel, t.number, t.started_at, t.duration_ms,
    t.outcome, t.status_code, t.error, t.number = max(t.number) OVER (PARTITION BY n.id) AS latest
FROM notifications n
JOIN channels c ON c.id = n.channel_id
LEFT JOIN delivery_attempts t ON t.notification_id = n.id
WHERE n.org_id = :org_id AND n.alert_id = :id
ORDER BY coalesce(t.started_at, n.created_at) DESC
LIMIT :limit

-- name: held
SELECT reason, since, until, count
FROM suppressions
WHERE org_id = :org_id AND rule_id = :rule_id AND lane = '' AND group_key = :group_key AND since >= :since
ORDER BY since DESC
LIMIT :limit

-- name: changes
SELECT kind, at, until, count, user_id, actor, detail
FROM alert_changes
WHERE org_id = :org_id AND alert_id = :id
ORDER BY id DESC
LIMIT :limit

-- name: evidence
SELECT id, type, timestamp, received_at, source, payload
FROM events
WHERE org_id = :org_id AND id = ANY(:ids)
ORDER BY timestamp DESC
LIMIT :limit

-- name: names_to_match
-- Labels of rules, and fields of the groups of alerts that are not resolved.
SELECT name FROM (
    SELECT DISTINCT l.key AS name FROM rules r
    JOIN rule_versions v ON v.rule_id = r.id AND v.version = r.version,
        jsonb_object_keys(coalesce(v.body -> 'labels', '{}')) AS l (key)
    WHERE r.org_id = :org_id AND r.deleted_at IS NULL
    UNION
    SELECT DISTINCT g.key FROM alerts a, jsonb_object_keys(a."group") AS g (key)
    WHERE a.org_id = :org_id AND a.lane = '' AND a.state <> 'resolved') AS n
ORDER BY name LIMIT :limit
