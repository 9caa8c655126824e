"""SQL over the organisation's own tables, answered in the format that `Accept` names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from signaldesk.errors import NotAcceptable
from signaldesk.history.sandbox.wire import Format
from signaldesk.model import damage
from signaldesk.web.api.shapes import Ask, Shape
from signaldesk.web.call import Answer, Call

FORMATS: dict[str, Format] = {
    "application/json": "json",
    "text/csv": "csv",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.parquet": "parquet",
}
"""Media types and our names for them; the first is the one for whoever does not care."""
_ANYTHING = ("*/*", "application/*")


class QueryIn(Ask):
    """One statement that begins with SELECT, FROM or WITH."""

    sql: Annotated[str, Field(min_length=1, max_length=1_000_000)]


class ColumnOut(Shape):
    """`type` is DuckDB's name for it."""

    name: str
    type: str


class ResultOut(Shape):
    """Rows are arrays in the order of `columns`."""

    columns: list[ColumnOut]
    rows: list[list[Any]]
    row_count: int
    elapsed_ms: float


async def ask(call: Call) -> Answer:
    media = _chosen(call.headers.get("Accept", ""))
    result = await call.services.queries.ask(call.org_id, call.body(QueryIn).sql, FORMATS[media])
    content_type = f"{media}; charset=utf-8" if media == "text/csv" else media
    headers = {"Content-Type": content_type}
    if result.missing:
        headers[damage.HEADER] = damage.header(result.missing)
    return Answer(stream=result, headers=headers)


def _chosen(accept: str) -> str:
    """The format that is wanted most. Raises NotAcceptable."""
    wanted: list[tuple[float, int, str]] = []
    for part in accept.split(",") if accept.strip() else ["*/*"]:
        media, *parameters = (one.strip().lower() for one in part.split(";"))
        weight = next((_number(one[2:]) for one in parameters if one.startswith("q=")), 1.0)
        wanted.append((-weight, len(wanted), media))
    for weight, _, media in sorted(wanted):
        if weight and (media in FORMATS or media in _ANYTHING):
            return media if media in FORMATS else next(iter(FORMATS))
    raise NotAcceptable(f"results are written as {', '.join(FORMATS)}; name one of them in Accept")


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
