"""`signaldesk init`: the first organisation and its owner."""

from __future__ import annotations

import asyncio

import pytest

from signaldesk.accounts.passwords import Passwords
from signaldesk.accounts.users import Users
from signaldesk.store.database import Database
from tests.support.commands import Terminal

WORDS = ("init", "--email", "You@Example.com", "--org", "Acme Shop", "--password-stdin")


async def role_of(url: str, email: str, password: str) -> str:
    database = Database(url)
    try:
        return (await Users(database=database, passwords=Passwords()).authenticate(email, password)).role
    finally:
        await database.close()


def test_the_owner_can_log_in(servers: Terminal, database_url: str) -> None:
    said = servers.run(*WORDS, stdin="correct horse battery\n")
    assert "keys create --org acme-shop" in said.out
    assert asyncio.run(role_of(database_url, "you@example.com", "correct horse battery")) == "owner"


def test_programs_get_json(servers: Terminal) -> None:
    said = servers.run(*WORDS, "--json", stdin="correct horse battery").json()
    assert said["org"] == "acme-shop"


@pytest.mark.parametrize(
    ("words", "password", "complaint"),
    [
        (WORDS, "short", "the password has 5 characters"),
        (
            ("init", "--email", "you", "--org", "Acme", "--password-stdin"),
            "x" * 12,
            "is not an e-mail address",
        ),
        (
            ("init", "--email", "a@b.c", "--org", "!!", "--password-stdin"),
            "x" * 12,
            "at least one letter or digit",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    servers: Terminal, words: tuple[str, ...], password: str, complaint: str
) -> None:
    assert complaint in servers.refuses(*words, stdin=password)


def test_the_same_organisation_is_not_made_twice(acme: Terminal) -> None:
    assert "exists already" in acme.refuses(*WORDS, stdin="correct horse battery")


def test_without_anybody_to_ask_the_password_has_to_be_piped_in(servers: Terminal) -> None:
    assert "--password-stdin" in servers.refuses(*WORDS[:-1], expect=2)


def test_without_servers_it_says_where_to_find_some(terminal: Terminal) -> None:
    said = terminal.refuses(*WORDS, stdin="correct horse battery")
    assert "`signaldesk up`" in said and "SIGNALDESK_DATABASE_URL" in said
