-- The tables that people ask about beside events: their columns in the order in which sql/postgres/extract.sql selects them.

-- name: alerts
CREATE TABLE alerts (
    id UUID, rule_id UUID, title VARCHAR, severity VARCHAR, state VARCHAR, "group" JSON, labels JSON,
    opened_at TIMESTAMPTZ, last_fired_at TIMESTAMPTZ, firings BIGINT, value DOUBLE, at_least BOOLEAN,
    margin DOUBLE, threshold DOUBLE, acknowledged_at TIMESTAMPTZ, resolved_at TIMESTAMPTZ)

-- name: labels
CREATE TABLE labels (
    id UUID, name VARCHAR, starts_at TIMESTAMPTZ, ends_at TIMESTAMPTZ, "group" JSON, comment VARCHAR,
    created_at TIMESTAMPTZ)

-- name: firings
CREATE TABLE firings (
    id UUID, rule_id UUID, rule_version INTEGER, alert_id UUID, event_id UUID, timestamp TIMESTAMPTZ, "group" JSON,
    value DOUBLE, at_least BOOLEAN, margin DOUBLE, threshold DOUBLE, window_from TIMESTAMPTZ, window_to TIMESTAMPTZ, shadow BOOLEAN)
