"""Whatever dies while history is archived or put in order, or breaks: nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import psycopg
import pytest

from signaldesk.errors import Unavailable
from signaldesk.history.keep import Keeper
from signaldesk.history.shelf import Shelf
from signaldesk.history.status import status
from signaldesk.store.urls import libpq_url
from tests.support.history import DAY, START, HistoryLab, event, ids_of, some_events


class Crash(BaseException):
    """What `kill -9` is to a process, for a thread: nothing catches it."""


class Falling:
    """A shelf that dies at the n-th call, before or after it has done what it was told."""

    def __init__(self, shelf: Shelf, at: int, *, after: bool) -> None:
        self._shelf = shelf
        self._left = at
        self._after = after
        self.root = shelf.root
        self.near = shelf.near

    def _step(self, call: str, *given: object) -> object:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Crash
        done = getattr(self._shelf, call)(*given)
        if self._left == 0:
            raise Crash
        return done

    def draft(self) -> Path:
        path = self._step("draft")
        assert isinstance(path, Path)
        return path

    def put(self, draft: Path, path: str) -> None:
        self._step("put", draft, path)

    def local(self, path: str, size: int) -> Path:
        return self._shelf.local(path, size)

    def delete(self, paths: Iterable[str]) -> None:
        self._step("delete", list(paths))

    def tidy(self) -> None:
        self._shelf.tidy()

    def listing(self) -> Iterator[tuple[str, int]]:
        return self._shelf.listing()


def keeper(lab: HistoryLab, shelf: Shelf | None = None, *, full: int = 1000, stored_days: int = 2) -> Keeper:
    return Keeper(
        book=lab.book,
        events=lab.events,
        shelf=shelf or lab.shelf,
        clock=lab.clock,
        kept_days=30,
        stored_days=stored_days,
        full=full,
    )


def on_disk(lab: HistoryLab) -> list[str]:
    return sorted(path for path, _ in lab.shelf.listing())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(1, 6))
def test_an_archiver_that_dies_loses_and_doubles_nothing(lab: HistoryLab, step: int, after: bool) -> None:
    org = lab.org()
    events = [*some_events(40), event(time=START - DAY)]
    lab.store(org, events)
    with pytest.raises(Crash):
        lab.archiver(Falling(lab.shelf, step, after=after)).run(closed_only=False)
    assert lab.ids(org) == ids_of(events)
    assert lab.paths() == []
    lab.archiver().run(closed_only=False)
    assert lab.ids(org) == ids_of(events)
    assert on_disk(lab) == sorted(lab.paths())


def test_a_commit_that_fails_leaves_everything_in_postgres(lab: HistoryLab) -> None:
    org = lab.org()
    lab.store(org, some_events(10))
    trigger = (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.state = 'live' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;"
        " RETURN NEW; END $$;"
        " CREATE TRIGGER refuse BEFORE UPDATE ON history_files FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    with psycopg.connect(libpq_url(lab.url), autocommit=True) as connection:
        connection.execute(trigger)
        with pytest.raises(Unavailable):
            lab.archiver().run(closed_only=False)
        assert (len(lab.ids(org)), lab.paths()) == (10, [])
        connection.execute("DROP TRIGGER refuse ON history_files")
    lab.archiver().run(closed_only=False)
    assert len(lab.ids(org)) == 10
    assert on_disk(lab) == lab.paths()


def archive_by_tens(url: str, folder: Path, begun: Event) -> None:
    archiver = HistoryLab(url, folder, chunk=10).archiver()
    begun.set()
    archiver.run(closed_only=False)


def test_an_archiver_killed_at_any_moment_loses_and_doubles_nothing(lab: HistoryLab) -> None:
    org = lab.org()
    events = some_events(400)
    for batch in range(0, 400, 10):
        lab.store(org, events[batch : batch + 10])
    processes = get_context("forkserver")
    processes.set_forkserver_preload([__name__])  # imports once what each of them needs
    for delay in (0.0, 0.01, 0.05, 0.1, 0.2):
        begun = processes.Event()
        child = processes.Process(target=archive_by_tens, args=(lab.url, lab.folder, begun))
        child.start()
        assert begun.wait(60)
        child.join(delay or 0.001)
        child.kill()
        child.join()
        child.close()
        assert lab.ids(org) == ids_of(events)
    lab.archiver().run(closed_only=False)
    assert lab.ids(org) == ids_of(events)
    assert on_disk(lab) == sorted(lab.paths())


def test_two_archivers_do_not_work_at_once(lab: HistoryLab) -> None:
    lab.store(lab.org(), [event()])
    with lab.book.alone() as mine:
        with lab.book.alone(wait=0.05) as other:
            assert other is None
        assert mine is not None
        assert lab.archiver().run(closed_only=False).events == 0
    assert lab.archiver().run(closed_only=False).events == 1


def test_small_files_are_put_together_and_readers_notice_nothing(lab: HistoryLab) -> None:
    org = lab.org()
    events = some_events(300)
    for batch in range(0, 300, 30):
        lab.store(org, events[batch : batch + 30])
        lab.archiver().run(closed_only=False)
    before = [one.event for one in lab.history.replay(org)]
    cut = lab.history.cut(org)
    assert keeper(lab).compact() == 9
    assert len(lab.paths()) == 1
    assert [one.event for one in lab.history.replay(org)] == before
    assert all(file.path.exists() for file in cut.files)
    lab.clock.advance(3600)
    assert keeper(lab).clear() == 10
    assert on_disk(lab) == lab.paths()
    assert lab.ids(org) == ids_of(events)


@pytest.mark.parametrize("step", range(1, 4))
def test_one_that_dies_while_it_puts_files_together_changes_nothing(lab: HistoryLab, step: int) -> None:
    org = lab.org()
    events = some_events(90)
    for batch in range(0, 90, 30):
        lab.store(org, events[batch : batch + 30])
        lab.archiver().run(closed_only=False)
    with pytest.raises(Crash):
        keeper(lab, Falling(lab.shelf, step, after=True)).compact(everything=True)
    assert lab.ids(org) == ids_of(events)
    keeper(lab).compact(everything=True)
    assert lab.ids(org) == ids_of(events)
    lab.clock.advance(3600)
    keeper(lab).clear()
    assert on_disk(lab) == lab.paths()


def test_files_of_a_good_size_are_left_alone(lab: HistoryLab) -> None:
    org = lab.org()
    for _ in range(4):
        lab.store(org, some_events(60))
        lab.archiver().run(closed_only=False)
    assert keeper(lab, full=100).compact(everything=True) == 0


@pytest.mark.parametrize("harm", ["cut in half", "gone"])
def test_a_damaged_file_is_set_aside_and_the_rest_stays_readable(lab: HistoryLab, harm: str) -> None:
    org = lab.org()
    first, second = some_events(20), some_events(20, start=START - DAY)
    lab.store(org, first)
    lab.archiver().run(closed_only=False)
    (path,) = lab.paths()
    lab.store(org, second)
    lab.archiver().run(closed_only=False)
    _harm(lab.folder / path, harm)
    cut = lab.history.cut(org)
    assert cut.missing == [path]
    assert lab.ids(org) == ids_of(second)
    (found,) = status(lab.book, lab.shelf, lab.clock).damaged
    assert (found["path"], found["events"]) == (path, 20)
    assert "missing" in found["problem"] or "bytes instead of" in found["problem"]


def test_a_damaged_file_is_written_again_while_postgres_has_its_events(lab: HistoryLab) -> None:
    org = lab.org()
    events = some_events(20)
    lab.store(org, events)
    lab.archiver().run(closed_only=False)
    _harm(lab.folder / lab.paths()[0], "one byte")
    assert keeper(lab).check() == 1
    assert keeper(lab).mend() == 1
    assert lab.ids(org) == ids_of(events)
    assert status(lab.book, lab.shelf, lab.clock).damaged == []


def test_a_damaged_file_that_is_put_back_is_read_again(lab: HistoryLab) -> None:
    org = lab.org()
    events = some_events(20)
    lab.store(org, events)
    lab.archiver().run(closed_only=False)
    (path,) = lab.paths()
    content = (lab.folder / path).read_bytes()
    with psycopg.connect(libpq_url(lab.url), autocommit=True) as connection:
        connection.execute("DELETE FROM events")
    _harm(lab.folder / path, "one byte")
    assert (keeper(lab).check(), keeper(lab).mend()) == (1, 0)
    assert lab.ids(org) == []
    (lab.folder / path).write_bytes(content)
    assert keeper(lab).mend() == 1
    assert lab.ids(org) == ids_of(events)
    assert status(lab.book, lab.shelf, lab.clock).damaged == []


def _harm(file: Path, how: str) -> None:
    content = file.read_bytes()
    match how:
        case "cut in half":
            file.write_bytes(content[: len(content) // 2])
        case "gone":
            file.unlink()
        case _:
            middle = len(content) // 4
            file.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])


def test_plans_say_how_long_events_are_kept_and_a_setting_where_they_do_not(lab: HistoryLab) -> None:
    long, short = lab.org("long", "pro"), lab.org("short")
    for org in (long, short):
        lab.store(org, [event(time=START - 100 * DAY), event(time=START - DAY)])
    lab.archiver().run(closed_only=False)
    assert keeper(lab).expire() == 1
    assert (len(lab.ids(long)), len(lab.ids(short))) == (2, 1)


def test_days_leave_postgres_when_they_are_archived_and_old(lab: HistoryLab) -> None:
    org = lab.org()
    events = some_events(5)
    lab.store(org, events)
    lab.clock.advance(timedelta(days=4).total_seconds())
    assert keeper(lab).release() == 0
    lab.archiver().run()
    assert keeper(lab, stored_days=30).release() == 0
    assert keeper(lab).release() == 1
    with psycopg.connect(libpq_url(lab.url)) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    assert lab.ids(org) == ids_of(events)
