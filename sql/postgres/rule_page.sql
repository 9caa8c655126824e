-- What the Rules page asks, inside its organisation's transaction.

-- name: figures
-- Of each rule: late events of the present condition, its latest firing, alerts that are not resolved, and the
-- firings since :since in slices. What fired longer ago is known by its alerts only.
WITH fired AS (
    SELECT rule_id, width_bucket(extract(epoch FROM timestamp), :from_s, :to_s, :slices) AS slice, count(*) AS n,
        count(*) FILTER (WHERE timestamp > :day) AS today, max(timestamp) AS last
    FROM firings
    WHERE org_id = :org_id AND lane = '' AND timestamp > :since AND rule_id = ANY(:ids)
    GROUP BY 1, 2),
summed AS (
    SELECT rule_id, sum(today)::bigint AS today, max(last) AS last,
        jsonb_object_agg(least(greatest(slice, 1), :slices)::text, n) AS slices
    FROM fired
    GROUP BY 1)
SELECT r.id, coalesce(s.today, 0) AS fired, s.slices, coalesce(l.late, 0) AS late, coalesce(a.open, 0) AS open_alerts,
    greatest(s.last, a.last) AS last_fired_at
FROM rules r
LEFT JOIN summed s ON s.rule_id = r.id
LEFT JOIN LATERAL (
    SELECT sum(late)::bigint AS late FROM rule_activations
    WHERE org_id = :org_id AND rule_id = r.id AND since_version = r.since_version
) l ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state <> 'resolved') AS open, max(last_fired_at) AS last FROM alerts
    WHERE rule_id = r.id AND lane = ''
) a ON true
WHERE r.org_id = :org_id AND r.id = ANY(:ids)

-- name: total
SELECT count(*) FROM rules WHERE org_id = :org_id AND deleted_at IS NULL

-- name: labels
SELECT DISTINCT l.key || '=' || l.value AS label
FROM rules r
JOIN rule_versions v ON v.rule_id = r.id AND v.version = r.version
CROSS JOIN LATERAL jsonb_each_text(v.body -> 'labels') l
WHERE r.org_id = :org_id AND r.deleted_at IS NULL
ORDER BY 1
LIMIT :limit

-- name: rule_names
-- Of rules that are not made of others themselves.
SELECT r.name
FROM rules r
JOIN rule_versions v ON v.rule_id = r.id AND v.version = r.version
WHERE r.org_id = :org_id AND r.deleted_at IS NULL AND v.body -> 'when' ->> 'kind' <> 'composite'
ORDER BY r.name
LIMIT :limit
