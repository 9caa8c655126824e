"""The address to listen on: taken at once, or refused with the reason."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from signaldesk.roles.listening import CannotStart, addresses, bind, local_address


def test_a_free_port_is_the_same_on_every_address_of_the_host() -> None:
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in bind("localhost", 0)]
        assert len({one.getsockname()[1] for one in sockets}) == 1
        with socket.create_connection(local_address(sockets[0])):
            pass


def test_where_everybody_may_come_in_we_come_in_by_loopback() -> None:
    (one,) = bind("0.0.0.0", 0)
    with one:
        assert local_address(one) == ("127.0.0.1", one.getsockname()[1])


def test_the_log_names_the_port_that_was_picked() -> None:
    (one,) = bind("127.0.0.1", 0)
    with one:
        assert addresses([one]) == [f"127.0.0.1:{one.getsockname()[1]}"]


@pytest.mark.parametrize(
    ("host", "complaint"),
    [("192.0.2.1", "no address of this machine"), ("no such host", "cannot listen on")],
)
def test_an_address_that_is_not_ours_is_refused(host: str, complaint: str) -> None:
    with pytest.raises(CannotStart, match=complaint):
        bind(host, 0)


def test_a_port_that_is_taken_is_refused_and_nothing_stays_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port {port} on 127.0.0.1 is taken"):
            bind("127.0.0.1", port)
