"""What is watched, and whom to tell: channels, labels, rules, their versions."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)

from signaldesk.store.tables._columns import count, id_column, json, metadata, now, org, time, user, words

channels = Table(
    "channels",
    metadata,
    id_column(),
    org(),
    words("name"),
    words("kind"),
    json("config"),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("disabled_reason", Text),
    count("failures"),
    time("failing_since"),
    now(),
    now("updated_at"),
    Index("channels_org_id_name_key", "org_id", "name", unique=True),
)
labels = Table(
    "labels",
    metadata,
    id_column(),
    org(),
    words("name"),
    time("starts_at", nullable=False),
    time("ends_at", nullable=False),
    json("group"),
    words("comment", ""),
    user("created_by", nullable=True),
    words("author", ""),
    now(),
    Index(None, "org_id", "starts_at"),
)
rules = Table(
    "rules",
    metadata,
    id_column(),
    org(),
    words("name"),
    Column("version", Integer, nullable=False),
    Column("since_version", Integer, nullable=False),
    words("fingerprint"),
    # The version that the engine judges by; NULL until it came to the rule's first marker, 0 once deleted.
    Column("live_version", Integer),
    now(),
    now("updated_at"),
    time("deleted_at"),
    Index(
        "rules_org_id_name_key", "org_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")
    ),
)
rule_versions = Table(
    "rule_versions",
    metadata,
    org(index=True),
    Column("rule_id", Uuid, ForeignKey("rules.id", ondelete="CASCADE"), nullable=False),
    Column("version", Integer, nullable=False),
    words("fingerprint"),
    json("body"),
    user("created_by", nullable=True),
    now(),
    words("author", ""),
    PrimaryKeyConstraint("rule_id", "version"),
)
