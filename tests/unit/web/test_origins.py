from __future__ import annotations

from ipaddress import ip_network

import pytest

from signaldesk.web.origins import client_address, own_origins
from signaldesk.web.site import HOME, safe_next

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def test_a_public_address_is_its_own_only_origin() -> None:
    assert own_origins("https://Desk.Example.com/base") == {"https://desk.example.com"}
    assert own_origins("https://desk.example.com:8443") == {"https://desk.example.com:8443"}


def test_a_loopback_address_has_three_names() -> None:
    three = {"http://localhost:5006", "http://127.0.0.1:5006", "http://[::1]:5006"}
    for name in ("localhost", "127.0.0.1", "[::1]"):
        assert own_origins(f"http://{name}:5006") == three


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.9, 10.0.0.7"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4", "203.0.113.9"], "203.0.113.9"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["nonsense"], "nonsense"),
        ("10.0.0.1", [" , "], "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: list[str], client: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == client


@pytest.mark.parametrize("ours", ["/", "/overview", "/overview?range=7d#x", "/a//b"])
def test_paths_of_ours_are_safe_to_go_to(ours: str) -> None:
    assert safe_next(ours) == ours


@pytest.mark.parametrize(
    "theirs", ["", "x", "//e.test", "/\\e.test", "http://e.test", "/\nx", "///e.test", "/ \u2028"]
)
def test_other_places_are_not(theirs: str) -> None:
    assert safe_next(theirs) == HOME
