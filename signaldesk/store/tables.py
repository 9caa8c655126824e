"""Every table. `sql/postgres/migrations` builds the same schema; a test proves that the two are equal.

Times are `timestamptz`. Every tenant row has `org_id` and is guarded by row-level security (`TENANT`).
`lane` separates live events (`''`) from imports that are judged in their own event time.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def _id() -> Column[Any]:
    return Column("id", Uuid, primary_key=True)


def _org(**options: Any) -> Column[Any]:
    return Column("org_id", Uuid, ForeignKey("orgs.id", ondelete="CASCADE"), nullable=False, **options)


def _user(name: str = "user_id", *, nullable: bool = False) -> Column[Any]:
    gone = "SET NULL" if nullable else "CASCADE"
    return Column(name, Uuid, ForeignKey("users.id", ondelete=gone), nullable=nullable)


def _time(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _now(name: str = "created_at") -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=text("now()"))


def _text(name: str, default: str | None = None) -> Column[Any]:
    given = None if default is None else text(f"'{default}'")
    return Column(name, Text, nullable=False, server_default=given)


def _json(name: str, default: str = "{}") -> Column[Any]:
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'"))


def _count(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


# --- who -----------------------------------------------------------------------------------------------

plans = Table(
    "plans", metadata, Column("name", Text, primary_key=True), _json("limits"), Column("stripe_price", Text)
)
orgs = Table(
    "orgs",
    metadata,
    _id(),
    Column("slug", Text, nullable=False, unique=True),
    _text("name"),
    Column("plan", Text, ForeignKey("plans.name"), nullable=False, server_default=text("'self_hosted'")),
    Column("partition", SmallInteger, nullable=False),
    _count("rules_revision"),
    Column("stripe_customer", Text),
    _now(),
)
users = Table(
    "users",
    metadata,
    _id(),
    Column("email", Text, nullable=False, unique=True),
    _text("name", ""),
    Column("password_hash", Text),
    _now(),
    _time("disabled_at"),
)
memberships = Table(
    "memberships",
    metadata,
    _org(),
    _user(),
    _text("role"),
    _now(),
    PrimaryKeyConstraint("org_id", "user_id"),
    _one_of("role", "owner", "admin", "editor", "viewer"),
    Index(None, "user_id"),
)
sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    _user(),
    _org(index=True),
    _now(),
    _time("expires_at", nullable=False),
    Index(None, "user_id"),
)
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    _user(),
    _org(index=True),
    Column("family", Uuid, nullable=False, index=True),
    _now(),
    _time("expires_at", nullable=False),
    _time("used_at"),
    _time("revoked_at"),
    Index(None, "user_id"),
)
password_resets = Table(
    "password_resets",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    _user(),
    _now(),
    _time("expires_at", nullable=False),
    _time("used_at"),
    Index(None, "user_id"),
)
invites = Table(
    "invites",
    metadata,
    _id(),
    _org(index=True),
    _text("email"),
    _text("role"),
    Column("hash", LargeBinary, nullable=False, unique=True),
    _user("invited_by", nullable=True),
    _now(),
    _time("expires_at", nullable=False),
    _time("accepted_at"),
    _one_of("role", "owner", "admin", "editor", "viewer"),
)
api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _org(index=True),
    _text("name", ""),
    Column("hash", LargeBinary, nullable=False, unique=True),
    _text("hint"),
    Column("scopes", ARRAY(Text), nullable=False),
    _user("created_by", nullable=True),
    _now(),
    _time("last_used_at"),
    _time("expires_at"),
    _time("revoked_at"),
)

# --- what is watched -----------------------------------------------------------------------------------

channels = Table(
    "channels",
    metadata,
    _id(),
    _org(),
    _text("name"),
    _text("kind"),
    _json("config"),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("disabled_reason", Text),
    _count("failures"),
    _time("failing_since"),
    _now(),
    _now("updated_at"),
    Index("channels_org_id_name_key", "org_id", "name", unique=True),
)
rules = Table(
    "rules",
    metadata,
    _id(),
    _org(),
    _text("name"),
    Column("version", Integer, nullable=False),
    Column("since_version", Integer, nullable=False),
    _text("fingerprint"),
    _now(),
    _now("updated_at"),
    _time("deleted_at"),
    Index(
        "rules_org_id_name_key", "org_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")
    ),
)
rule_versions = Table(
    "rule_versions",
    metadata,
    _org(index=True),
    Column("rule_id", Uuid, ForeignKey("rules.id", ondelete="CASCADE"), nullable=False),
    Column("version", Integer, nullable=False),
    _text("fingerprint"),
    _json("body"),
    _user("created_by", nullable=True),
    _now(),
    PrimaryKeyConstraint("rule_id", "version"),
)

# --- the stream's way into Postgres --------------------------------------------------------------------

partitions = Table(
    "partitions",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    _count("epoch"),
    Column("owner", Text),
    Column("owner_pid", Integer),
    _time("owner_started"),
    _time("lease_until"),
    _count("position"),
    _count("checkpoint"),
    _count("tries"),
)
org_progress = Table(
    "org_progress",
    metadata,
    _org(),
    _text("lane", ""),
    _count("watermark"),
    _count("events"),
    _count("late"),
    PrimaryKeyConstraint("org_id", "lane"),
)
rule_activations = Table(
    "rule_activations",
    metadata,
    _org(index=True),
    Column("rule_id", Uuid, ForeignKey("rules.id", ondelete="CASCADE"), nullable=False),
    Column("since_version", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    _count("late"),
    PrimaryKeyConstraint("rule_id", "since_version"),
)
events = Table(
    "events",
    metadata,
    Column("org_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    _text("type"),
    _time("timestamp", nullable=False),
    _time("received_at", nullable=False),
    Column("source", Text),
    Column("payload", JSON, nullable=False),
    _text("lane"),
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
    _org(),
    _time("minute", nullable=False),
    _text("type"),
    _count("events"),
    _count("matched"),
    PrimaryKeyConstraint("org_id", "minute", "type"),
)
poison_events = Table(
    "poison_events",
    metadata,
    _id(),
    _org(index=True),
    Column("partition", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    _text("error"),
    Column("tries", Integer, nullable=False),
    _now("set_aside_at"),
    _time("replayed_at"),
    Index("poison_events_place_key", "partition", "position", "idx", unique=True),
)

# --- what came of it -----------------------------------------------------------------------------------

_GROUP = ("rule_id", "lane", "group_key")

alerts = Table(
    "alerts",
    metadata,
    _id(),
    _org(),
    Column("rule_id", Uuid, ForeignKey("rules.id", ondelete="CASCADE"), nullable=False),
    Column("rule_version", Integer, nullable=False),
    _text("lane"),
    _text("group_key"),
    _json("group"),
    _text("title"),
    _text("severity"),
    _json("labels"),
    _text("state", "open"),
    Column("event_id", Uuid, nullable=False),
    _time("opened_at", nullable=False),
    _time("last_fired_at", nullable=False),
    _count("firings"),
    Column("value", Float, nullable=False),
    Column("at_least", Boolean, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("window", BigInteger, nullable=False),
    _user("acknowledged_by", nullable=True),
    _time("acknowledged_at"),
    _user("resolved_by", nullable=True),
    _time("resolved_at"),
    _now(),
    _one_of("state", "open", "acknowledged", "snoozed", "resolved"),
    Index("alerts_open_key", *_GROUP, unique=True, postgresql_where=text("state <> 'resolved'")),
    Index(None, "org_id", "last_fired_at"),
)
firings = Table(
    "firings",
    metadata,
    Column("id", Uuid, nullable=False),
    Column("org_id", Uuid, nullable=False),
    Column("rule_id", Uuid, nullable=False),
    Column("rule_version", Integer, nullable=False),
    _text("lane"),
    _text("group_key"),
    _json("group"),
    Column("alert_id", Uuid),
    Column("event_id", Uuid, nullable=False),
    _time("timestamp", nullable=False),
    Column("value", Float, nullable=False),
    Column("at_least", Boolean, nullable=False),
    Column("threshold", Float, nullable=False),
    _time("window_from", nullable=False),
    _time("window_to", nullable=False),
    Column("evidence", ARRAY(Uuid), nullable=False),
    Column("shadow", Boolean, nullable=False),
    Column("partition", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    _now(),
    PrimaryKeyConstraint("id"),
    Index("firings_group_idx", *_GROUP, "timestamp"),
    Index("firings_place_idx", "partition", "position"),
    Index(None, "org_id", "timestamp"),
    Index(None, "alert_id"),
)
suppressions = Table(
    "suppressions",
    metadata,
    _org(index=True),
    Column("rule_id", Uuid, ForeignKey("rules.id", ondelete="CASCADE"), nullable=False),
    _text("lane"),
    _text("group_key"),
    _json("group"),
    _text("reason"),
    _time("since", nullable=False),
    _time("until", nullable=False),
    _count("count"),
    Column("first_event", Uuid, nullable=False),
    Column("last_event", Uuid, nullable=False),
    Index("suppressions_group_idx", *_GROUP, "until"),
    _one_of("reason", "cooldown", "silence", "maintenance", "snoozed", "shadow", "paused", "quota"),
)
notifications = Table(
    "notifications",
    metadata,
    _id(),
    _org(),
    Column("alert_id", Uuid),
    Column("channel_id", Uuid, nullable=False),
    _json("message"),
    _text("status", "pending"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _now("next_attempt_at"),
    Column("lease_token", Uuid),
    _time("lease_until"),
    _time("received_at"),
    _now(),
    _time("sent_at"),
    Column("last_error", Text),
    ForeignKeyConstraint(["channel_id"], ["channels.id"], ondelete="CASCADE"),
    _one_of("status", "pending", "retrying", "sent", "failed"),
    # By organisation and channel first: the dispatcher takes a fair share of each (sql/postgres/outbox.sql).
    Index(
        "notifications_due_idx",
        "org_id",
        "channel_id",
        "next_attempt_at",
        postgresql_where=text("status IN ('pending', 'retrying')"),
    ),
    Index(None, "org_id", "created_at"),
    Index(None, "alert_id"),
)
delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    _org(index=True),
    Column("notification_id", Uuid, ForeignKey("notifications.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    _time("started_at", nullable=False),
    Column("duration_ms", Float, nullable=False),
    _text("outcome"),
    Column("status_code", Integer),
    Column("error", Text),
    Column("response", Text),
    PrimaryKeyConstraint("notification_id", "number"),
    _one_of("outcome", "sent", "retry", "failed"),
)

# --- the books -----------------------------------------------------------------------------------------

usage = Table(
    "usage",
    metadata,
    _org(),
    Column("day", DateTime(timezone=True), nullable=False),
    _count("events"),
    _count("notifications"),
    PrimaryKeyConstraint("org_id", "day"),
)
system_alerts = Table(
    "system_alerts",
    metadata,
    _id(),
    _org(index=True),
    _text("kind"),
    _text("subject", ""),
    _text("detail"),
    _now(),
    _time("resolved_at"),
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
    _id(),
    _org(),
    _user(nullable=True),
    _text("actor"),
    _text("action"),
    _text("subject", ""),
    _json("detail"),
    Column("request_id", Text),
    _now("at"),
    Index(None, "org_id", "at"),
)

TENANT = tuple(table for table in metadata.sorted_tables if "org_id" in table.c)
"""Tables whose rows belong to one organisation: row-level security guards each of them."""
