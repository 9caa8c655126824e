"""What it means when the PostgreSQL that stands in a folder does not let its supervisor in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest

from signaldesk.embedded import EmbeddedPostgres
from signaldesk.errors import SignalDeskError


@contextmanager
def refusing(state: str) -> Iterator[Path]:
    """A folder with a server that answers whoever comes with this SQLSTATE."""
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/{EmbeddedPostgres.socket_name}")
        server.listen()
        answer = Thread(target=_answer, args=(server, state))
        answer.start()
        try:
            yield Path(folder)
        finally:
            answer.join()


def _answer(server: socket.socket, state: str) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(10_000)
        fields = f"SFATAL\0C{state}\0Mit said so\0\0".encode()
        connection.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)


@pytest.mark.parametrize("state", ["57P01", "57P02", "57P03", "3D000"])
def test_a_server_that_starts_or_stops_does_not_serve_yet(tmp_path: Path, state: str) -> None:
    with refusing(state) as folder:
        assert not EmbeddedPostgres(tmp_path)._serves(folder)


def test_a_server_of_somebody_else_is_an_error(tmp_path: Path) -> None:
    with refusing("28000") as folder, pytest.raises(SignalDeskError, match="does not let us in: it said so"):
        EmbeddedPostgres(tmp_path)._serves(folder)
