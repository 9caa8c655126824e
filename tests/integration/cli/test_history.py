"""`signaldesk history`: how history stands, and putting it in order."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import psycopg

from signaldesk.store.urls import libpq_url
from tests.support.commands import Terminal
from tests.support.history import HistoryLab, some_events
from tests.support.waiting import eventually_now


def waiting(url: str) -> int:
    """How many want to change history while somebody else does so."""
    with psycopg.connect(libpq_url(url)) as connection:
        asked = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return len(connection.execute(asked).fetchall())


def test_events_are_archived_and_put_together_and_damage_is_told(
    servers: Terminal, database_url: str
) -> None:
    terminal, url = servers, database_url
    folder = Path(terminal.variables["SIGNALDESK_DATA_DIR"]) / "history"
    lab = HistoryLab(url, folder)
    org = lab.org()
    assert "0 events in 0 files" in terminal.run("history", "status").out
    lab.store(org, some_events(20))
    lab.archiver().run(closed_only=False)
    lab.store(org, some_events(20))
    with ThreadPoolExecutor(1) as beside:
        with lab.book.alone():
            compact = beside.submit(terminal.run, "history", "compact", "--archive", "--json")
            eventually_now(lambda: waiting(url) == 1, 30)
        done = compact.result().json()
    assert done == {"archived": 20, "set_aside": 0, "mended": 0, "put_together": 1}
    found = terminal.run("history", "status", "--json").json()
    assert (found["events"], found["files"], found["damaged"]) == (40, 1, [])
    (path,) = lab.paths()
    (folder / path).write_bytes(b"PAR1")
    lab.history.cut(org)
    said = terminal.run("history", "status", expect=1).out
    assert f"damaged: {path} has 4 bytes instead of" in said
    assert "1 mended" in terminal.run("history", "compact").out
    assert "damaged" not in terminal.run("history", "status").out


def test_nobody_else_has_a_turn_between_the_steps_of_compact(servers: Terminal, database_url: str) -> None:
    lab = HistoryLab(database_url, Path(servers.variables["SIGNALDESK_DATA_DIR"]) / "history")
    lab.store(lab.org(), some_events(20))
    done = Event()

    def rival() -> None:
        with lab.book.alone(wait=60) as mine:
            assert mine is not None
            assert done.wait(60)

    with ThreadPoolExecutor(2) as beside:
        with lab.book.alone():
            compact = beside.submit(servers.run, "history", "compact", "--archive", "--json")
            eventually_now(lambda: waiting(database_url) == 1, 30)
            next_one = beside.submit(rival)
            eventually_now(lambda: waiting(database_url) == 2, 30)
        said = compact.result().json()
        done.set()
        next_one.result()
    assert said["archived"] == 20


def test_files_that_stayed_behind_when_the_place_was_changed_are_told(
    servers: Terminal, database_url: str, tmp_path: Path
) -> None:
    folder = Path(servers.variables["SIGNALDESK_DATA_DIR"]) / "history"
    lab = HistoryLab(database_url, folder)
    lab.store(lab.org(), some_events(20))
    lab.archiver().run(closed_only=False)
    assert servers.run("history", "status", "--json").json()["missing"] == []
    (tmp_path / "new").mkdir()
    moved = servers.with_(SIGNALDESK_HISTORY_URL=f"file://{tmp_path}/new")
    assert moved.run("history", "status", "--json", expect=1).json()["missing"] == lab.paths()
    said = moved.run("history", "status", expect=1).out
    assert f"missing: 1 of these are not there, such as {lab.paths()[0]}" in said
    assert "SIGNALDESK_HISTORY_URL was changed" in said
    shutil.copytree(folder, tmp_path / "new", dirs_exist_ok=True)
    assert moved.run("history", "status", "--json").json()["missing"] == []


def test_lost_books_are_made_again(servers: Terminal, database_url: str) -> None:
    folder = Path(servers.variables["SIGNALDESK_DATA_DIR"]) / "history"
    lab = HistoryLab(database_url, folder)
    lab.store(lab.org(), some_events(20))
    lab.archiver().run(closed_only=False)
    with psycopg.connect(libpq_url(database_url), autocommit=True) as connection:
        connection.execute("DELETE FROM history_files")
    assert servers.run("history", "rebuild").out.startswith("1 files added")
    assert servers.run("history", "status", "--json").json()["events"] == 20
    (folder / lab.paths()[0]).with_name("broken.parquet").write_bytes(b"PAR1")
    said = servers.run("history", "rebuild", "--json", expect=1).json()
    assert [Path(one).name for one in said["unreadable"]] == ["broken.parquet"]


def test_a_file_in_another_organisations_folder_is_told(servers: Terminal, database_url: str) -> None:
    folder = Path(servers.variables["SIGNALDESK_DATA_DIR"]) / "history"
    lab = HistoryLab(database_url, folder)
    org, other = lab.org(), lab.org("other")
    lab.store(org, some_events(20))
    lab.archiver().run(closed_only=False)
    (mine,) = lab.paths()
    copy = mine.replace(str(org), str(other))
    (folder / copy).parent.mkdir(parents=True)
    shutil.copy(folder / mine, folder / copy)
    said = servers.run("history", "rebuild", expect=1)
    assert said.out.startswith("0 files added")
    assert f"{copy} is of the organisation {org}; move it to where it belongs, or away" in said.err
