"""Logs: structured, with ids, and without a single secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from signaldesk import log

KEY = "sk_" + "0123456789abcdef" * 3
URL = "postgresql://desk:hunter2@db.example:5432/desk"


def redacted(**facts: Any) -> dict[str, Any]:
    return dict(log.redact(None, "info", dict(facts)))


@pytest.mark.parametrize(
    "name",
    [
        "password", "new_password", "PASSWORD", "secret", "client_secret", "token", "refresh_token",
        "authorization", "Authorization", "cookie", "set-cookie", "api_key", "apikey", "API_KEY", "dsn",
    ],
)  # fmt: skip
def test_a_secret_is_hidden_by_the_name_of_its_field(name: str) -> None:
    assert redacted(**{name: "hunter2"}) == {name: log.HIDDEN}
    assert redacted(request={"headers": {name: ["hunter2"]}}) == {"request": {"headers": {name: log.HIDDEN}}}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (KEY, "sk_012345…"),
        (f"used {KEY} twice: {KEY}", "used sk_012345… twice: sk_012345…"),
        (f"Bearer {KEY}", "Bearer sk_012345…"),
        (URL, "postgresql://desk:[hidden]@db.example:5432/desk"),
        ("redis://:hunter2@cache:6379/0", "redis://:[hidden]@cache:6379/0"),
        ("signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ok", "signed with [hidden] ok"),
        ("https://example.com/a:b@c", "https://example.com/a:b@c"),
        ("sk_short", "sk_short"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_a_secret_is_hidden_by_its_looks(text: str, shown: str) -> None:
    assert redacted(event=text) == {"event": shown}
    assert redacted(args=(text, [text], {"x": text}))["args"] == [shown, [shown], {"x": shown}]


def test_what_is_no_secret_stays_as_it_is() -> None:
    facts = {"org": "acme", "events": 3, "at": 1.5, "good": True, "none": None, "tries": [1, 2]}
    assert redacted(**facts) == facts


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, structured = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**structured)
    structlog.contextvars.clear_contextvars()


@pytest.mark.usefixtures("logging_restored")
def test_a_line_is_json_with_its_facts_and_those_of_its_task(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(json=True)
    log.bind(request="r-1")
    log.get_logger("test").info("fired", org="acme", password="hunter2", url=URL)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp")
    assert line == {
        "event": "fired",
        "level": "info",
        "org": "acme",
        "request": "r-1",
        "password": log.HIDDEN,
        "url": "postgresql://desk:[hidden]@db.example:5432/desk",
    }


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_are_hidden_in_tracebacks_and_lines_of_libraries(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(json=as_json)
    logging.getLogger("a.library").warning("cannot connect to %s", URL)
    try:
        raise RuntimeError(f"cannot connect to {URL} with {KEY}")
    except RuntimeError:
        log.get_logger("test").exception("failed")
        logging.getLogger("a.library").exception("failed as well")
    said = capsys.readouterr().err
    assert said.count("cannot connect") >= 3
    assert "hunter2" not in said
    assert KEY not in said


@pytest.mark.usefixtures("logging_restored")
def test_what_is_below_the_level_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(json=True, level="warning")
    log.get_logger("test").info("quiet")
    logging.getLogger("a.library").info("quiet")
    log.get_logger("test").warning("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize("library", ["bokeh", "panel"])
def test_libraries_with_a_handler_of_their_own_write_our_lines_too(
    library: str, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = logging.getLogger(library)
    theirs.addHandler(logging.StreamHandler())
    theirs.propagate = False
    log.configure(json=True)
    logging.getLogger(f"{library}.server").info("quiet")
    logging.getLogger(f"{library}.server").warning("loud")
    logging.getLogger("bokeh.server.views.ws").warning("a page was closed")
    said = capsys.readouterr()
    assert [json.loads(line)["event"] for line in said.err.splitlines()] == ["loud"]
    assert said.out == ""
