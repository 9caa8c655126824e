"""What keeps history in good order by the clock: files of a good size, nothing kept too long, nothing broken.

Like archiving, every job is done by one process at a time, in steps that may end anywhere: new files are
announced, written, and take the place of the old ones in one transaction. What was replaced stays on the
shelf for `GRACE`, for those who have just begun to read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

from signaldesk import log
from signaldesk.clock import Clock, from_us
from signaldesk.history import files
from signaldesk.history.archive import new_path, sweep, write
from signaldesk.history.damage import set_aside, verified
from signaldesk.history.shelf import Damaged, Shelf
from signaldesk.store.arrow_events import ArrowEvents
from signaldesk.store.history_book import HistoryBook, HistoryFile, HistoryKeeper

FULL = 1_000_000
"""Events of a file of a good size; smaller ones of the same day are put together up to here."""
FULL_BYTES = 64 << 20
"""The same for its size."""
FEW = 8
"""So many small files of a day may wait for more; a day that is over is put together at once."""
GRACE = timedelta(hours=1)

logger = log.get_logger(__name__)


class Keeper:
    """Every method returns how many files (or days) it changed, 0 while somebody else changes history; who
    has the `turn` to change it passes that on.

    `kept_days` is how long events are kept where the organisation's plan does not say, `stored_days` how long
    they stay in Postgres after they were archived. Raises Unavailable; may be run again at any time.
    """

    def __init__(
        self,
        *,
        book: HistoryBook,
        events: ArrowEvents,
        shelf: Shelf,
        clock: Clock,
        kept_days: int,
        stored_days: int,
        full: int = FULL,
    ) -> None:
        self._book = book
        self._events = events
        self._shelf = shelf
        self._clock = clock
        self._kept_days = kept_days
        self._stored_days = stored_days
        self._full = full

    def compact(
        self,
        *,
        everything: bool = False,
        stop: Callable[[], bool] = lambda: False,
        turn: HistoryKeeper | None = None,
    ) -> int:
        """Put small files together; how many are gone by that. `everything`: even if there are few.

        It ends early, between two files, when `stop` says so.
        """
        gone = 0
        with self._book.alone(turn=turn) as keeper:
            if keeper is not None:
                sweep(keeper, self._shelf)
                for old in self._small(keeper.files("live"), everything):
                    gone += self._join(keeper, old)
                    if stop():
                        break
        return gone

    def mend(self, *, turn: HistoryKeeper | None = None) -> int:
        """Take back damaged files that somebody has put in order; write others again from Postgres, as long
        as it has all their events."""
        with self._book.alone(turn=turn) as keeper:
            if keeper is None or not (damaged := keeper.files("damaged")):
                return 0
            sizes = dict(self._shelf.listing())
            return sum(
                [
                    self._put_back(keeper, file)
                    if sizes.get(file.path) == file.bytes and self._is_whole(file)
                    else self._rewrite(keeper, file)
                    for file in damaged
                ]
            )

    def check(self, *, stop: Callable[[], bool] = lambda: False) -> int:
        """Set aside the files that are damaged; how many those are.

        Files on this machine are read through. Of objects elsewhere it is asked how large they are: they
        are checked by whoever keeps them.
        """
        live = self._book.files("live")  # first: what is in it lies on the shelf by now
        found, sizes = 0, dict(self._shelf.listing())
        for file in live:
            if stop():
                break
            try:
                if file.path not in sizes:
                    raise Damaged(file.path, "is missing")
                if self._shelf.near or sizes[file.path] != file.bytes:
                    verified(self._shelf, file)
            except Damaged as error:
                found += set_aside(self._book, error)
        return found

    def expire(self) -> int:
        """Give up files that are older than their organisation's plan keeps events."""
        with self._book.alone() as keeper:
            if keeper is None:
                return 0
            return keeper.retire(keeper.past_retention(self._kept_days))

    def clear(self) -> int:
        """Delete files that were replaced or given up a while ago, and drafts that nobody finished."""
        with self._book.alone() as keeper:
            if keeper is None:
                return 0
            before = from_us(self._clock.now_us()) - GRACE
            paths = [
                one.path for one in keeper.files("retired") if one.changed_at and one.changed_at <= before
            ]
            self._shelf.delete(paths)
            keeper.forget(paths)
            self._shelf.tidy()
            return len(paths)

    def release(self) -> int:
        """Drop whole days from Postgres that are archived and older than they have to stay there."""
        with self._book.alone() as keeper:
            if keeper is None or keeper.files("damaged"):
                return 0  # a damaged file may still be mended from there
            last = from_us(self._clock.now_us()).date() - timedelta(days=self._stored_days)
            old = [name for name in keeper.day_tables() if name < f"events_{last:%Y%m%d}"]
            return sum(keeper.drop_day(name) for name in old if re.fullmatch(r"events_\d{8}", name))

    def _small(self, live: list[HistoryFile], everything: bool) -> Iterator[list[HistoryFile]]:
        """Files to put together: of one organisation, partition and day, together of about a good size."""
        today = from_us(self._clock.now_us()).date()
        small = [one for one in live if 4 * one.events <= 3 * self._full and one.bytes <= FULL_BYTES // 2]
        small.sort(key=lambda one: (one.org_id, one.date, one.partition, one.position_upto))
        for (_, day, _), alike in groupby(small, key=lambda one: (one.org_id, one.date, one.partition)):
            batches: list[list[HistoryFile]] = [[]]
            for one in alike:
                together = [*batches[-1], one]
                events, size = sum(it.events for it in together), sum(it.bytes for it in together)
                if events > self._full or size > FULL_BYTES:
                    batches.append([])
                batches[-1].append(one)
            for batch in batches:
                if len(batch) > 1 and (everything or len(batch) >= FEW or day < today - timedelta(days=1)):
                    yield batch

    def _join(self, keeper: HistoryKeeper, old: list[HistoryFile]) -> int:
        tables = []
        for one in old:
            try:
                tables.append(self._read(one))
            except Damaged as error:
                set_aside(self._book, error)
                return 0
        new = old[0]._replace(
            path=new_path(old[0].org_id, old[0].date),
            position_after=min(one.position_after for one in old),
            position_upto=max(one.position_upto for one in old),
        )
        self._replace(keeper, old, new, pa.concat_tables(tables), "live")
        return len(old) - 1

    def _is_whole(self, file: HistoryFile) -> bool:
        try:
            verified(self._shelf, file)
        except Damaged:
            return False
        return True

    def _put_back(self, keeper: HistoryKeeper, file: HistoryFile) -> int:
        logger.info("history file is whole again", path=file.path)
        return keeper.put_back(file.path)

    def _rewrite(self, keeper: HistoryKeeper, file: HistoryFile) -> int:
        rows = self._events.between(file.partition, file.position_after, file.position_upto)
        day = pc.equal(pc.cast(pc.floor_temporal(rows["timestamp"], unit="day"), pa.date32()), file.date)
        mine = pc.equal(rows["org_id"], pa.scalar(file.org_id.bytes, pa.binary(16)))
        rows = rows.filter(pc.and_(day, mine)).drop_columns(["org_id"])
        if rows.num_rows != file.events:
            return 0
        self._replace(keeper, [file], file._replace(path=new_path(file.org_id, file.date)), rows, "damaged")
        logger.info("history file written again", path=file.path)
        return 1

    def _replace(
        self, keeper: HistoryKeeper, old: list[HistoryFile], new: HistoryFile, events: pa.Table, state: str
    ) -> None:
        keeper.announce([new])
        keeper.swap(old, [write(self._shelf, new, files.sort(events), level=files.SMALL)], state)

    def _read(self, file: HistoryFile) -> pa.Table:
        """All events of a file. Raises Damaged."""
        path = verified(self._shelf, file)
        try:
            table = files.read(path)
        except (OSError, pa.ArrowException) as error:
            raise Damaged(file.path, str(error)) from error
        if table.num_rows != file.events:
            raise Damaged(file.path, f"has {table.num_rows} events instead of {file.events}")
        return table
