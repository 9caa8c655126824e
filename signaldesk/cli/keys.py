"""`signaldesk keys`: API keys."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from signaldesk.cli import _local

if TYPE_CHECKING:
    from signaldesk.store.identity import ListedKey

GROUP = typer.Typer(
    name="keys", help="API keys: make, list, revoke.", no_args_is_help=True, rich_help_panel="Look after it"
)


@GROUP.command("create")
def create(
    org: _local.OrgName = None,
    scopes: Annotated[
        str, typer.Option(metavar="'*'|SCOPE,…", help="What the key may do; '*' is everything.")
    ] = "events:write",
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    expires: Annotated[
        str | None, typer.Option(metavar="90d", help="When it stops working; never without.")
    ] = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Make a key and print it, this one time.

    \b
    Examples:
      signaldesk keys create --org acme-shop --scopes events:write
      export SIGNALDESK_API_KEY=$(signaldesk keys create --scopes '*' --name laptop --expires 90d)
    """
    from signaldesk.cli import _out

    lasts = _duration(expires)

    async def work() -> tuple[UUID, str]:
        async with _local.opened(data) as desk:
            chosen = await desk.orgs.choose(org)
            wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
            return await desk.api_keys.create(
                chosen.id, scopes=wanted, name=name, expires_at=_in(lasts, desk.clock.now_us())
            )

    key_id, key = _local.run(work())
    if json:
        _out.data({"id": key_id, "key": key})
    else:
        _out.say(key)
        _out.note("Keep it: it is shown this one time.")


@GROUP.command("list")
def list_keys(
    org: _local.OrgName = None,
    everything: Annotated[bool, typer.Option("--all", help="Revoked and expired ones too.")] = False,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """List keys, newest first; by their beginning, for the rest is not known.

    \b
    Examples:
      signaldesk keys list --org acme-shop
      signaldesk keys list --all --json
    """
    from signaldesk.cli import _out

    async def work() -> list[ListedKey]:
        async with _local.opened(data) as desk:
            found = await desk.api_keys.list((await desk.orgs.choose(org)).id)
            now = _in(timedelta(), desk.clock.now_us())
            return [key for key in found if everything or not _over(key, now)]

    found = _local.run(work())
    if json:
        _out.data([key._asdict() for key in found])
        return
    rows = [
        (
            *(key.id, f"{key.hint}…", key.name, ",".join(key.scopes)),
            *(_day(key.created_at), _day(key.last_used_at), _state(key)),
        )
        for key in found
    ]
    columns = ("id", "key", "name", "scopes", "made", "last used", "")
    _out.table(columns, rows, empty="no keys; make one with `signaldesk keys create`")


@GROUP.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID|sk_…", help="The key's id, or its beginning.")],
    org: _local.OrgName = None,
    data: _local.Data = None,
) -> None:
    """Revoke a key: within a second it is refused everywhere.

    \b
    Examples:
      signaldesk keys revoke sk_1a2b3c
    """
    from signaldesk.cli import _out

    async def work() -> ListedKey:
        async with _local.opened(data) as desk:
            chosen = await desk.orgs.choose(org)
            found = _the_one(await desk.api_keys.list(chosen.id), key)
            await desk.api_keys.revoke(chosen.id, found.id)
            return found

    gone = _local.run(work())
    _out.say(f"{gone.hint}… ({gone.name or gone.id}) is revoked")


def _the_one(keys: list[ListedKey], wanted: str) -> ListedKey:
    """The key of that id, or of that beginning. Raises NotFound, Conflict when several begin so."""
    from signaldesk.errors import Conflict, NotFound

    live = [key for key in keys if key.revoked_at is None]
    found = [
        key for key in live if str(key.id) == wanted or (len(wanted) > 3 and wanted.startswith(key.hint))
    ]
    found = found or [key for key in live if len(wanted) > 3 and key.hint.startswith(wanted)]
    if not found:
        raise NotFound(
            f"there is no key {wanted[:9]!r} that could be revoked; `signaldesk keys list` shows them"
        )
    if len(found) > 1:
        raise Conflict(
            f"{len(found)} keys begin with {wanted[:9]!r}; give the id that `signaldesk keys list` shows"
        )
    return found[0]


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if not re.search(r"[a-z]", text):
        raise typer.BadParameter(f"{text!r} is not a duration; write 90d or 12h", param_hint="--expires")
    from signaldesk.model import duration

    try:
        return timedelta(microseconds=duration.parse(text))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--expires") from None


def _in(lasts: timedelta | None, now_us: int) -> datetime | None:
    from signaldesk.clock import from_us

    return None if lasts is None else from_us(now_us) + lasts


def _over(key: ListedKey, now: datetime | None) -> bool:
    return key.revoked_at is not None or (
        key.expires_at is not None and now is not None and key.expires_at <= now
    )


def _state(key: ListedKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {_day(key.revoked_at)}"
    return f"until {_day(key.expires_at)}" if key.expires_at else ""


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"
