from __future__ import annotations

import pytest
from sqlalchemy import func, select

from signaldesk.accounts.users import Founded, Users, clean_email, slug_of
from signaldesk.errors import Conflict, Invalid, Unauthenticated
from signaldesk.store.database import Database
from signaldesk.store.tables import memberships, orgs
from signaldesk.store.tables import users as users_table

PASSWORD = "correct horse battery"


async def test_the_founder_owns_the_organisation_and_can_log_in(users: Users, founded: Founded) -> None:
    member = await users.authenticate(" Mira@Acme.test ", PASSWORD)
    assert (member.org_id, member.user_id, member.role) == (founded.org_id, founded.user_id, "owner")
    assert (member.org_slug, member.org_name) == ("acme-shop", "Acme Shop")


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    users: Users, founded: Founded
) -> None:
    with pytest.raises(Unauthenticated) as wrong:
        await users.authenticate("mira@acme.test", "wrong horse battery")
    with pytest.raises(Unauthenticated) as unknown:
        await users.authenticate("nobody@acme.test", PASSWORD)
    assert wrong.value.detail == unknown.value.detail


@pytest.mark.parametrize("password", ["", "x" * 100_000, "the password of nobody"])
async def test_no_password_opens_an_account_that_is_not_there(users: Users, password: str) -> None:
    with pytest.raises(Unauthenticated):
        await users.authenticate("nobody@acme.test", password)


async def test_founding_twice_under_one_name_or_address_leaves_nothing_half_made(
    users: Users, founded: Founded, database: Database
) -> None:
    with pytest.raises(Conflict) as name:
        await users.found(org="acme SHOP", email="other@acme.test", password=PASSWORD)
    with pytest.raises(Conflict) as address:
        await users.found(org="Other", email="MIRA@acme.test", password=PASSWORD)
    assert [error.errors[0].field for error in (name.value, address.value)] == ["org", "email"]
    async with database.system() as connection:
        for table in (orgs, users_table, memberships):
            assert await connection.scalar(select(func.count()).select_from(table)) == 1


async def test_the_password_itself_is_nowhere_in_the_database(founded: Founded, database: Database) -> None:
    async with database.system() as connection:
        stored = str(await connection.scalar(select(users_table.c.password_hash)))
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


@pytest.mark.parametrize("password", ["short", "x" * 1025])
async def test_a_password_too_short_or_too_long_is_refused_by_field(users: Users, password: str) -> None:
    with pytest.raises(Invalid) as error:
        await users.found(org="Acme", email="a@b.test", password=password)
    assert [fault.field for fault in error.value.errors] == ["password"]


@pytest.mark.parametrize(
    "email", ["", "mira", "mira@", "@acme", "a b@c.d", "a@b@c", "a\x00@b.c", "a@" + "b" * 300]
)
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(Invalid):
        clean_email(email)


def test_a_slug_is_made_of_letters_digits_and_dashes() -> None:
    assert slug_of(" Müller & Söhne 24 ") == "m-ller-s-hne-24"
    for nothing in ("", "!!!", "x" * 101, "a\x00"):
        with pytest.raises(Invalid):
            slug_of(nothing)
