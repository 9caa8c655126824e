"""The books of history made again from the files, after PostgreSQL came back without them, or with old ones.

A file that the books do not know becomes live unless other files have all of its events: then it is one that
was put into a larger one, and goes as those do. Each partition is archived as far as its files go; what of
the last archiving never became whole is left to be archived again, which it can be, for PostgreSQL still has
it. All of it is one transaction: whoever reads sees the books as they were, or whole.

A file says itself whose events it has, and is taken for nobody else's, in whatever folder it lies. Of one
that does not say it, from an earlier version, the folder does, unless another organisation has its events:
an entry of the stream is of one organisation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from signaldesk import log
from signaldesk.errors import Conflict
from signaldesk.history import duck, files
from signaldesk.history.shelf import Damaged, Shelf
from signaldesk.store.history_book import HistoryBook, HistoryFile, HistoryKeeper

_PATH = re.compile(r"org=([0-9a-f-]{36})/date=(\d{4}-\d{2}-\d{2})/[^/]+\.parquet")

logger = log.get_logger(__name__)


class Rebuilt(NamedTuple):
    """How many files became live, how many have events that others have, how many never became whole."""

    added: int
    replaced: int
    unfinished: int
    unreadable: list[str]
    """Their paths."""
    foreign: Mapping[str, str] = {}
    """Paths of files in the folder of an organisation whose they are not, or may not be, and why."""


class _Stranger(NamedTuple):
    """A file as its folder has it, and whose it says that it is."""

    file: HistoryFile
    says: UUID | None

    @property
    def owner(self) -> UUID:
        return self.says or self.file.org_id


class Rebuilder:
    """Raises Unavailable, and Conflict for files that cannot belong together."""

    def __init__(self, *, book: HistoryBook, shelf: Shelf) -> None:
        self._book = book
        self._shelf = shelf

    def run(self) -> Rebuilt | None:
        """None while somebody else changes history. May be run again at any time."""
        with self._book.alone() as keeper:
            if keeper is None:
                return None
            known = keeper.files("writing", "live", "retired", "damaged")
            strangers, unreadable = self._strangers({one.path for one in known})
            live = [one for one in known if one.state == "live"]
            foreign = self._foreign(strangers, live)
            found = [one.file for one in strangers if one.file.path not in foreign]
            added, replaced = self._sorted_out(found, live)
            ends = self._ends(keeper, added)
            unfinished = [one for one in added if one.position_upto > ends[one.partition]]
            added = [one for one in added if one.position_upto <= ends[one.partition]]
            keeper.adopt(added, retired=replaced, unfinished=unfinished, archived=ends)
            logger.info("history books made again", added=len(added), replaced=len(replaced))
            return Rebuilt(len(added), len(replaced), len(unfinished), unreadable, foreign)

    def _strangers(self, known: set[str]) -> tuple[list[_Stranger], list[str]]:
        """Files that the books do not know, and paths of those that cannot be read."""
        found, unreadable = [], []
        for path, size in sorted(self._shelf.listing()):
            place = _PATH.fullmatch(path)
            if path in known or place is None:
                continue
            try:
                described = _described(self._shelf.local(path, size), path, *place.groups())
            except (Damaged, OSError, pa.ArrowException, ValueError) as error:
                logger.error("history file cannot be read", path=path, problem=str(error))
                unreadable.append(path)
            else:
                found.append(described)
        return found, unreadable

    def _foreign(self, strangers: Sequence[_Stranger], live: Sequence[HistoryFile]) -> dict[str, str]:
        """Which of these files nobody may take for those of the organisation in whose folder they lie."""
        every = [*(_Stranger(one, one.org_id) for one in live), *strangers]
        problems = {}
        for file, says in strangers:
            if says is None:
                others = [
                    one.file
                    for one in every
                    if one.owner != file.org_id
                    and one.file.partition == file.partition
                    and _overlap(file, one.file)
                ]
                if others and self._shared(file, others):
                    problems[file.path] = "does not say whose it is, and another organisation has its events"
            elif says != file.org_id:
                problems[file.path] = f"is of the organisation {says}"
        for path, problem in problems.items():
            logger.error("history file lies in a foreign folder", path=path, problem=problem)
        return problems

    def _sorted_out(
        self, found: Sequence[HistoryFile], live: Sequence[HistoryFile]
    ) -> tuple[list[HistoryFile], list[HistoryFile]]:
        """Files whose events no other has, and those whose events others have."""
        kept: list[HistoryFile] = []
        replaced: list[HistoryFile] = []
        every = sorted([*found, *live], key=lambda one: (*_place(one), one.state != "live", -one.events))
        for _, alike in groupby(every, key=_place):
            others: list[HistoryFile] = []
            for one in alike:
                if one.state == "live":
                    others.append(one)
                    continue
                near = [other for other in others if _overlap(one, other)]
                shared = self._shared(one, near) if near else 0
                if shared not in (0, one.events):
                    message = f"{one.path} shares {shared} of its {one.events} events with other files"
                    raise Conflict(f"{message}; move one of them away: {', '.join(it.path for it in near)}")
                (replaced if shared else kept).append(one)
                if not shared:
                    others.append(one)
        return kept, replaced

    def _shared(self, one: HistoryFile, others: Sequence[HistoryFile]) -> int:
        """How many of its events these others have."""
        mine, theirs = self._listed([one]), self._listed(others)
        query = (
            f"SELECT count(*) FROM read_parquet({mine}, hive_partitioning = false) one"
            f" SEMI JOIN read_parquet({theirs}, hive_partitioning = false) others USING (position, idx)"
        )
        row = duck.connect().execute(query).fetchone()
        return int(row[0]) if row is not None else 0

    def _listed(self, some: Sequence[HistoryFile]) -> str:
        paths = [str(self._shelf.local(one.path, one.bytes)).replace("'", "''") for one in some]
        return "[" + ", ".join(f"'{path}'" for path in paths) + "]"

    def _ends(self, keeper: HistoryKeeper, added: Sequence[HistoryFile]) -> dict[int, int]:
        """Partition → up to where its files go, as far as PostgreSQL has nothing there that they have not."""
        ends = {}
        for one in keeper.progress():
            mine = [file for file in added if file.partition == one.partition]
            ends[one.partition] = one.archived
            for end in sorted({file.position_upto for file in mine}, reverse=True):
                if end <= one.archived or self._complete(keeper, mine, one.partition, one.archived, end):
                    ends[one.partition] = max(end, one.archived)
                    break
        return ends

    def _complete(
        self, keeper: HistoryKeeper, mine: Sequence[HistoryFile], partition: int, after: int, end: int
    ) -> bool:
        """Whether the files up to here have as many events of each organisation as PostgreSQL, or more."""
        have: dict[UUID, int] = {}
        for file in mine:
            if file.position_upto <= end:
                have[file.org_id] = have.get(file.org_id, 0) + file.events
        stored = keeper.stored(partition, after, end)
        return all(have.get(org_id, 0) >= count for org_id, count in stored.items())


def _place(file: HistoryFile) -> tuple[UUID, date, int]:
    return file.org_id, file.date, file.partition


def _overlap(one: HistoryFile, other: HistoryFile) -> bool:
    return one.position_after < other.position_upto and other.position_after < one.position_upto


def _described(local: Path, path: str, org: str, day: str) -> _Stranger:
    """What the books say of a file, out of the file. Raises Damaged, OSError, ArrowException, ValueError."""
    places, facts = files.describe(local)
    positions = pc.min_max(places["position"])
    partitions = pc.unique(places["partition"]).to_pylist()
    if len(partitions) != 1:
        raise Damaged(path, f"holds events of {len(partitions)} partitions instead of one")
    range_, says = files.marks(local) or ((positions["min"].as_py() - 1, positions["max"].as_py()), None)
    file = HistoryFile(
        path, UUID(org), date.fromisoformat(day), "new", partitions[0], *range_, **facts._asdict()
    )
    return _Stranger(file, says)
