"""Who there is: plans, organisations, users, and what lets them in."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from signaldesk.store.tables._columns import (
    count,
    id_column,
    json,
    metadata,
    now,
    one_of,
    org,
    time,
    user,
    words,
)

plans = Table(
    "plans", metadata, Column("name", Text, primary_key=True), json("limits"), Column("stripe_price", Text)
)
orgs = Table(
    "orgs",
    metadata,
    id_column(),
    Column("slug", Text, nullable=False, unique=True),
    words("name"),
    Column("plan", Text, ForeignKey("plans.name"), nullable=False, server_default=text("'self_hosted'")),
    Column("partition", SmallInteger, nullable=False),
    count("rules_revision"),
    Column("stripe_customer", Text),
    now(),
)
users = Table(
    "users",
    metadata,
    id_column(),
    Column("email", Text, nullable=False, unique=True),
    words("name", ""),
    Column("password_hash", Text),
    now(),
    time("disabled_at"),
)
memberships = Table(
    "memberships",
    metadata,
    org(),
    user(),
    words("role"),
    now(),
    PrimaryKeyConstraint("org_id", "user_id"),
    one_of("role", "owner", "admin", "editor", "viewer"),
    Index(None, "user_id"),
)
sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    user(),
    org(index=True),
    now(),
    time("expires_at", nullable=False),
    Index(None, "user_id"),
)
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    user(),
    org(index=True),
    Column("family", Uuid, nullable=False, index=True),
    now(),
    time("expires_at", nullable=False),
    time("used_at"),
    time("revoked_at"),
    Index(None, "user_id"),
)
password_resets = Table(
    "password_resets",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    user(),
    now(),
    time("expires_at", nullable=False),
    time("used_at"),
    Index(None, "user_id"),
)
invites = Table(
    "invites",
    metadata,
    id_column(),
    org(index=True),
    words("email"),
    words("role"),
    Column("hash", LargeBinary, nullable=False, unique=True),
    user("invited_by", nullable=True),
    now(),
    time("expires_at", nullable=False),
    time("accepted_at"),
    one_of("role", "owner", "admin", "editor", "viewer"),
)
api_keys = Table(
    "api_keys",
    metadata,
    id_column(),
    org(index=True),
    words("name", ""),
    Column("hash", LargeBinary, nullable=False, unique=True),
    words("hint"),
    Column("scopes", ARRAY(Text), nullable=False),
    user("created_by", nullable=True),
    now(),
    time("last_used_at"),
    time("expires_at"),
    time("revoked_at"),
)
