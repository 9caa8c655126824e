"""The books of history are made again from the files, whatever was lost and whenever that was."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from signaldesk.errors import Conflict, Unavailable
from signaldesk.history.files import read, write
from signaldesk.history.keep import Keeper
from signaldesk.history.rebuild import Rebuilder, Rebuilt
from signaldesk.store.urls import libpq_url
from tests.support.history import DAY, START, HistoryLab, event, ids_of, some_events


def rebuild(lab: HistoryLab) -> Rebuilt:
    found = Rebuilder(book=lab.book, shelf=lab.shelf).run()
    assert found is not None
    return found


def change(lab: HistoryLab, *statements: str) -> None:
    with psycopg.connect(libpq_url(lab.url), autocommit=True) as connection:
        for one in statements:
            connection.execute(one.encode())


def lose_the_books(lab: HistoryLab) -> None:
    change(lab, "DELETE FROM history_files", "UPDATE history_progress SET archived = 0")


def keeper(lab: HistoryLab) -> Keeper:
    return Keeper(
        book=lab.book, events=lab.events, shelf=lab.shelf, clock=lab.clock, kept_days=30, stored_days=2
    )


def test_lost_books_are_made_again_and_no_event_is_missing_or_double(lab: HistoryLab) -> None:
    org, other = lab.org(), lab.org("other")
    events, more = some_events(30), some_events(10, start=START - DAY)
    lab.store(org, events)
    lab.store(other, more)
    lab.archiver().run(closed_only=False)
    lab.store(org, more)
    lab.archiver().run(closed_only=False)
    before = {one.path: one._replace(changed_at=None) for one in lab.book.files("live")}
    progress = [one.archived for one in lab.book.progress()]
    rest = [event()]
    lab.store(org, rest)
    lose_the_books(lab)
    assert rebuild(lab) == Rebuilt(len(before), 0, 0, [])
    assert {one.path: one._replace(changed_at=None) for one in lab.book.files("live")} == before
    assert [one.archived for one in lab.book.progress()] == progress
    assert lab.ids(org) == ids_of([*events, *more, *rest])
    assert lab.ids(other) == ids_of(more)
    assert rebuild(lab) == Rebuilt(0, 0, 0, [])
    assert lab.archiver().run(closed_only=False).events == 1


def test_files_that_were_put_into_larger_ones_are_told_apart(lab: HistoryLab) -> None:
    org = lab.org()
    events = some_events(40)
    for start in range(0, 40, 10):
        lab.store(org, events[start : start + 10])
        lab.archiver().run(closed_only=False)
    assert keeper(lab).compact(everything=True) == 3
    lose_the_books(lab)  # the four small ones still lie there
    assert rebuild(lab) == Rebuilt(1, 4, 0, [])
    assert lab.ids(org) == ids_of(events)
    lab.clock.advance(7200)
    assert keeper(lab).clear() == 4
    assert lab.ids(org) == ids_of(events)


def test_books_from_an_older_backup_are_brought_up_to_date(lab: HistoryLab) -> None:
    org = lab.org()
    events = some_events(40)
    lab.store(org, events[:20])
    lab.archiver().run(closed_only=False)
    (old,) = lab.paths()
    archived = lab.book.progress()[0].archived
    lab.store(org, events[20:])
    lab.archiver().run(closed_only=False)
    change(
        lab,
        f"DELETE FROM history_files WHERE path <> '{old}'",
        f"UPDATE history_progress SET archived = {archived} WHERE partition = 0",
        "DELETE FROM events",
    )
    assert lab.ids(org) == ids_of(events[:20])
    assert rebuild(lab) == Rebuilt(1, 0, 0, [])
    assert lab.ids(org) == ids_of(events)


def test_what_never_became_whole_is_archived_again(lab: HistoryLab) -> None:
    org, other = lab.org(), lab.org("other")
    first, second, third = some_events(5), some_events(6), some_events(7)
    lab.store(org, first)
    lab.archiver().run(closed_only=False)
    lab.store(org, second)
    lab.store(other, third)
    lab.archiver().run(closed_only=False)
    half = next(one for one in lab.book.files("live") if one.org_id == other)
    (lab.folder / half.path).unlink()  # as if the archiver had died before it wrote this one
    lose_the_books(lab)
    assert rebuild(lab) == Rebuilt(1, 0, 1, [])
    assert (lab.ids(org), lab.ids(other)) == (ids_of([*first, *second]), ids_of(third))
    assert lab.archiver().run(closed_only=False).events == 13
    assert (lab.ids(org), lab.ids(other)) == (ids_of([*first, *second]), ids_of(third))
    assert sorted(path for path, _ in lab.shelf.listing()) == sorted(lab.paths())


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_found(lab: HistoryLab) -> None:
    org = lab.org()
    lab.store(org, some_events(5))
    lab.store(org, some_events(5, start=START - DAY))
    lab.archiver().run(closed_only=False)
    path = lab.paths()[0]
    content = (lab.folder / path).read_bytes()
    (lab.folder / path).write_bytes(content[: len(content) // 2])
    change(lab, "DELETE FROM events")
    lose_the_books(lab)
    assert rebuild(lab) == Rebuilt(1, 0, 0, [path])
    assert len(lab.ids(org)) == 5
    (lab.folder / path).write_bytes(content)
    assert rebuild(lab) == Rebuilt(1, 0, 0, [])
    assert len(lab.ids(org)) == 10


def test_events_that_were_archived_twice_are_taken_once(lab: HistoryLab) -> None:
    org = lab.org()
    for _ in range(2):
        lab.store(org, some_events(5))
        lab.archiver().run(closed_only=False)
    keeper(lab).compact(everything=True)
    whole = lab.paths()
    lose_the_books(lab)
    lab.store(org, some_events(5))
    change(lab, "UPDATE history_progress SET archived = 1 WHERE partition = 0")
    lab.archiver().run(closed_only=False)  # all fifteen events, again
    (newest,) = set(lab.paths()) - set(whole)
    assert rebuild(lab) == Rebuilt(0, 3, 0, [])
    assert lab.paths() == [newest]


def test_files_that_share_some_events_only_are_named_and_nothing_is_changed(lab: HistoryLab) -> None:
    org = lab.org()
    for _ in range(3):
        lab.store(org, some_events(5))
        lab.archiver().run(closed_only=False)
    first, second, third = lab.book.files("live")
    for number, two in enumerate([(first, second), (second, third)]):
        events = pa.concat_tables([read(lab.folder / one.path) for one in two])
        write(events, lab.folder / Path(first.path).with_name(f"{number}.parquet"))
    lose_the_books(lab)
    with pytest.raises(Conflict, match=r"shares 5 of its 10 events with other files; move one of them away"):
        rebuild(lab)
    assert lab.paths() == []


def test_one_that_dies_in_its_middle_changes_nothing_and_may_be_run_again(lab: HistoryLab) -> None:
    org = lab.org()
    events = some_events(20)
    for start in (0, 10):
        lab.store(org, events[start : start + 10])
        lab.archiver().run(closed_only=False)
    lose_the_books(lab)
    change(
        lab,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF (SELECT count(*) FROM history_files) = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid());"
        " END IF; RETURN NEW; END $$",
        "CREATE TRIGGER die BEFORE INSERT ON history_files FOR EACH ROW EXECUTE FUNCTION die()",
    )
    with pytest.raises(Unavailable):
        rebuild(lab)
    assert (lab.paths(), lab.book.progress()[0].archived) == ([], 0)
    assert lab.ids(org) == ids_of(events)
    change(lab, "DROP TRIGGER die ON history_files")
    assert rebuild(lab).added == 2
    assert lab.ids(org) == ids_of(events)


def test_a_file_in_another_organisations_folder_is_not_taken_for_theirs(lab: HistoryLab) -> None:
    org, other = lab.org(), lab.org("other")
    events = some_events(5)
    lab.store(org, events)
    lab.archiver().run(closed_only=False)
    (mine,) = lab.paths()
    copy = mine.replace(str(org), str(other))
    (lab.folder / copy).parent.mkdir(parents=True)
    shutil.copy(lab.folder / mine, lab.folder / copy)
    refused = {copy: f"is of the organisation {org}"}
    assert rebuild(lab) == Rebuilt(0, 0, 0, [], refused)
    lose_the_books(lab)
    assert rebuild(lab) == Rebuilt(1, 0, 0, [], refused)
    assert (lab.ids(org), lab.ids(other)) == (ids_of(events), [])


def test_of_a_file_that_does_not_say_whose_it_is_its_events_do(lab: HistoryLab) -> None:
    org, other = lab.org(), lab.org("other")
    lab.store(org, some_events(5))
    lab.store(other, some_events(5))
    lab.archiver().run(closed_only=False)
    theirs, mine = sorted(lab.paths(), key=lambda path: str(org) in path)
    for path in (mine, theirs):  # as earlier versions wrote it
        write(read(lab.folder / path), lab.folder / path)
    lose_the_books(lab)
    assert rebuild(lab) == Rebuilt(2, 0, 0, [])
    copy = mine.replace(str(org), str(other))
    (lab.folder / copy).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(lab.folder / mine, lab.folder / copy)
    problem = "does not say whose it is, and another organisation has its events"
    assert rebuild(lab) == Rebuilt(0, 0, 0, [], {copy: problem})
    lose_the_books(lab)  # and with them all that says which of the two is in its place
    change(lab, "DELETE FROM events")
    assert rebuild(lab) == Rebuilt(1, 0, 0, [], {copy: problem, mine: problem})
    assert lab.paths() == [theirs]


def test_somebody_else_changes_history(lab: HistoryLab) -> None:
    with lab.book.alone() as mine:
        assert mine is not None
        assert Rebuilder(book=lab.book, shelf=lab.shelf).run() is None
