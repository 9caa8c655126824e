-- What the scheduler does by the clock (signaldesk/store/housekeeping.py); each may be repeated.

-- name: roll_up_usage
-- By organisation first: the index begins with it. Events are counted by the engine as it stores them.
INSERT INTO usage (org_id, day, notifications)
SELECT o.id, sent.day, sent.n
FROM orgs o
CROSS JOIN LATERAL (
    SELECT date_trunc('day', n.created_at, 'UTC') AS day, count(*) AS n
    FROM notifications n
    WHERE n.org_id = o.id AND n.created_at >= :since AND n.status = 'sent'
    GROUP BY 1) AS sent
ON CONFLICT (org_id, day) DO UPDATE SET notifications = EXCLUDED.notifications
WHERE usage.notifications <> EXCLUDED.notifications

-- name: wake_snoozed
UPDATE alerts SET state = 'open', snoozed_by = NULL, snoozed_until = NULL, snoozed_value = NULL,
    snoozed_firings = NULL
WHERE state = 'snoozed' AND snoozed_until <= :now
RETURNING id, org_id

-- name: note_woken
INSERT INTO alert_changes (id, org_id, alert_id, kind, at, until)
VALUES (:id, :org_id, :alert_id, 'woke', :now, :now)

-- name: sweep_sessions
DELETE FROM sessions WHERE expires_at <= :now

-- name: sweep_refresh_tokens
DELETE FROM refresh_tokens WHERE expires_at <= :before

-- name: sweep_password_resets
DELETE FROM password_resets WHERE expires_at <= :before

-- name: sweep_invites
DELETE FROM invites WHERE expires_at <= :before AND accepted_at IS NULL

-- name: sweep_backtests
DELETE FROM backtests WHERE created_at <= :before
