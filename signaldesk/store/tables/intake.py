"""The stream's way into Postgres: partitions and their owners, events, counts."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSON

from signaldesk.store.tables._columns import count, id_column, metadata, now, org, time, words

partitions = Table(
    "partitions",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    count("epoch"),
    count("position"),
    count("checkpoint"),
    count("tries"),
    count("clock"),
    count("checkpoint_clock"),
)
# Beside the partitions, because a commit holds the row of its partition until it is done.
leases = Table(
    "leases",
    metadata,
    Column("partition", SmallInteger, ForeignKey("partitions.id"), primary_key=True, autoincrement=False),
    Column("owner", Text),
    Column("pid", Integer),
    time("started"),
    time("until"),
)
org_progress = Table(
    "org_progress",
    metadata,
    org(),
    words("lane", ""),
    count("watermark"),
    count("events"),
    count("late"),
    PrimaryKeyConstraint("org_id", "lane"),
)
rule_activations = Table(
    "rule_activations",
    metadata,
    org(index=True),
    Column("rule_id", Uuid, ForeignKey("rules.id", ondelete="CASCADE"), nullable=False),
    Column("since_version", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    count("begun"),
    count("late"),
    # Since when its condition is not judged any more, because it failed then.
    time("failed_at"),
    Column("error", Text),
    PrimaryKeyConstraint("rule_id", "since_version"),
)
events = Table(
    "events",
    metadata,
    Column("org_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    words("type"),
    time("timestamp", nullable=False),
    time("received_at", nullable=False),
    Column("source", Text),
    Column("payload", JSON, nullable=False),
    words("lane"),
    Column("clock_skewed", Boolean, nullable=False),
    Column("behind", BigInteger, nullable=False),
    Column("partition", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    PrimaryKeyConstraint("partition", "position", "idx", "received_at"),
    Index(None, "id"),
    Index(None, "org_id", "timestamp"),
    postgresql_partition_by="RANGE (received_at)",
)
event_counts = Table(
    "event_counts",
    metadata,
    org(),
    time("minute", nullable=False),
    words("type"),
    count("events"),
    count("matched"),
    PrimaryKeyConstraint("org_id", "minute", "type"),
)
poison_events = Table(
    "poison_events",
    metadata,
    id_column(),
    org(index=True),
    Column("partition", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    words("error"),
    Column("tries", Integer, nullable=False),
    now("set_aside_at"),
    time("replayed_at"),
    Index("poison_events_place_key", "partition", "position", "idx", unique=True),
)
