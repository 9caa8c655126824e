"""What the pages show is true: rules and events parse, filters mean what is said, tables come out so."""

from __future__ import annotations

import ast
import json
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import pytest
import yaml
from pydantic import SecretStr
from standardwebhooks import Webhook

from signaldesk import cli, filters
from signaldesk.accounts.keys import PREFIX
from signaldesk.channels import kinds as channels
from signaldesk.channels.webhook import WebhookChannel, WebhookConfig
from signaldesk.clock import SystemClock
from signaldesk.filters import InvalidFilter
from signaldesk.filters.functions import ALIASES, NAMES
from signaldesk.ids import new_id
from signaldesk.intake import envelope
from signaldesk.intake.check import Checked, check
from signaldesk.model.event import Event
from signaldesk.model.message import Message
from signaldesk.rules import document
from signaldesk.web.api.query import ResultOut
from tests.docs.pages import DOCS, Block, Page, Table, page, pages
from tests.support.judging import MICROS, Judging, event
from tests.support.messages import firing_message

DAY = datetime(2026, 1, 31, tzinfo=UTC)


def blocks(*languages: str) -> list[Block]:
    return [block for one in pages() for block in one.blocks(*languages)]


# --- what parses ---------------------------------------------------------------------------------------


def is_test(block: Block) -> bool:
    return "\ntests:\n" in block.text


@pytest.mark.parametrize("block", [one for one in blocks("yaml") if not is_test(one)], ids=str)
def test_yaml_is_rules_that_are_accepted(block: Block) -> None:
    assert document.parse_all(rules(block.text))


@pytest.mark.parametrize("block", [one for one in blocks("yaml") if is_test(one)], ids=str)
def test_tests_of_rules_are_those_of_an_example(block: Block) -> None:
    assert block.text in {
        path.read_text(encoding="utf-8") for path in (DOCS / "examples").glob("*.test.yaml")
    }


TESTS = sorted((DOCS / "examples").glob("*.test.yaml"))
EXAMPLES = sorted(set((DOCS / "examples").glob("*.yaml")) - set(TESTS))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_files_are_rules_that_are_accepted(path: Any) -> None:
    assert document.parse_all(rules(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_example_tests_pass(path: Any) -> None:
    assert cli.exit_code(["rules", "test", str(path)]) == 0


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_what_it_looks_like(block: Block) -> None:
    value = json.loads(block.text)
    for one in value if isinstance(value, list) else [value]:
        if "when" in one:
            document.parse(one)
        elif "config" in one:
            channels.parse(channels.kind(one["kind"]), one["config"])
        elif one.get("type") == "about:blank":
            assert one.keys() == {"type", "title", "status", "code", "detail", "errors", "request_id"}
        elif "columns" in one:
            ResultOut.model_validate(one)
        elif "accepted" in one:
            assert one.keys() == {"accepted", "ids", "rejected"} and one["accepted"] == len(one["ids"])
        elif "data" in one and "specversion" not in one:
            _check_webhook(one)
        else:
            _check_event(one)


@pytest.mark.parametrize("block", blocks("ndjson"), ids=str)
def test_lines_are_events(block: Block) -> None:
    read = envelope.read(block.text.encode(), "application/x-ndjson")
    assert not read.faults
    for value in read.values:
        _check_event(value)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_is_python(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", blocks("where"), ids=str)
def test_every_filter_shown_is_accepted(block: Block) -> None:
    for line in block.text.splitlines():
        filters.parse(line)


@pytest.mark.parametrize("block", blocks("where-refused"), ids=str)
def test_every_filter_shown_as_refused_is_refused(block: Block) -> None:
    for line in block.text.splitlines():
        with pytest.raises(InvalidFilter):
            filters.parse(line)


def test_no_page_shows_a_key_that_could_be_real() -> None:
    for one in pages():
        assert not re.search(rf"{PREFIX}[0-9a-f]{{48}}", one.text), one


def rules(text: str) -> list[Any]:
    """The rules of a YAML text: one, a list, or several documents."""
    found: list[Any] = []
    for part in yaml.safe_load_all(text):
        found += part if isinstance(part, list) else [part]
    return found


def _check_event(value: Any) -> Event:
    now = SystemClock().now_us()
    cloud = "specversion" in value
    checked = check(value, org="x", cloud=cloud, now_us=now, skew_us=0, new_id=lambda: new_id().bytes)
    assert isinstance(checked, Checked), checked
    return checked.event


def _check_webhook(value: Any) -> None:
    """The same fields, all the way down, as a message has that was rendered just now."""
    message = msgspec.convert(value["data"], Message)
    real = WebhookChannel().render(firing_message())
    assert _shape(value) == _shape(json.loads(orjson.dumps(real)))
    assert WebhookChannel().render(message)["type"] == value["type"]
    again = firing_message(
        rule_name=message.rule.name, group=message.group, value=message.value, threshold=message.threshold,
        window_us=round(message.window_seconds * MICROS), event_type=message.event.type,
    )  # fmt: skip
    assert (message.title, message.summary) == (again.title, again.summary)


def _shape(value: Any, within: str = "") -> Any:
    free = ("group", "labels", "sample")
    if isinstance(value, dict) and within not in free:
        return {name: _shape(item, name) for name, item in value.items()}
    return type(value).__name__


# --- what comes out ------------------------------------------------------------------------------------

TRUTHS = page("filters.md").tables("filter", "payload", "matches")


@pytest.mark.parametrize("table", TRUTHS, ids=str)
def test_filters_match_as_the_table_says(table: Table) -> None:
    for text, payload, matches in table.rows:
        found = filters.parse(text).predicate(json.loads(payload), "t", None, 0)
        assert ("yes" if found else "no") == matches, f"{text} with {payload}"


def test_filters_on_the_time_match_as_the_table_says() -> None:
    (table,) = page("filters.md").tables("filter on the time")
    micros = 1_783_204_215_250_000
    for text, matches in table.rows:
        found = filters.parse(text).predicate({}, "t", None, micros)
        assert ("yes" if found else "no") == matches, text


def test_faults_of_filters_are_told_as_the_table_says() -> None:
    (table,) = page("filters.md").tables("filter", "says")
    for text, says in table.rows:
        with pytest.raises(InvalidFilter) as caught:
            filters.parse(text)
        assert says.replace("`", "") in str(caught.value).replace("`", ""), text


def test_every_function_of_filters_is_in_the_documentation() -> None:
    text = page("filters.md").text
    assert [name for name in (*NAMES, *ALIASES) if f"`{name}" not in text] == []


def examples() -> list[tuple[Block, Table]]:
    """(rules, events and outcomes) of the pages of rule kinds: a table belongs to the rules above it.

    Its first column is the event time, its last the outcome; those between are fields of the payload, or the
    event's `type`.
    """
    found = []
    for kind in document.kinds():
        one = page(f"rules/{kind}.md")
        for table in one.tables("event time"):
            found.append((max(b for b in one.blocks("yaml") if b.line < table.line), table))
    return found


@pytest.mark.parametrize(("block", "table"), examples(), ids=str)
def test_the_engine_judges_as_the_table_says(block: Block, table: Table) -> None:
    judging = Judging(document.parse_all(rules(block.text)))
    for number, (time, *cells, outcome) in enumerate(table.rows):
        fields = dict(zip(table.head[1:-1], map(_cell, cells), strict=True))
        moment = datetime.fromisoformat(f"{DAY:%Y-%m-%d}T{time}+00:00")
        at = round((moment - DAY).total_seconds() * MICROS) + int(DAY.timestamp()) * MICROS
        type_ = fields.pop("type", None) or judging.event_type
        payload = {name: value for name, value in fields.items() if value is not None}
        assert judging.words(event(number, type_, at, payload)) == outcome, f"{table}: {time} {cells}"


def _cell(text: str) -> Any:
    """A JSON value, or a text without quotes; a dash or nothing: there is no such field."""
    if text in ("", "–"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def test_there_are_tables_for_every_kind() -> None:
    assert {block.page for block, _ in examples()} == {page(f"rules/{kind}.md") for kind in document.kinds()}


# --- signatures ----------------------------------------------------------------------------------------


def signed() -> tuple[str, dict[str, str], bytes]:
    """(secret, headers, body) of a webhook as it is sent."""
    config, shown = WebhookChannel().prepared(WebhookConfig(url=SecretStr("https://example.com/hook")))
    request = WebhookChannel().request(config, firing_message(), SystemClock().now_us())
    return shown["secret"], request.headers, request.content


def python_blocks(one: Page) -> list[str]:
    return [block.text for block in one.blocks("python")]


def test_the_signature_is_verified_as_the_page_shows() -> None:
    secret, headers, body = signed()
    library, plain = python_blocks(page("channels.md"))
    names: dict[str, Any] = {"secret": secret, "headers": headers, "body": body}
    exec(library, names)
    assert names["message"]["type"] == "alert.fired"
    assert Webhook(secret).verify(body, headers) == names["message"]
    exec(plain, names)
    assert names["genuine"](secret, headers, body)
    assert not names["genuine"](secret, headers, body + b" ")
    assert not names["genuine"](signed()[0], headers, body)
    assert not names["genuine"](secret, {**headers, "webhook-timestamp": "1700000000"}, body)
