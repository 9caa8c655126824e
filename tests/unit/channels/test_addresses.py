"""Which addresses a channel may reach."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from signaldesk.channels.outbound.addresses import Guard, literal, looks_numeric

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.15.0.1", "172.32.0.1", "192.167.255.255", "100.128.0.1"]
PUBLIC += ["2606:4700:4700::1111", "2a00:1450:4001:82a::200e", "2400:cb00::1"]

FORBIDDEN = {
    "0.0.0.0": "this host",
    "0.1.2.3": "this host",
    "10.0.0.7": "private",
    "100.64.0.1": "carrier-grade NAT",
    "100.100.100.200": "carrier-grade NAT",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "cloud metadata",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.192": "protocol assignment",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmarking",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "IPv4-compatible",
    "::ffff:127.0.0.1": "IPv4-mapped",
    "::ffff:8.8.8.8": "IPv4-mapped",
    "::ffff:0:127.0.0.1": "IPv4-translated",
    "64:ff9b::127.0.0.1": "NAT64",
    "64:ff9b::8.8.8.8": "NAT64",
    "64:ff9b:1::10.0.0.1": "NAT64",
    "100::1": "discard-only",
    "2001::1": "Teredo",
    "2001:10::1": "protocol assignment",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "6to4",
    "2620:4f:8000::1": "AS112",
    "3fff::1": "documentation",
    "5f00::1": "segment routing",
    "fc00::1": "private",
    "fd00:ec2::254": "private",
    "fe80::1": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "4000::1": "not public",
    "2400:cb00::5efe:127.0.0.1": "ISATAP",
    "2400:cb00::200:5efe:10.0.0.1": "ISATAP",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert Guard().objection(ip_address(address)) is None


@pytest.mark.parametrize(("address", "why"), FORBIDDEN.items())
def test_any_other_address_is_refused_with_its_reason(address: str, why: str) -> None:
    assert Guard().objection(ip_address(address)) == why


def test_every_address_that_python_calls_not_global_is_refused() -> None:
    for address in FORBIDDEN | dict.fromkeys(PUBLIC):
        if not ip_address(address).is_global:
            assert Guard().objection(ip_address(address)) is not None, address


def test_what_the_operator_allows_may_be_reached_and_nothing_beside_it() -> None:
    guard = Guard([ip_network("10.1.0.0/16"), ip_network("fd00::/8")])
    assert guard.objection(ip_address("10.1.2.3")) is None
    assert guard.objection(ip_address("fd00:ec2::254")) is None
    assert guard.objection(ip_address("10.2.0.1")) == "private"
    assert guard.objection(ip_address("fc00::1")) == "private"


def test_allowing_an_ipv4_network_does_not_open_the_ipv6_ways_to_write_it() -> None:
    guard = Guard([ip_network("127.0.0.0/8")])
    assert guard.objection(ip_address("127.0.0.1")) is None
    assert guard.objection(ip_address("::ffff:127.0.0.1")) == "IPv4-mapped"
    assert guard.objection(ip_address("64:ff9b::127.0.0.1")) == "NAT64"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "::1", "[fe80::1%eth0]", "[::ffff:127.0.0.1]"])
def test_a_canonical_address_is_recognised(host: str) -> None:
    assert literal(host) is not None
    assert not looks_numeric(host)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "1.2.3.4.5",
        "256.1.1.1",
        "0x",
    ],
)
def test_an_address_written_in_an_unusual_way_is_a_name_that_looks_numeric(host: str) -> None:
    assert literal(host) is None
    assert looks_numeric(host)


@pytest.mark.parametrize("host", ["example.com", "example.com.", "7.example.com", "x1", "0x.com", ""])
def test_a_name_does_not_look_numeric(host: str) -> None:
    assert not looks_numeric(host)
