-- What people may ask about in SQL beside events, as PostgreSQL copies it out: a statement for each table.

-- name: alerts
SELECT id, rule_id, title, severity, state, "group", labels, opened_at, last_fired_at, firings, value, at_least,
       margin, threshold, acknowledged_at, resolved_at
FROM alerts
WHERE org_id = %(org)s AND lane = ''
ORDER BY opened_at, id

-- name: labels
SELECT id, name, starts_at, ends_at, "group", comment, created_at
FROM labels
WHERE org_id = %(org)s
ORDER BY starts_at, id

-- name: firings
SELECT id, rule_id, rule_version, alert_id,
       nullif(event_id, '00000000-0000-0000-0000-000000000000') AS event_id,  -- that of none
       timestamp, "group", value, at_least, margin, threshold, window_from, window_to, shadow
FROM firings
WHERE org_id = %(org)s AND lane = ''
ORDER BY timestamp, id
