"""SQL asked of an installation: the bytes of its answer, as they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from signaldesk.client.http import Api
from signaldesk.client.rows import Pieces
from signaldesk.model import damage

PATH = "/api/v1/query"
MEDIA = {
    "json": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
"""Formats and how they are asked for."""


@contextmanager
def asked(api: Api, sql: str, format: str) -> Iterator[Pieces]:
    """Ask once. Raises Unreachable or Refused, also while the answer is read."""
    headers = {"Content-Type": "application/json", "Accept": MEDIA[format]}
    with api.stream(PATH, orjson.dumps({"sql": sql}), headers=headers) as answer:
        yield Pieces(answer.pieces, damage.paths(answer.headers.get(damage.HEADER)))
