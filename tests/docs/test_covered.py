"""What there is, is documented: a setting, route, kind, metric, command, scope or page without a word is red.

Most of it is generated (see `generated`); this file makes sure that nothing is missing there either.
"""

from __future__ import annotations

import re
from typing import Any, cast

import pytest

import signaldesk.roles
from signaldesk.channels import kinds as channel_kinds
from signaldesk.history.holdings import Holdings
from signaldesk.rules import document
from signaldesk.settings import PREFIX, Settings
from signaldesk.store.extract import Extract
from signaldesk.web.routes import API
from signaldesk.web.server import url_table
from tests.docs.generated import OTHERS, all_commands, workbench
from tests.docs.pages import DOCS, ROOT, page

SOURCES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "signaldesk").rglob("*.py"))]


def column(name: str, *head: str) -> set[str]:
    """The first cells of the page's tables with this heading."""
    return {row[0] for table in page(name).tables(*head) for row in table.rows}


def test_every_setting() -> None:
    assert column("operating.md", "variable") == {PREFIX + name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(document.kinds()))
def test_every_kind_of_rule_has_a_page(name: str) -> None:
    kind, one = document.kinds()[name], page(f"rules/{name}.md")
    assert one.text.startswith(f"# `{name}`"), f"docs/rules/{name}.md is missing, or has another title"
    assert {"Parameters", "The exact boundary"} <= set(re.findall(r"^## (.+)$", one.text, re.MULTILINE))
    parameters = set(kind.condition.model_fields) - {"kind"}
    assert {row[0] for table in one.tables("parameter") for row in table.rows} == parameters
    for overview in ("rules.md", "semantics.md"):
        assert f"(rules/{name}.md)" in page(overview).text


def test_every_page_of_a_kind_of_rule_has_a_kind() -> None:
    assert {path.stem for path in (DOCS / "rules").glob("*.md")} == set(document.kinds())


@pytest.mark.parametrize("name", sorted(channel_kinds.kinds()))
def test_every_kind_of_channel_has_a_section(name: str) -> None:
    title = channel_kinds.kinds()[name].title
    assert f"\n## {title}\n" in page("channels.md").text
    assert f'"kind": "{name}"' in page("channels.md").text


def test_every_route() -> None:
    wanted = {f"{route.method} {route.path.removeprefix('/api/v1')}" for route in API}
    assert column("http-api.md", "route") == wanted


def test_every_address_outside_of_the_api() -> None:
    context = cast("Any", None)
    patterns = {re.sub(r"\\", "", str(entry[0])) for entry in url_table(context)}
    served = {path for path in patterns if "(" not in path and not path.startswith("/api/v1/")}
    assert set(OTHERS) == served | {"/api/v1/openapi.json"}
    assert "/overview" in workbench()


def test_every_metric() -> None:
    metric = re.compile(r'\b(?:Counter|Gauge|Histogram|Summary|Info|Enum)\(\s*"(\w+)"')
    made = {name for text in SOURCES for name in metric.findall(text)}
    documented = {name.removesuffix("_total") for name in column("operating.md", "metric")}
    assert documented == {name.removesuffix("_total") for name in made}


def test_every_command() -> None:
    headings = set(re.findall(r"^### `(signaldesk [\w ]+)`$", page("cli.md").text, re.MULTILINE))
    assert headings == {path for path, _ in all_commands()}


def test_every_option_of_every_command_says_what_it_is_for() -> None:
    silent = [
        f"{path} {parameter.opts[0]}"
        for path, command in all_commands()
        for parameter in command.params
        if parameter.param_type_name == "option" and not parameter.help
    ]
    assert not silent


def test_every_command_shows_examples() -> None:
    assert [path for path, command in all_commands() if "Examples:" not in (command.help or "")] == []


@pytest.mark.parametrize("role", signaldesk.roles.NAMES)
def test_every_role(role: str) -> None:
    assert role in {row[0] for table in page("architecture.md").tables("role") for row in table.rows}


def test_every_room() -> None:
    folders = {path.name for path in (ROOT / "signaldesk").iterdir() if (path / "__init__.py").exists()}
    missing = {name for name in folders if f"\n  {name}/" not in page("architecture.md").text}
    assert not missing


def test_every_table_and_column_that_can_be_asked_for() -> None:
    (table,) = page("querying.md").tables("table", "columns")
    documented = {name: [one.strip(' `"') for one in columns.split(",")] for name, columns in table.rows}
    assert documented == Holdings(Extract("postgresql://nowhere"), cast("Any", None)).tables


def test_every_code_of_a_rejected_event() -> None:
    check = (ROOT / "signaldesk" / "intake" / "check.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'\bWrong\(\s*"(\w+)"', check)) | {"malformed"}
    assert column("sending-events.md", "code of an event") == codes
