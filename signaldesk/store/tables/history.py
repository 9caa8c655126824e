"""The history store's books: how far events have gone to Parquet, and the files that hold them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Index, SmallInteger, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from signaldesk.store.tables._columns import count, json, metadata, now, one_of, time, words

history_progress = Table(
    "history_progress",
    metadata,
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    count("archived"),
    count("released"),
    time("archived_at"),
)
history_files = Table(
    "history_files",
    metadata,
    Column("path", Text, primary_key=True),
    Column("org_id", Uuid, nullable=False),
    Column("date", Date, nullable=False),
    words("state"),
    Column("partition", SmallInteger, nullable=False),
    Column("position_after", BigInteger, nullable=False),
    Column("position_upto", BigInteger, nullable=False),
    count("events"),
    count("bytes"),
    time("first"),
    time("last"),
    Column("types", ARRAY(Text)),
    json("fields"),
    Column("digest", Text),
    Column("problem", Text),
    now("changed_at"),
    one_of("state", "writing", "live", "retired", "damaged"),
    Index(None, "org_id", "date"),
)
