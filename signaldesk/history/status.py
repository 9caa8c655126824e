"""How history stands: what is archived, in how many files, what waits, and what is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from signaldesk.clock import Clock, from_us
from signaldesk.history.shelf import Shelf
from signaldesk.model.message import many
from signaldesk.store.history_book import HistoryBook, HistoryFile

_SEQ_BITS = 20


@dataclass(frozen=True)
class Status:
    """`behind` is how many seconds of the busiest partition are not archived yet; None when all is."""

    where: str
    files: int
    events: int
    bytes: int
    organisations: int
    oldest: datetime | None
    newest: datetime | None
    waiting: int
    """Files that were replaced and are not deleted yet."""
    archived_at: datetime | None
    behind: float | None
    damaged: list[dict[str, Any]]
    missing: list[str]
    """Paths of files that the books believe in and that are not there."""

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people."""
        size = f"{self.bytes / 1e6:,.1f} MB"
        yield f"{self.events:,} events in {many(self.files, 'file')}, {size}, in {self.where}"
        if not self.files:
            yield "nothing is archived yet: an hour goes when it is over"
        if self.oldest and self.newest:
            of = many(self.organisations, "organisation")
            yield f"of {self.oldest:%Y-%m-%d} to {self.newest:%Y-%m-%d}, {of}"
        if self.behind is not None:
            yield f"not archived yet: the last {self.behind / 3600:.1f} hours; an hour goes when it is over"
        if self.missing:
            yield f"missing: {len(self.missing):,} of these are not there, such as {self.missing[0]}"
            yield "if SIGNALDESK_HISTORY_URL was changed, set it back, or copy the files to the new place"
        for one in self.damaged:
            yield f"damaged: {one['path']} {one['problem']}; {one['events']} events are not readable"
        if self.damaged:
            yield "the scheduler writes them again as long as PostgreSQL has their events; else put them back"


def status(book: HistoryBook, shelf: Shelf, clock: Clock) -> Status:
    """Asks the shelf for one listing. Raises Unavailable."""
    live, damaged, retired = book.files("live"), book.files("damaged"), book.files("retired")
    there = {path for path, _ in shelf.listing()}  # after the books: what is in them lies there by now
    progress = book.progress()
    open_since = [one.archived >> _SEQ_BITS for one in progress if one.committed > one.archived > 0]
    now = from_us(clock.now_us())
    return Status(
        where=shelf.root,
        files=len(live),
        events=sum(one.events for one in live),
        bytes=sum(one.bytes for one in live),
        organisations=len({one.org_id for one in live}),
        oldest=min((one.first for one in live if one.first), default=None),
        newest=max((one.last for one in live if one.last), default=None),
        waiting=len(retired),
        archived_at=max((one.archived_at for one in progress if one.archived_at), default=None),
        behind=max((now.timestamp() - one / 1000 for one in open_since), default=None),
        damaged=[_report(one) for one in damaged],
        missing=[one.path for one in live if one.path not in there],
    )


def _report(file: HistoryFile) -> dict[str, Any]:
    return {
        "path": file.path,
        "organisation": str(file.org_id),
        "date": str(file.date),
        "events": file.events,
        "problem": file.problem,
    }
