"""The desk of an installation elsewhere, over its API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from signaldesk.client import jobs
from signaldesk.client.http import Api
from signaldesk.client.picked import ORDER, Picked
from signaldesk.client.query import asked
from signaldesk.client.rows import Batches, Stream, arriving
from signaldesk.client.saved import Saved

if TYPE_CHECKING:
    import pyarrow as pa

    from signaldesk.backtest.rule import Rule
    from signaldesk.backtest.sweep import Sweep
    from signaldesk.client.desk import Past
    from signaldesk.client.report import ComparisonReport, Report
    from signaldesk.model.label import Label

RULES, LABELS = "/api/v1/rules", "/api/v1/labels"
PAGE = 100_000
"""Events that are asked for at once: an installation limits the rows of one answer."""


class Remote:
    """A backend of `Desk`."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.where = api.url
        self.line = api

    def sql(self, query: str) -> Stream:
        return lambda: arriving(asked(self._api, query, "arrow"))

    def events(self, wanted: Picked) -> Stream:
        return lambda: _pages(self, wanted)

    def backtest(self, wanted: Past, *, progress: bool) -> Report:
        return jobs.backtest(self._api, _order(wanted), progress=progress)

    def sweep(
        self,
        wanted: Past,
        parameters: dict[str, Any],
        *,
        labels: Sequence[Label] | Literal["stored"],
        progress: bool,
    ) -> Sweep:
        from signaldesk.backtest.sweep import listed

        order = _order(wanted) | {"sweep": listed(parameters)}
        if labels:
            order["labels"] = labels if isinstance(labels, str) else [one._asdict() for one in labels]
        return jobs.sweep(self._api, order, progress=progress)

    def compare(self, wanted: Past, against: Rule | str, *, progress: bool) -> ComparisonReport:
        order = _order(wanted) | {"against": _named(against)}
        return jobs.compare(self._api, order, progress=progress)

    def labels(self, since: datetime | None, until: datetime | None) -> list[Label]:
        from signaldesk.model.label import Label

        bounds = {name: one.isoformat() for name, one in (("from", since), ("to", until)) if one is not None}
        found = []
        for one in self._items(f"{LABELS}?{urlencode({'limit': 500, **bounds})}"):
            start, end = (datetime.fromisoformat(one[name]) for name in ("starts_at", "ends_at"))
            found.append(Label(one["name"], start, end, one["group"], one["comment"]))
        return found[::-1]

    def find(self, name: str) -> dict[str, Any] | None:
        named = self._items(f"{RULES}?{urlencode({'limit': 500, 'q': name})}")
        return next(({**one["rule"], "id": one["id"]} for one in named if one["name"] == name), None)

    def _items(self, path: str) -> Iterator[dict[str, Any]]:
        """Those of a list, page after page."""
        more: str | None = path
        while more is not None:
            page = self._api.get(more).body
            yield from page["items"]
            more = f"{path}&cursor={page['next']}" if page["next"] else None

    def save(self, body: dict[str, Any]) -> Saved:
        import orjson

        known = self.find(body["name"])
        text, headers = orjson.dumps(body), {"Content-Type": "application/json"}
        if known is None:
            rule = self._api.post(RULES, text, headers=headers).body
        else:
            rule = self._api.put(f"{RULES}/{known['id']}", text, headers=headers).body
        return Saved(rule["name"], UUID(rule["id"]), rule["version"])

    def close(self) -> None:
        self._api.close()


@contextmanager
def _pages(remote: Remote, wanted: Picked) -> Iterator[Batches]:
    """All of the events, page after page, each from where the one before ended."""
    opened = remote.sql(f"{wanted.sql} ORDER BY {ORDER} LIMIT {PAGE}")
    with opened() as first:
        yield Batches(first.schema, _following(remote, wanted, first), first.missing)


def _following(remote: Remote, wanted: Picked, page: Batches) -> Iterator[pa.RecordBatch]:
    while True:
        rows, last = 0, None
        for batch in page:
            rows, last = rows + batch.num_rows, batch if batch.num_rows else last
            yield batch
        if last is None or rows < PAGE:
            return
        time, position, idx = (last[name][-1] for name in ("timestamp", "position", "idx"))
        moment = f"TIMESTAMPTZ '{time.as_py().isoformat()}'"
        after = (
            f"timestamp >= {moment} AND (timestamp > {moment} OR position > {position.as_py()}"
            f" OR (position = {position.as_py()} AND idx > {idx.as_py()}))"
        )
        with remote.sql(f"{wanted.sql} AND {after} ORDER BY {ORDER} LIMIT {PAGE}")() as following:
            page = Batches(following.schema, iter(list(following)))


def _named(rule: Rule | str) -> str | dict[str, Any]:
    return rule if isinstance(rule, str) else rule.document


def _order(wanted: Past) -> dict[str, Any]:
    order: dict[str, Any] = {
        "rule": _named(wanted.rule),
        "from": wanted.since,
        "to": wanted.until,
    }
    if wanted.version is not None:
        order["version"] = wanted.version
    if wanted.replay:
        order["replay"] = wanted.replay
    return order
