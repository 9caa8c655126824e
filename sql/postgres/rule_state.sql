-- What PostgreSQL knows of one rule's groups, inside its organisation's transaction.

-- name: groups
-- The keys of groups hop from one to the next through the indexes: there may be millions of firings.
WITH RECURSIVE known (group_key, n) AS (
    SELECT least(
        (SELECT min(group_key) FROM firings WHERE rule_id = :rule_id AND lane = :lane AND group_key > :after),
        (SELECT min(group_key) FROM suppressions WHERE rule_id = :rule_id AND lane = :lane AND group_key > :after)
    ), 1
    UNION ALL
    SELECT least(
        (SELECT min(group_key) FROM firings
         WHERE rule_id = :rule_id AND lane = :lane AND group_key > known.group_key),
        (SELECT min(group_key) FROM suppressions
         WHERE rule_id = :rule_id AND lane = :lane AND group_key > known.group_key)
    ), n + 1
    FROM known
    WHERE known.group_key IS NOT NULL AND n < :limit
)
SELECT k.group_key, coalesce(f."group", s."group") AS "group", f.timestamp AS last_fired_at, f.value, f.at_least,
    f.margin, f.threshold, f.window_from, f.window_to, s.reason AS held_reason, s.until AS held_at, s.count AS held_count,
    a.id AS alert_id, a.state AS alert_state, a.opened_at AS alert_opened_at, a.firings AS alert_firings
FROM known k
LEFT JOIN LATERAL (
    SELECT * FROM firings
    WHERE rule_id = :rule_id AND lane = :lane AND group_key = k.group_key
    ORDER BY timestamp DESC
    LIMIT 1
) f ON true
LEFT JOIN LATERAL (
    SELECT * FROM suppressions
    WHERE rule_id = :rule_id AND lane = :lane AND group_key = k.group_key
    ORDER BY until DESC
    LIMIT 1
) s ON true
LEFT JOIN alerts a
    ON a.rule_id = :rule_id AND a.lane = :lane AND a.group_key = k.group_key AND a.state <> 'resolved'
WHERE k.group_key IS NOT NULL
ORDER BY k.group_key

-- name: late
SELECT coalesce(sum(late), 0)::bigint AS late
FROM rule_activations
WHERE org_id = :org_id AND rule_id = :rule_id AND since_version = :since_version

-- name: live_version
SELECT live_version
FROM rules
WHERE org_id = :org_id AND id = :rule_id
