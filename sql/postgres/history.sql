-- The history store's books (signaldesk/store/history_book.py).

-- name: place
-- Which partition an organisation's events come through, and up to where that one is archived.
SELECT p.partition, p.archived FROM orgs o JOIN history_progress p ON p.partition = o.partition
WHERE o.id = %(org_id)s

-- name: retention_days
SELECT (p.limits ->> 'retention_days')::int FROM orgs o JOIN plans p ON p.name = o.plan WHERE o.id = %(org_id)s

-- name: first
-- The time of the earliest event that an organisation has stored.
SELECT least(
    (SELECT min(first) FROM history_files WHERE org_id = %(org_id)s AND state IN ('live', 'damaged')),
    (SELECT min(timestamp) FROM events WHERE org_id = %(org_id)s)
)

-- name: watermark
SELECT watermark FROM org_progress WHERE org_id = %(org_id)s AND lane = %(lane)s

-- name: files
SELECT path, org_id, date, state, partition, position_after, position_upto, events, bytes, first, last, types, fields,
    digest, problem, changed_at
FROM history_files
WHERE org_id = %(org_id)s AND state = ANY(%(states)s)
  AND (%(since)s::timestamptz IS NULL OR last >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR first < %(until)s)
ORDER BY date, position_upto, path

-- name: all_files
SELECT path, org_id, date, state, partition, position_after, position_upto, events, bytes, first, last, types, fields,
    digest, problem, changed_at
FROM history_files WHERE state = ANY(%(states)s)
ORDER BY org_id, date, position_upto, path

-- name: progress
-- Positions up to which a partition's events are committed, and archived.
SELECT h.partition, h.archived, h.archived_at, p.position AS committed
FROM history_progress h JOIN partitions p ON p.id = h.partition ORDER BY h.partition

-- name: payload_size
-- About how many bytes a payload has, from here on.
SELECT coalesce(avg(octet_length(payload::text)), 0)::float8 FROM (
    SELECT payload FROM events WHERE partition = %(partition)s AND position > %(after)s AND position <= %(upto)s
    ORDER BY position LIMIT 1000) AS next

-- name: chunk_end
-- The position of the event at which a chunk is full. A position is never cut in two.
SELECT position FROM events
WHERE partition = %(partition)s AND position > %(after)s AND position <= %(upto)s
ORDER BY position OFFSET %(most)s LIMIT 1

-- name: move
UPDATE history_progress SET archived = %(upto)s, archived_at = %(now)s
WHERE partition = %(partition)s AND archived = %(after)s
RETURNING partition

-- name: announce
INSERT INTO history_files (path, org_id, date, state, partition, position_after, position_upto, changed_at)
VALUES (%(path)s, %(org_id)s, %(date)s, 'writing', %(partition)s, %(position_after)s, %(position_upto)s, %(now)s)

-- name: publish
UPDATE history_files
SET state = 'live', events = %(events)s, bytes = %(bytes)s, first = %(first)s, last = %(last)s, types = %(types)s,
    fields = %(fields)s, digest = %(digest)s, changed_at = %(now)s
WHERE path = %(path)s AND state = 'writing'
RETURNING path

-- name: adopt
INSERT INTO history_files (path, org_id, date, state, partition, position_after, position_upto, events, bytes, first,
    last, types, fields, digest, changed_at)
VALUES (%(path)s, %(org_id)s, %(date)s, %(state)s, %(partition)s, %(position_after)s, %(position_upto)s, %(events)s,
    %(bytes)s, %(first)s, %(last)s, %(types)s, %(fields)s, %(digest)s, %(now)s)

-- name: advance
UPDATE history_progress SET archived = %(upto)s, archived_at = %(now)s
WHERE partition = %(partition)s AND archived < %(upto)s

-- name: release
-- Whatever is archived and comes before all that PostgreSQL has, has left it.
UPDATE history_progress SET released = greatest(released, least(archived, coalesce(
    (SELECT min(position) - 1 FROM events WHERE partition = %(partition)s), archived)))
WHERE partition = %(partition)s

-- name: stored
SELECT org_id, count(*) FROM events
WHERE partition = %(partition)s AND position > %(after)s AND position <= %(upto)s
GROUP BY 1

-- name: retire
UPDATE history_files SET state = 'retired', changed_at = %(now)s
WHERE path = ANY(%(paths)s) AND state = ANY(%(states)s)
RETURNING path

-- name: set_aside
UPDATE history_files SET state = 'damaged', problem = %(problem)s, changed_at = %(now)s
WHERE path = %(path)s AND state = 'live'
RETURNING path

-- name: put_back
UPDATE history_files SET state = 'live', problem = NULL, changed_at = %(now)s
WHERE path = %(path)s AND state = 'damaged'
RETURNING path

-- name: forget
DELETE FROM history_files WHERE path = ANY(%(paths)s) AND state IN ('writing', 'retired')

-- name: past_retention
-- Files whose last event is older than their organisation's plan keeps events, or whose organisation is gone.
SELECT f.path FROM history_files f LEFT JOIN orgs o ON o.id = f.org_id LEFT JOIN plans p ON p.name = o.plan
WHERE f.state IN ('live', 'damaged')
  AND (o.id IS NULL OR f.date < (%(now)s::timestamptz AT TIME ZONE 'UTC')::date
       - coalesce((p.limits ->> 'retention_days')::int, %(days)s))

-- name: day_tables
-- Tables of the days, and up to which position each partition's events in them go.
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events'::regclass ORDER BY 1
