-- What the dispatcher says to Postgres (signaldesk/store/outbox.py). Times come from its clock.

-- name: claim
-- A fair share of what is due: at most so many of each channel and of each organisation, the first of every
-- organisation before the second of any. `waiting` steps through the index from channel to channel (a loose
-- index scan), so a backlog of a million rows of one channel costs no more to pass than a single row.
WITH RECURSIVE waiting AS (
    (SELECT org_id, channel_id, next_attempt_at FROM notifications
     WHERE status IN ('pending', 'retrying')
     ORDER BY org_id, channel_id, next_attempt_at LIMIT 1)
    UNION ALL
    SELECT further.* FROM waiting w CROSS JOIN LATERAL (
        SELECT n.org_id, n.channel_id, n.next_attempt_at FROM notifications n
        WHERE n.status IN ('pending', 'retrying') AND (n.org_id, n.channel_id) > (w.org_id, w.channel_id)
        ORDER BY n.org_id, n.channel_id, n.next_attempt_at LIMIT 1) further
), due AS (
    SELECT n.id, coalesce(o.room, %(per_org)s) AS org_room,
        row_number() OVER (PARTITION BY w.org_id ORDER BY n.turn, n.next_attempt_at) AS place
    FROM waiting w
    LEFT JOIN unnest(%(orgs)s::uuid[], %(org_rooms)s::int[]) AS o (org_id, room) ON o.org_id = w.org_id
    LEFT JOIN unnest(%(channels)s::uuid[], %(channel_rooms)s::int[]) AS c (channel_id, room)
        ON c.channel_id = w.channel_id
    CROSS JOIN LATERAL (
        SELECT m.id, m.next_attempt_at, row_number() OVER (ORDER BY m.next_attempt_at) AS turn
        FROM notifications m
        WHERE m.status IN ('pending', 'retrying') AND m.org_id = w.org_id AND m.channel_id = w.channel_id
            AND m.next_attempt_at <= %(now)s AND (m.lease_until IS NULL OR m.lease_until <= %(now)s)
            AND m.id <> ALL (%(held)s::uuid[])
        ORDER BY m.next_attempt_at
        LIMIT least(coalesce(c.room, %(per_channel)s), coalesce(o.room, %(per_org)s))) n
    WHERE w.next_attempt_at <= %(now)s
), fair AS (
    SELECT id FROM due WHERE place <= org_room ORDER BY place LIMIT %(total)s
), taken AS (
    SELECT n.id FROM notifications n JOIN fair USING (id)
    WHERE n.status IN ('pending', 'retrying') AND (n.lease_until IS NULL OR n.lease_until <= %(now)s)
    FOR UPDATE OF n SKIP LOCKED
)
UPDATE notifications n
SET lease_token = %(token)s, lease_until = %(until)s, attempts = n.attempts + 1
FROM taken t, channels c
WHERE n.id = t.id AND c.id = n.channel_id
RETURNING n.id, n.org_id, n.alert_id, n.channel_id, n.attempts, n.message::text, c.kind, c.name, c.config::text,
    c.enabled, c.disabled_reason

-- name: renew
UPDATE notifications n SET lease_until = %(until)s
FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[]) AS mine (id, token)
WHERE n.id = mine.id AND n.lease_token = mine.token
RETURNING n.id

-- name: release
-- For leases whose sending did not begin (`begun` false: the attempt is not counted) or was broken off.
UPDATE notifications n
SET lease_token = NULL, lease_until = NULL, attempts = n.attempts - (NOT mine.begun)::int
FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[], %(begun)s::bool[]) AS mine (id, token, begun)
WHERE n.id = mine.id AND n.lease_token = mine.token

-- name: settle
-- What came of many attempts. A row whose lease was lost meanwhile is somebody else's now and stays as it is.
-- The failures of channels through which something arrived are forgotten.
WITH done AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS r (
        id uuid, token uuid, status text, next_attempt_at timestamptz, sent_at timestamptz, number int,
        started_at timestamptz, duration_ms float, outcome text, status_code int, error text, response text)
), kept AS (
    UPDATE notifications n
    SET status = d.status, next_attempt_at = coalesce(d.next_attempt_at, n.next_attempt_at),
        lease_token = NULL, lease_until = NULL, sent_at = d.sent_at, last_error = d.error
    FROM done d WHERE n.id = d.id AND n.lease_token = d.token
    RETURNING n.id, n.org_id
), noted AS (
    INSERT INTO delivery_attempts (
        org_id, notification_id, number, started_at, duration_ms, outcome, status_code, error, response)
    SELECT k.org_id, d.id, d.number, d.started_at, d.duration_ms, d.outcome, d.status_code, d.error, d.response
    FROM done d JOIN kept k USING (id)
    ON CONFLICT (notification_id, number) DO NOTHING
), recovered AS (
    UPDATE channels SET failures = 0, failing_since = NULL
    WHERE id = ANY (%(recovered)s::uuid[]) AND failures > 0
)
SELECT id FROM kept

-- name: lock_channels
-- In one order, so that two dispatchers cannot wait for each other.
SELECT id FROM channels WHERE id = ANY (%(ids)s) ORDER BY id FOR UPDATE

-- name: failing
UPDATE channels c SET failures = c.failures + f.count, failing_since = coalesce(c.failing_since, %(now)s)
FROM unnest(%(ids)s::uuid[], %(counts)s::int[]) AS f (id, count) WHERE c.id = f.id

-- name: switch_off
WITH off AS (
    UPDATE channels c
    SET enabled = false, updated_at = %(now)s, disabled_reason = CASE
        WHEN c.id = ANY (%(gone)s::uuid[]) THEN 'the destination says that it is gone'
        ELSE format('%%s attempts in a row failed since %%s', c.failures,
            to_char(c.failing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) END
    WHERE c.enabled AND (c.id = ANY (%(gone)s::uuid[]) OR (
        c.id = ANY (%(ids)s::uuid[]) AND c.failures >= %(failures)s AND c.failing_since <= %(before)s))
    RETURNING c.org_id, c.id, c.name, c.disabled_reason
), warned AS (
    INSERT INTO system_alerts (id, org_id, kind, subject, detail, created_at)
    SELECT gen_random_uuid(), org_id, 'channel_disabled', id::text,
        format('The channel %%s was switched off: %%s. Mend it and switch it on again.', name, disabled_reason),
        %(now)s
    FROM off
    ON CONFLICT DO NOTHING
)
SELECT org_id, id, name, disabled_reason FROM off
