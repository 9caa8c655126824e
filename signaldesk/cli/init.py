"""`signaldesk init`: the first organisation and its owner, without a browser."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from signaldesk.cli import _local

GROUP = typer.Typer()


@GROUP.command("init", rich_help_panel="Look after it")
def init(
    email: Annotated[str, typer.Option(prompt="E-mail address of the owner", help="Log-in of the owner.")],
    org: Annotated[str, typer.Option(prompt="Name of the organisation", help="Name of the organisation.")],
    name: Annotated[str, typer.Option(help="Name of the owner.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Make an organisation and its owner.

    \b
    Examples:
      signaldesk init --email you@example.com --org "Acme Shop"
      echo "$PASSWORD" | signaldesk init --email you@example.com --org Acme --password-stdin
    """
    password = _password(from_stdin=password_stdin)
    _local.run(_found(email=email, org=org, name=name, password=password, data=data, json=json))


def _password(*, from_stdin: bool) -> str:
    """From a pipe or from the keyboard, twice. Raises UsageError when there is neither."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked for a password here; pipe it in with --password-stdin")
    given: str = typer.prompt("Password (10 characters or more)", hide_input=True, confirmation_prompt=True)
    return given


async def _found(*, email: str, org: str, name: str, password: str, data: _local.Data, json: bool) -> None:
    from signaldesk.cli import _out

    async with _local.opened(data) as desk:
        founded = await desk.users.found(org=org, email=email, password=password, name=name)
        address = f"{desk.settings.base_url}/login"
    if json:
        _out.data({"org_id": founded.org_id, "org": founded.org_slug, "user_id": founded.user_id})
        return
    _out.say(f"{org} is there; log in as {email} at {address}")
    _out.say(f"To send events, make a key: signaldesk keys create --org {founded.org_slug}")
