-- What the Overview page asks. Each runs inside one organisation's transaction, so row-level security holds;
-- org_id is named all the same, for the indexes begin with it.

-- name: bars
SELECT (floor(extract(epoch FROM minute) / :bar_s) * :bar_s)::bigint AS start, sum(events)::bigint AS events,
    sum(matched)::bigint AS matched
FROM event_counts
WHERE org_id = :org_id AND minute >= :since
GROUP BY 1

-- name: attention
SELECT severity, count(*) AS alerts, count(*) FILTER (WHERE state = 'open') AS unacknowledged,
    min(opened_at) AS oldest
FROM alerts
WHERE org_id = :org_id AND lane = '' AND state IN ('open', 'acknowledged')
GROUP BY severity

-- name: most_urgent
SELECT id, title, severity, state, "group", value, at_least, margin, threshold, "window", last_fired_at, opened_at,
    acknowledged_by
FROM alerts
WHERE org_id = :org_id AND lane = '' AND state IN ('open', 'acknowledged')
ORDER BY state = 'acknowledged', array_position(ARRAY['critical', 'error', 'warning', 'info'], severity),
    last_fired_at DESC
LIMIT :limit

-- name: warnings
SELECT detail FROM system_alerts WHERE org_id = :org_id AND resolved_at IS NULL ORDER BY created_at DESC LIMIT :limit

-- name: noisy_rules
WITH fired AS (
    SELECT rule_id, width_bucket(extract(epoch FROM timestamp), :from_s, :to_s, :slices) AS slice, count(*) AS n
    FROM firings
    WHERE org_id = :org_id AND lane = '' AND NOT shadow AND timestamp > :since
    GROUP BY 1, 2)
SELECT f.rule_id, r.name, sum(f.n)::bigint AS firings,
    jsonb_object_agg(least(greatest(f.slice, 1), :slices)::text, f.n) AS slices
FROM fired f
JOIN rules r ON r.id = f.rule_id AND r.deleted_at IS NULL
GROUP BY f.rule_id, r.name
ORDER BY firings DESC, r.name
LIMIT :limit

-- name: delivery
SELECT count(*) FILTER (WHERE status = 'sent') AS sent, count(*) FILTER (WHERE status = 'pending') AS waiting,
    count(*) FILTER (WHERE status = 'retrying') AS retrying, count(*) FILTER (WHERE status = 'failed') AS failed,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - received_at) * 1000)
        FILTER (WHERE status = 'sent' AND received_at IS NOT NULL) AS p99_ms
FROM notifications
WHERE org_id = :org_id AND created_at > :after AND created_at <= :until

-- name: latest
SELECT id, type, timestamp, received_at, source, payload
FROM events
WHERE org_id = :org_id AND lane = '' AND timestamp <= :until
ORDER BY timestamp DESC
LIMIT :limit

-- name: quota
SELECT coalesce((SELECT sum(events) FROM usage WHERE org_id = :org_id AND day >= :since), 0)::bigint AS used,
    (SELECT (p.limits ->> 'events_per_month')::bigint FROM orgs o JOIN plans p ON p.name = o.plan
     WHERE o.id = :org_id) AS most
