"""`signaldesk alerts`: listed, shown, handled, silenced."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from signaldesk.store import tables as t
from signaldesk.store.database import Database
from tests.support import rows
from tests.support.commands import Terminal


@pytest.fixture
def alerts(acme: Terminal, database_url: str) -> list[str]:
    """Ids of a critical alert of DE and a warning of FR."""

    async def make() -> list[str]:
        database = Database(database_url)
        async with database.system() as connection:
            org_id = (await connection.execute(select(t.orgs.c.id))).scalar_one()
        made = [
            await rows.alert(database, org_id, title=title, severity=severity, group={"country": country})
            for title, severity, country in (("Failures", "critical", "DE"), ("Slow", "warning", "FR"))
        ]
        await database.close()
        return [str(id_) for id_ in made]

    return asyncio.run(make())


def listed(acme: Terminal, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = acme.run("alerts", "list", *words, "--json").json()
    return found


def test_alerts_are_listed_by_state_severity_and_words(acme: Terminal, alerts: list[str]) -> None:
    assert {one["id"] for one in listed(acme)} == set(alerts)
    assert [one["title"] for one in listed(acme, "--severity", "critical,error")] == ["Failures"]
    assert [one["title"] for one in listed(acme, "--search", "fr")] == ["Slow"]
    assert listed(acme, "--state", "resolved") == []
    assert "country = DE" in acme.run("alerts", "list").out
    assert "all quiet" in acme.run("alerts", "list", "--state", "snoozed").err


def test_alerts_are_handled_and_their_timeline_says_by_whom(acme: Terminal, alerts: list[str]) -> None:
    first, second = alerts
    assert acme.run("alerts", "ack", first, second).out == "Failures: acknowledged\nSlow: acknowledged\n"
    assert acme.run("alerts", "ack", first).out == "Failures: was acknowledged already\n"
    assert acme.run("alerts", "snooze", first, "--for", "2h").out == "Failures: snoozed\n"
    assert acme.run("alerts", "snooze", second).out == "Slow: snoozed\n"
    assert acme.run("alerts", "resolve", second).out == "Slow: resolved\n"
    shown = acme.run("alerts", "show", first).out
    assert shown.startswith("critical snoozed: Failures (country = DE)\n")
    assert "acknowledged by" in shown and "on the command line" in shown
    timeline = acme.run("alerts", "show", second, "--json").json()["timeline"]
    assert [entry["kind"] for entry in timeline] == ["acknowledged", "snoozed", "resolved"]
    assert "resolved" in acme.refuses("alerts", "ack", second)


def test_a_silence_says_what_it_is_about_now(acme: Terminal, alerts: list[str]) -> None:
    words = ("alerts", "silence", "rule=Failures", "country=~D.", "--for", "2h", "--comment", "why")
    made = acme.run(*words, "--json").json()
    assert (made["alerts"], made["kind"], made["comment"]) == (1, "silence", "why")
    assert made["matchers"] == [["rule", "=", "Failures"], ["country", "=~", "D."]]
    assert (
        "now about 1 open alert and 0 rules"
        in acme.run(*words[:2], "rule!=Failures", *words[4:], "--maintenance").out
    )


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("ack", "x"), 2, "is no id"),
        (("ack", "019aa1c4-0000-7000-8000-0000000000e3"), 1, "there is no alert 019aa1c4-"),
        (("show", "019aa1c4-0000-7000-8000-0000000000e3"), 1, "there is no alert 019aa1c4-"),
        (("list", "--state", "opn"), 2, "known are open"),
        (("snooze", "019aa1c4-0000-7000-8000-0000000000e3", "--for", "soon"), 2, "duration"),
        (("silence", "country", "--for", "2h"), 2, "write name=value"),
        (("silence", "country=~(", "--for", "2h"), 2, "cannot be read"),
        (("silence", "country=DE"), 2, "--for"),
    ],
)
def test_wrong_use_is_named_in_one_line(
    acme: Terminal, words: tuple[str, ...], code: int, complaint: str
) -> None:
    assert complaint in acme.refuses("alerts", *words, expect=code)
