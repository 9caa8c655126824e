"""Commands that talk HTTP: which installation, and with which key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from signaldesk.client.http import Api

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="SIGNALDESK_URL", help="Address of the installation. [a running `up`]"),
]
Key = Annotated[
    str | None, typer.Option("--key", envvar="SIGNALDESK_API_KEY", help="API key, sk_….", show_envvar=True)
]


def check(url: str | None, *, org: str | None = None, data: Path | None = None) -> None:
    """Raises BadParameter for options that name something of this machine beside the address of another."""
    if url is None:
        return
    there = f"on this machine, and --url or SIGNALDESK_URL names {url}"
    if org is not None:
        message = f"names one {there}; give --key one of that organisation there, or no address"
        raise typer.BadParameter(message, param_hint="--org")
    if data is not None:
        raise typer.BadParameter(f"names a folder {there}; leave one of the two out", param_hint="--data")


def api(url: str | None, key: str | None, data: Path | None) -> Api:
    """The API of the named installation, or of the `up` here. Raises SettingsError, and as `check` does."""
    from signaldesk import settings as settings_module
    from signaldesk.client.http import Api
    from signaldesk.errors import SettingsError
    from signaldesk.roles import place

    check(url, data=data)
    if url is None:
        folder = settings_module.load(data_dir=data).data_dir
        running = place.find(folder)
        if running is None:
            raise SettingsError(
                f"nothing runs in {folder}; start it with `signaldesk up`, name its folder with --data, "
                "or the address of another installation with --url or SIGNALDESK_URL"
            )
        url = running.url
    if key is None:
        raise SettingsError(
            "an API key is needed: give --key or SIGNALDESK_API_KEY; "
            "`signaldesk keys create --scopes events:write` makes one"
        )
    return Api(url, key)
