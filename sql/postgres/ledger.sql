-- What the engine says to Postgres (signaldesk/store/ledger.py).

-- name: claim
-- A partition is free when nobody holds it, its lease ran out, or its owner's connection is gone; and no commit of an
-- earlier owner is under way, which the new epoch would have to wait for.
WITH free AS (
    SELECT p.id FROM leases l JOIN partitions p ON p.id = l.partition
    WHERE l.owner IS NULL OR l.until < now() OR NOT EXISTS (
        SELECT FROM pg_stat_activity a WHERE a.pid = l.pid AND a.backend_start = l.started)
    ORDER BY p.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), leased AS (
    UPDATE leases l
    SET owner = %(owner)s, until = now() + make_interval(secs => %(lease)s), pid = pg_backend_pid(),
        started = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
    FROM free WHERE l.partition = free.id
)
UPDATE partitions p SET epoch = p.epoch + 1 FROM free WHERE p.id = free.id
RETURNING p.id, p.epoch, p.position, p.checkpoint, p.tries, p.clock, p.checkpoint_clock

-- name: end_frozen
-- Ends the sessions that hold the row of a partition whose lease ran out so long ago: their process is frozen, or out
-- of reach, in the middle of a COPY, to which no time limit of PostgreSQL applies. The holder of a row is the
-- transaction that is about to replace it.
SELECT l.partition, pg_terminate_backend(k.pid) AS ended
FROM leases l JOIN partitions p ON p.id = l.partition
JOIN pg_locks k ON k.locktype = 'transactionid' AND k.transactionid = p.xmax AND k.mode = 'ExclusiveLock' AND k.granted
WHERE l.until < now() - make_interval(secs => %(frozen)s) AND k.pid <> pg_backend_pid()

-- name: renew
UPDATE leases
SET until = now() + make_interval(secs => %(lease)s), pid = pg_backend_pid(),
    started = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
WHERE owner = %(owner)s
RETURNING partition

-- name: release
UPDATE leases SET owner = NULL, until = NULL WHERE partition = %(id)s AND owner = %(owner)s

-- name: owners
-- One that died holds its lease for a while, but not its connection: its successor shall not wait.
SELECT count(DISTINCT owner) FROM (
    SELECT owner FROM leases l WHERE until >= now() AND EXISTS (
        SELECT FROM pg_stat_activity a WHERE a.pid = l.pid AND a.backend_start = l.started)
    UNION SELECT %(owner)s) AS living

-- name: positions
SELECT id, position FROM partitions

-- name: count_try
UPDATE partitions SET tries = tries + 1 WHERE id = %(id)s AND epoch = %(epoch)s RETURNING tries

-- name: advance
-- A repetition matches nothing, also that of a mere checkpoint, which moves only `checkpoint`.
UPDATE partitions
SET position = %(after)s, tries = 0, clock = greatest(clock, %(clock)s),
    checkpoint_clock = CASE WHEN %(checkpoint)s THEN greatest(clock, %(clock)s) ELSE checkpoint_clock END,
    checkpoint = CASE WHEN %(checkpoint)s THEN %(after)s ELSE checkpoint END
WHERE id = %(id)s AND epoch = %(epoch)s AND position = %(before)s
  AND (%(after)s > %(before)s OR checkpoint < %(after)s)

-- name: place
SELECT epoch, position, checkpoint, tries::int, clock, checkpoint_clock FROM partitions WHERE id = %(id)s

-- name: go_live
-- A rule is judged by another version from here on (0: no longer). Markers may overtake each other: the older one
-- changes nothing then. With a new condition the alerts of the one before are over.
WITH live AS (
    UPDATE rules SET live_version = %(version)s
    WHERE id = %(rule_id)s AND org_id = %(org_id)s
      AND (live_version IS NULL OR live_version > 0 AND (%(version)s = 0 OR %(version)s > live_version))
    RETURNING org_id, id
), begun AS (
    INSERT INTO rule_activations (org_id, rule_id, since_version, position, begun)
    SELECT org_id, id, %(since_version)s, %(position)s, %(begun)s FROM live WHERE %(version)s > 0
    ON CONFLICT DO NOTHING RETURNING rule_id
), heeded AS (
    UPDATE system_alerts SET resolved_at = now() FROM live
    WHERE system_alerts.org_id = live.org_id AND subject = live.id::text AND resolved_at IS NULL
      AND (kind = 'message_set_aside'
           OR kind = 'rule_set_aside' AND (%(version)s = 0 OR EXISTS (SELECT FROM begun)))
)
UPDATE alerts SET state = 'resolved', resolved_at = now(), resolved_reason = 'rule'
FROM begun WHERE alerts.rule_id = begun.rule_id AND state <> 'resolved'
RETURNING alerts.id, alerts.org_id, alerts.resolved_at

-- name: known_firings
SELECT id FROM firings WHERE id = ANY(%(ids)s)

-- name: put_firings
INSERT INTO firings (
    id, org_id, rule_id, rule_version, lane, group_key, "group", alert_id, event_id, timestamp, value, at_least,
    margin, threshold, window_from, window_to, evidence, shadow, partition, position)
SELECT id, org_id, rule_id, rule_version, lane, group_key, "group", alert_id, event_id, timestamp, value, at_least,
    margin, threshold, window_from, window_to, evidence, shadow, partition, position
FROM jsonb_to_recordset(%(rows)s) AS r (
    id uuid, org_id uuid, rule_id uuid, rule_version int, lane text, group_key text, "group" jsonb, alert_id uuid,
    event_id uuid, timestamp timestamptz, value float, at_least boolean, margin float, threshold float,
    window_from timestamptz, window_to timestamptz, evidence uuid[], shadow boolean, partition smallint, position bigint)

-- name: put_suppressions
INSERT INTO suppressions (
    org_id, rule_id, lane, group_key, "group", reason, since, until, count, first_event, last_event, silence_id)
SELECT org_id, rule_id, lane, group_key, "group", reason, since, until, count, first_event, last_event, silence_id
FROM jsonb_to_recordset(%(rows)s) AS r (
    org_id uuid, rule_id uuid, lane text, group_key text, "group" jsonb, reason text, since timestamptz,
    until timestamptz, count bigint, first_event uuid, last_event uuid, silence_id uuid)

-- name: set_rule_aside
-- Once for each condition: whoever judges the same events again finds it done.
WITH failed AS (
    UPDATE rule_activations SET failed_at = coalesce(%(at)s, now()), error = %(error)s
    WHERE rule_id = %(rule_id)s AND since_version = %(since_version)s AND failed_at IS NULL
    RETURNING org_id, rule_id
)
INSERT INTO system_alerts (id, org_id, kind, subject, detail)
SELECT gen_random_uuid(), org_id, 'rule_set_aside', rule_id::text,
    format('The rule %%s failed, and is not judged any more: %%s. Save it again when it is mended.',
        %(name)s::text, %(error)s::text)
FROM failed
ON CONFLICT DO NOTHING

-- name: hold
SELECT id FROM partitions WHERE id = %(id)s AND epoch = %(epoch)s FOR UPDATE

-- name: set_event_aside
INSERT INTO poison_events (id, org_id, partition, position, idx, body, error, tries)
VALUES (gen_random_uuid(), %(org_id)s, %(partition)s, %(position)s, %(idx)s, %(body)s, %(error)s, %(tries)s)
ON CONFLICT DO NOTHING

-- name: living
-- Those of these organisations that are still there, and stay until the end of the transaction.
SELECT id FROM orgs WHERE id = ANY(%(orgs)s) ORDER BY id FOR KEY SHARE

-- name: count_minute
INSERT INTO event_counts AS c (org_id, minute, type, events, matched) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (org_id, minute, type) DO UPDATE
SET events = c.events + EXCLUDED.events, matched = c.matched + EXCLUDED.matched

-- name: count_progress
INSERT INTO org_progress AS p (org_id, lane, watermark, events, late) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (org_id, lane) DO UPDATE
SET watermark = greatest(p.watermark, EXCLUDED.watermark), events = p.events + EXCLUDED.events,
    late = p.late + EXCLUDED.late

-- name: count_late
UPDATE rule_activations SET late = late + %s WHERE rule_id = %s AND since_version = %s

-- name: count_usage
INSERT INTO usage AS u (org_id, day, events) VALUES (%s, %s, %s)
ON CONFLICT (org_id, day) DO UPDATE SET events = u.events + EXCLUDED.events

-- name: rules
-- As the engine judges by them: at the version that was live at the committed position, not at the newest one.
SELECT r.org_id, o.name, r.id, r.live_version, a.since_version, v.fingerprint, v.body, t.channels, t.off,
    a.position, a.begun
FROM rules r
JOIN orgs o ON o.id = r.org_id
JOIN rule_versions v ON v.rule_id = r.id AND v.version = r.live_version
CROSS JOIN LATERAL (
    SELECT since_version, position, begun, failed_at FROM rule_activations
    WHERE rule_id = r.id AND since_version <= r.live_version ORDER BY since_version DESC LIMIT 1) AS a
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(c.id ORDER BY n.name) FILTER (WHERE c.enabled), '{}') AS channels,
        coalesce(array_agg(n.name ORDER BY n.name) FILTER (WHERE c.enabled IS NOT TRUE), '{}') AS off
    FROM (SELECT DISTINCT jsonb_array_elements_text(CASE jsonb_typeof(v.body -> 'notify')
            WHEN 'array' THEN v.body -> 'notify' WHEN 'string' THEN jsonb_build_array(v.body -> 'notify')
            ELSE '[]' END) AS name) AS n
    LEFT JOIN channels c ON c.org_id = r.org_id AND c.name = n.name) AS t
WHERE o.partition = %(partition)s AND (%(org_id)s::uuid IS NULL OR r.org_id = %(org_id)s)
  AND a.failed_at IS NULL
ORDER BY r.id

-- name: not_live
-- Rules of these partitions that are saved otherwise than they are judged.
SELECT o.partition, r.org_id, r.id AS rule_id, CASE WHEN r.deleted_at IS NULL THEN r.version ELSE 0 END AS version,
    r.since_version
FROM rules r JOIN orgs o ON o.id = r.org_id
WHERE o.partition = ANY(%(partitions)s)
  AND CASE WHEN r.deleted_at IS NULL THEN coalesce(r.live_version, 0) < r.version ELSE r.live_version > 0 END
ORDER BY r.id

-- name: revisions
-- Which change of its rules each organisation of these partitions stands at.
SELECT id, partition, rules_revision FROM orgs WHERE partition = ANY(%(partitions)s) AND rules_revision > 0

-- name: progress
SELECT p.org_id, p.lane, p.watermark FROM org_progress p JOIN orgs o ON o.id = p.org_id
WHERE o.partition = %(partition)s

-- name: last_fired
SELECT g.rule_id, g.lane, g.group_key, (extract(epoch FROM f.timestamp) * 1000000)::bigint AS last_fired
FROM unnest(%(rules)s::uuid[], %(lanes)s::text[], %(keys)s::text[]) AS g (rule_id, lane, group_key)
CROSS JOIN LATERAL (
    SELECT timestamp FROM firings
    WHERE rule_id = g.rule_id AND lane = g.lane AND group_key = g.group_key
    ORDER BY timestamp DESC LIMIT 1) AS f

-- name: fired
SELECT id FROM firings WHERE partition = %(partition)s AND position > %(after)s

-- name: replay
SELECT org_id, lane, position, (extract(epoch FROM received_at) * 1000000)::bigint, id, type,
    (extract(epoch FROM timestamp) * 1000000)::bigint, convert_to(payload::text, 'UTF8'), source, clock_skewed, behind
FROM events WHERE partition = %(partition)s AND position > %(after)s AND position <= %(upto)s
ORDER BY position, idx

-- name: replay_org
SELECT org_id, lane, position, (extract(epoch FROM received_at) * 1000000)::bigint, id, type,
    (extract(epoch FROM timestamp) * 1000000)::bigint, convert_to(payload::text, 'UTF8'), source, clock_skewed, behind
FROM events
WHERE org_id = %(org_id)s AND lane = %(lane)s AND timestamp > %(since)s AND position <= %(upto)s
ORDER BY position, idx
