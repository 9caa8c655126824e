"""The books: usage, system alerts, the audit trail."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Index, PrimaryKeyConstraint, Table, Text, text

from signaldesk.store.tables._columns import count, id_column, json, metadata, now, org, time, user, words

usage = Table(
    "usage",
    metadata,
    org(),
    Column("day", DateTime(timezone=True), nullable=False),
    count("events"),
    count("notifications"),
    PrimaryKeyConstraint("org_id", "day"),
)
system_alerts = Table(
    "system_alerts",
    metadata,
    id_column(),
    org(index=True),
    words("kind"),
    words("subject", ""),
    words("detail"),
    now(),
    time("resolved_at"),
    Index(
        "system_alerts_open_key",
        "org_id",
        "kind",
        "subject",
        unique=True,
        postgresql_where=text("resolved_at IS NULL"),
    ),
)
audit = Table(
    "audit",
    metadata,
    id_column(),
    org(),
    user(nullable=True),
    words("actor"),
    words("action"),
    words("subject", ""),
    json("detail"),
    Column("request_id", Text),
    now("at"),
    Index(None, "org_id", "at"),
)
