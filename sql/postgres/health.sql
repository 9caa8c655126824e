-- What `signaldesk doctor` and `/metrics` ask (signaldesk/store/health.py).

-- name: has_schema
SELECT to_regclass('alembic_version') IS NOT NULL

-- name: schema
SELECT version_num FROM alembic_version

-- name: server
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us,
    current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('full_page_writes') AS full_page_writes,
    current_setting('max_connections')::int AS max_connections,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS connections

-- name: tenant_role
-- No row: the role is missing. It must own nothing and must not be able to look past row-level security.
SELECT rolsuper OR rolbypassrls AS unbound, pg_has_role(current_user, oid, 'MEMBER') AS granted,
    (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid)::int AS owned
FROM pg_roles r
WHERE rolname = 'signaldesk_app'

-- name: unguarded
SELECT coalesce(array_agg(c.relname::text ORDER BY c.relname), '{}') AS names
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND NOT c.relrowsecurity

-- name: day_tables
SELECT to_regclass(:today) IS NOT NULL AS today, to_regclass(:tomorrow) IS NOT NULL AS tomorrow

-- name: partitions
SELECT p.id, p.position, coalesce(l.until >= now(), false) AS owned, p.tries
FROM partitions p JOIN leases l ON l.partition = p.id ORDER BY p.id

-- name: outbox
SELECT coalesce(extract(epoch FROM max(now() - next_attempt_at))::float8, 0) AS oldest_s, count(*) AS overdue
FROM notifications
WHERE status IN ('pending', 'retrying') AND next_attempt_at < now() - interval '10 seconds'

-- name: trouble
SELECT (SELECT count(*) FROM poison_events WHERE replayed_at IS NULL) AS poison,
    (SELECT count(*) FROM channels WHERE NOT enabled AND failing_since IS NOT NULL) AS channels_off,
    (SELECT count(*) FROM memberships WHERE role = 'owner') AS owners,
    (SELECT count(*) FROM rules r JOIN rule_activations a ON a.rule_id = r.id AND a.since_version = r.since_version
     WHERE r.deleted_at IS NULL AND a.failed_at IS NOT NULL) AS rules_aside

-- name: notifications
SELECT s.status, count(n.id) AS many
FROM unnest(ARRAY['pending', 'retrying', 'sent', 'failed']) AS s (status)
LEFT JOIN notifications n ON n.status = s.status AND n.created_at > now() - interval '24 hours'
GROUP BY s.status

-- name: alerts
SELECT s.severity, count(a.id) AS many
FROM unnest(ARRAY['info', 'warning', 'error', 'critical']) AS s (severity)
LEFT JOIN alerts a ON a.severity = s.severity AND a.state <> 'resolved' AND a.lane = ''
GROUP BY s.severity
