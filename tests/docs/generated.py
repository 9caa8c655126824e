"""The parts of the documentation that come from the code: tables between `begin` and `end` remarks.

`python -m tests.docs` writes them; a test says when they are out of date.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import cache
from textwrap import wrap
from typing import Any, Literal, get_args, get_origin

import typer
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from signaldesk import cli, errors
from signaldesk.accounts.roles import EVERYTHING, ROLES, SCOPES
from signaldesk.channels.kinds import Channel, kinds
from signaldesk.delivery import backoff
from signaldesk.model import duration
from signaldesk.model.rule import Rule
from signaldesk.rules import document
from signaldesk.settings import PREFIX, Settings
from signaldesk.web.metrics import WebMetrics
from signaldesk.web.plant import PlantGauges
from signaldesk.web.route import Door
from signaldesk.web.routes import API
from tests.docs.pages import ROOT, Page, page

WIDTH = 118


@cache
def parts() -> dict[tuple[Page, str], str]:
    """(page, name of the part) → its text."""
    found = {
        (page("operating.md"), "settings"): settings(),
        (page("operating.md"), "metrics"): metrics(),
        (page("rules.md"), "rule-fields"): rule_fields(),
        (page("rules.md"), "rule-kinds"): rule_kinds(),
        (page("semantics.md"), "conditions"): conditions(),
        (page("security.md"), "scopes"): scopes(),
        (page("http-api.md"), "routes"): routes(),
        (page("http-api.md"), "other-routes"): other_routes(),
        (page("http-api.md"), "errors"): problem_codes(),
        (page("channels.md"), "retries"): retries(),
        (page("cli.md"), "commands"): commands(),
    }
    for name, channel in kinds().items():
        found[page("channels.md"), f"channel {name}"] = channel_fields(channel)
    return found


# --- tables --------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with an empty line on both sides."""
    lines = [head, ["---"] * len(head), *rows]
    body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"\n{body}\n\n"


def settings() -> str:
    rows = []
    for name, field in Settings.model_fields.items():
        default = _default(field, secret=SecretStr in _all_args(field.annotation))
        meaning = field.description or _choices(field)
        rows.append(
            [f"`{PREFIX}{name.upper()}`", default, meaning if used(name) else f"{meaning} (not used yet)"]
        )
    return table(("variable", "default", "meaning"), rows)


def used(setting: str) -> bool:
    """Whether any code but the settings themselves asks for this setting."""
    asked = re.compile(rf"\.{setting}\b|[\"']{setting}[\"']")
    sources = (path for path in (ROOT / "signaldesk").rglob("*.py") if path.name != "settings.py")
    return any(asked.search(path.read_text(encoding="utf-8")) for path in sources)


def metrics() -> str:
    registry = CollectorRegistry()
    WebMetrics(registry, watching=lambda: 0)
    PlantGauges(registry)
    rows = []
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in _labels(registry, family.name))
        rows.append([f"`{name}`", family.type, labels or "–", family.documentation])
    return table(("metric", "type", "labels", "meaning"), rows)


def rule_fields() -> str:
    rows = [
        [
            f"`{field.alias or name}`",
            _default(field),
            ": ".join(filter(None, (field.description, _choices(field)))),
        ]
        for name, field in Rule.model_fields.items()
    ]
    return table(("field", "default", "meaning"), rows)


def rule_kinds() -> str:
    """Every kind by the title of its page."""
    rows = []
    for name in sorted(document.kinds()):
        title = page(f"rules/{name}.md").text.partition("\n")[0]
        rows.append([f"`{name}`", title.partition(": ")[2], f"[{name}](rules/{name}.md)"])
    return table(("`kind`", "catches", "page"), rows)


def conditions() -> str:
    """When every kind holds, as its parameters' docstring begins."""
    rows = []
    for name, kind in sorted(document.kinds().items()):
        said = " ".join((kind.condition.__doc__ or "").partition("\n\n")[0].split())
        rows.append([f"[`{name}`](rules/{name}.md)", said.removeprefix("Holds when ").rstrip(".")])
    return table(("`kind`", "holds when"), rows)


def scopes() -> str:
    def who(scope: str) -> str:
        return ", ".join(role for role, brought in ROLES.items() if scope in brought)

    rows = [[f"`{scope}`", meaning, who(scope)] for scope, meaning in SCOPES.items()]
    return table(
        ("scope", "allows to", "roles"), [*rows, [f"`{EVERYTHING}`", "do everything", who(EVERYTHING)]]
    )


def routes() -> str:
    doors = {Door.ANYBODY: "anybody", Door.MEMBER: "people only", Door.MEMBER_OR_KEY: "–"}
    rows = [
        [
            f"`{route.method} {route.path.removeprefix('/api/v1')}`",
            f"`{route.scope}`" if route.scope else doors[route.door],
            route.summary,
            ", ".join(f"`{name}`" for name in route.query) or "–",
        ]
        for route in API
    ]
    return table(("route", "scope", "what it does", "query"), rows)


OTHERS = {
    "/api/v1/openapi.json": "the API's description (OpenAPI 3.1)",
    "/healthz": "200 as long as the process answers",
    "/readyz": "200 when PostgreSQL and Redis answer, else 503",
    "/metrics": "[metrics](operating.md#metrics)",
    "/ws": "[live messages](#websocket)",
    "/": "what SignalDesk is; whoever is logged in goes on to the workbench",
    "/docs": "the API's description as a page",
    "/login": "the log-in form",
    "/logout": "ends the session",
}


def workbench() -> dict[str, str]:
    """Address → title of the pages; read from the source, because importing them takes seconds."""
    page = re.compile(r'\bPage\(\s*path="(?P<path>[^"]+)",\s*title="(?P<title>[^"]+)"')
    sources = (path.read_text(encoding="utf-8") for path in sorted((ROOT / "apps").glob("*.py")))
    return {match["path"]: match["title"] for text in sources for match in page.finditer(text)}


def other_routes() -> str:
    shown = {**OTHERS, **{path: f"the page {title}" for path, title in workbench().items()}}
    return table(("address", "what it is"), [[f"`{path}`", meaning] for path, meaning in shown.items()])


_ERROR = re.compile(r"^    (status|code)\b.*= ", re.MULTILINE)
"""What makes a class an error of its own."""


def problem_codes() -> str:
    """Every error that an answer may carry: those with a status other than 500, and the unforeseen one."""
    for path in sorted((ROOT / "signaldesk").rglob("*.py")):
        if _ERROR.search(path.read_text(encoding="utf-8")):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found = {errors.SignalDeskError.code: errors.SignalDeskError}
    waiting = errors.SignalDeskError.__subclasses__()
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if error.__module__.startswith("signaldesk.") and error.status != 500:
            found.setdefault(error.code, error)
    rows = [
        [str(error.status), f"`{code}`", error.title, "yes" if error.retry else "no"]
        for code, error in sorted(found.items(), key=lambda pair: (pair[1].status, pair[0]))
    ]
    return table(("status", "code", "meaning", "the same again may work"), rows)


def retries() -> str:
    rows, total = [], 0.0
    for number, wait in enumerate(backoff.WAITS, 1):
        total += wait
        rows.append([str(number), duration.text(round(wait * 1e6)), duration.text(round(total * 1e6))])
    return table(
        ("after attempt", "wait", "since the first"), [*rows, [str(backoff.ATTEMPTS), "given up", ""]]
    )


def channel_fields(channel: Channel[Any]) -> str:
    fields = channel.config.model_fields
    rows = [[f"`{name}`", _default(field), field.description or ""] for name, field in fields.items()]
    return table(("`config`", "default", "meaning"), rows) if rows else "\nIts `config` is empty.\n\n"


# --- the command line ----------------------------------------------------------------------------------


def commands() -> str:
    return "\n" + "\n".join(_command(path, command) for path, command in all_commands())


def all_commands() -> list[tuple[str, Any]]:
    """(`signaldesk keys create`, its command), in the order of the help."""
    found: list[tuple[str, Any]] = []

    def walk(path: str, command: Any) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            found.append((path, command))
        for name, one in (inner or {}).items():
            walk(f"{path} {name}", one)

    walk("signaldesk", typer.main.get_command(cli.build()))
    return sorted(found, key=lambda pair: pair[0])


def _command(path: str, command: Any) -> str:
    summary, *more = re.split(r"\n*\x08\n", command.help or "")
    shown = [f"### `{path}`", "", *_paragraphs(summary)]
    rows = [[_usage(one), _meaning(one)] for one in command.params if one.name != "help"]
    if rows:
        shown.append(table(("argument or option", "meaning"), rows).strip("\n") + "\n")
    for part in more:
        title, *lines = part.strip("\n").splitlines()
        if title == "Examples:":
            shown += ["```text", *[line.removeprefix("  ") for line in lines], "```", ""]
    return "\n".join(shown)


def _paragraphs(text: str) -> list[str]:
    """Its paragraphs, wrapped, each followed by an empty line."""
    return [line for part in text.split("\n\n") if part.strip() for line in (*wrap(part, WIDTH), "")]


def _usage(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    number = isinstance(parameter.default, int | float) or getattr(parameter, "min", None) is not None
    takes = "" if parameter.is_flag else f" {parameter.metavar or ('N' if number else 'TEXT')}"
    return f"`{names}{takes}`"


def _meaning(parameter: Any) -> str:
    text = str(parameter.help or "")
    if text and not text.endswith((".", "]")):
        text += "."
    if (
        parameter.param_type_name == "option"
        and parameter.default
        and type(parameter.default) in (int, float, str)
    ):
        text += f" [{parameter.default}]"
    if parameter.envvar:
        text += f" (`{parameter.envvar}`)"
    return text or "–"


# --- fields of models ----------------------------------------------------------------------------------


def _default(field: FieldInfo, *, secret: bool = False) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if secret or default in (None, (), {}, ""):
        return "–"
    if any(getattr(one, "func", None) is duration.parse for one in field.metadata):
        return f"`{duration.text(default)}`"
    return f"`{getattr(default, 'value', default)}`"


def _choices(field: FieldInfo) -> str:
    annotation: Any = field.annotation
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        choices = tuple(one.value for one in annotation)
    else:
        return ""
    return ", ".join(f"`{choice}`" for choice in choices)


def _labels(registry: CollectorRegistry, name: str) -> tuple[str, ...]:
    known: Any = registry._names_to_collectors
    return tuple((known.get(name) or known[f"{name}_total"])._labelnames)


def _all_args(annotation: Any) -> set[Any]:
    return {annotation, *(inner for one in get_args(annotation) for inner in _all_args(one))}
