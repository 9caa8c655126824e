"""`signaldesk keys`: made and shown once, listed, revoked."""

from __future__ import annotations

import re

import pytest

from tests.support.commands import Terminal


def test_a_key_is_printed_once_and_never_again(acme: Terminal) -> None:
    made = acme.run(
        "keys", "create", "--scopes", "events:write,rules:read", "--name", "laptop", "--expires", "90d"
    )
    assert re.fullmatch(r"sk_[0-9a-f]{48}\n", made.out)
    listed = acme.run("keys", "list").out
    assert "laptop" in listed and "events:write,rules:read" in listed
    assert made.out.strip() not in listed


def test_a_revoked_key_leaves_the_list(acme: Terminal) -> None:
    key = acme.run("keys", "create", "--name", "old").out.strip()
    acme.run("keys", "create", "--name", "new")
    assert "old" in acme.run("keys", "revoke", key).out
    assert [one["name"] for one in acme.run("keys", "list", "--json").json()] == ["new"]
    assert {one["name"] for one in acme.run("keys", "list", "--all", "--json").json()} == {"old", "new"}
    assert "no key" in acme.refuses("keys", "revoke", key)


def test_an_id_revokes_as_well(acme: Terminal) -> None:
    made = acme.run("keys", "create", "--json").json()
    acme.run("keys", "revoke", made["id"])
    assert acme.run("keys", "list", "--json").json() == []


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("create", "--scopes", "events:writ"), 1, "events:write"),
        (("create", "--scopes", ""), 1, "is empty"),
        (("create", "--org", "acme"), 1, "did you mean acme-shop?"),
        (("create", "--expires", "90"), 2, "write 90d"),
        (("create", "--expires", "soon"), 2, "not a duration"),
        (("create", "--nmae", "x"), 2, "--name"),
        (("revoke",), 2, "Missing argument"),
        (("revoke", "sk_000000"), 1, "no key"),
    ],
)
def test_wrong_use_is_named_in_one_line(
    acme: Terminal, words: tuple[str, ...], code: int, complaint: str
) -> None:
    assert complaint in acme.refuses("keys", *words, expect=code)


def test_among_several_organisations_one_has_to_be_named(acme: Terminal) -> None:
    words = ("init", "--email", "b@example.com", "--org", "Beta", "--password-stdin")
    acme.run(*words, stdin="correct horse battery")
    assert "--org: acme-shop, beta" in acme.refuses("keys", "create")
    acme.run("keys", "create", "--org", "beta", "--name", "theirs")
    assert acme.run("keys", "list", "--org", "acme-shop", "--json").json() == []


def test_before_there_is_anybody_it_says_how_to_begin(servers: Terminal) -> None:
    assert "`signaldesk init`" in servers.refuses("keys", "list")
