"""Backtests that the server runs: what was asked, how far they are, what came of them."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table
from sqlalchemy.dialects.postgresql import JSON

from signaldesk.store.tables._columns import count, id_column, metadata, now, one_of, org, time, user, words

backtests = Table(
    "backtests",
    metadata,
    id_column(),
    org(),
    words("rule"),
    time("since", nullable=False),
    time("until", nullable=False),
    words("state"),
    count("done"),
    count("total"),
    Column("answer", JSON(none_as_null=True)),  # whose fields keep their order
    Column("firings", LargeBinary),
    Column("problem", JSON(none_as_null=True)),
    user("created_by", nullable=True),
    now(),
    now("changed_at"),
    one_of("state", "running", "done", "failed"),
    Index(None, "org_id", "created_at"),
)
