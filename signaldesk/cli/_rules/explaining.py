"""`signaldesk rules explain`: why a rule fired, or did not, at a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signaldesk.cli import _local

if TYPE_CHECKING:
    from signaldesk.model.explanation import Explanation

_TRUTHS = {True: "true ", False: "false", None: "NULL "}


def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The rule's name, or its id.")],
    at: Annotated[str, typer.Option(metavar="TIME", help="Event time, UTC unless it says a zone; now.")] = "",
    group: Annotated[
        list[str] | None, typer.Option("--group", metavar="FIELD=VALUE", help="The group, field by field.")
    ] = None,
    org: _local.OrgName = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Say why a rule fired, or did not, at a moment.

    \b
    Examples:
      signaldesk rules explain "Checkout failures by country" --group country=DE
      signaldesk rules explain "No heartbeat" --at 2026-01-31T14:02 --group host=a --json
    """
    from signaldesk.cli import _out
    from signaldesk.cli._rules.finding import find
    from signaldesk.clock import iso, to_us

    moment = to_us(_moment(at))
    values = dict(map(_pair, group or ()))

    async def work() -> Explanation:
        async with _local.opened(data) as desk:
            org_id, rule = await find(desk, org, name)
            return await desk.explainer.explain(org_id, rule.id, moment, values)

    found = _local.run(work())
    if json:
        _out.data({**found._asdict(), "clauses": [clause._asdict() for clause in found.clauses]})
        return
    _out.say(f"{found.answer.replace('_', ' ')}: {found.text}")
    older = f" (now {found.newest})" if 0 < found.version < found.newest else ""
    _out.say(f"at {iso(found.at)}, version {found.version}{older}: {found.condition}")
    for clause in found.clauses:
        _out.say(f"  {_TRUTHS[clause.holds]}  {clause.text}")


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text[:40]!r} is no time; write e.g. 2026-01-31T14:02:00Z", param_hint="--at"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _pair(text: str) -> tuple[str, Any]:
    """A field and its value: JSON, or a text without quotes."""
    import orjson

    field, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text[:40]!r}: write field=value, e.g. country=DE", param_hint="--group")
    try:
        return field, orjson.loads(value)
    except orjson.JSONDecodeError:
        return field, value
