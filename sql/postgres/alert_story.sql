-- The timeline of one alert (signaldesk/store/alert_story.py), inside its organisation's transaction.

-- name: alert
SELECT rule_id, lane, group_key, opened_at AS since, resolved_at AS until
FROM alerts WHERE org_id = :org_id AND id = :id

-- name: changes
SELECT at, until, kind, count, user_id, actor, detail
FROM alert_changes WHERE org_id = :org_id AND alert_id = :id
ORDER BY id DESC LIMIT :most

-- name: switched_off
SELECT detail -> 'switched_off' AS names
FROM alert_changes WHERE org_id = :org_id AND alert_id = :id AND kind = 'opened'

-- name: attempts
SELECT t.started_at AS at, t.started_at AS until,
    CASE t.outcome WHEN 'sent' THEN 'notified' WHEN 'retry' THEN 'retrying' ELSE 'notification_failed' END AS kind,
    1 AS count, NULL::uuid AS user_id, '' AS actor,
    jsonb_strip_nulls(jsonb_build_object('channel', c.name, 'notification', n.id, 'about', n.message ->> 'kind',
        'attempt', t.number, 'status', t.status_code, 'error', t.error)) AS detail
FROM notifications n
JOIN channels c ON c.id = n.channel_id
JOIN delivery_attempts t ON t.notification_id = n.id
WHERE n.org_id = :org_id AND n.alert_id = :id
ORDER BY t.started_at DESC LIMIT :most

-- name: held
SELECT since AS at, until, 'held' AS kind, count, NULL::uuid AS user_id, '' AS actor,
    jsonb_strip_nulls(jsonb_build_object('reason', reason, 'silence', silence_id)) AS detail
FROM suppressions
WHERE org_id = :org_id AND rule_id = :rule_id AND lane = :lane AND group_key = :group_key AND until >= :since
    AND (CAST(:until AS timestamptz) IS NULL OR since <= :until)
ORDER BY until DESC LIMIT :most
