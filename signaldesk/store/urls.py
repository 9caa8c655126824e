"""One database URL, as each driver spells it."""

from __future__ import annotations


def sqlalchemy_url(url: str) -> str:
    """`postgresql://…` as SQLAlchemy wants it for psycopg 3."""
    return (
        url if url.startswith("postgresql+psycopg://") else "postgresql+psycopg://" + url.partition("://")[2]
    )


def libpq_url(url: str) -> str:
    """The same as libpq, and so psycopg itself, wants it."""
    return "postgresql://" + url.partition("://")[2]
