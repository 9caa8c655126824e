"""The command line: one file per group of commands, found by its `GROUP`.

Importing this room loads Typer and nothing else of weight: every command imports what it needs when it runs.
Exit codes: 0 it worked, 1 it failed, 2 it was used wrongly. Errors are one line with the mend.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Annotated, Any, NoReturn

import typer

from signaldesk import cli, registry
from signaldesk.errors import SignalDeskError

HELP = """Event analytics and alerting on your own machines.

Start everything with [bold]signaldesk up --demo[/bold], or look at [bold]signaldesk COMMAND --help[/bold].
"""


def build() -> typer.Typer:
    """The application with every command group of this room."""
    app = typer.Typer(
        name="signaldesk",
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for group in registry.members(cli, "GROUP", typer.Typer):
        app.add_typer(group, rich_help_panel=group.rich_help_panel)
    return app


@cache
def command() -> Any:
    """The same, made ready to parse a line: for all commands there are, and so a part of each one's time."""
    return typer.main.get_command(build())


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("signaldesk"))
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where in our code an unforeseen error came from.")
    ] = False,
) -> None:
    if traceback:
        _Shown.traceback = True


class _Shown:
    """What the person at the terminal wants to see of a fault."""

    traceback = False


def main(args: list[str] | None = None, *, begun: object = None) -> NoReturn:
    """Run the command line and exit. `begun` is handed to the command as its context's object."""
    sys.exit(exit_code(sys.argv[1:] if args is None else args, begun=begun))


def exit_code(args: list[str], *, begun: object = None) -> int:
    """Run one command; its exit code. Whatever goes wrong becomes one line on standard error."""
    try:
        code = command().main(args, prog_name="signaldesk", standalone_mode=False, obj=begun)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SignalDeskError as error:
        return _failed(error)
    except (typer.Abort, KeyboardInterrupt):
        return _say("stopped")
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if hasattr(error, "format_message"):
            return _used_wrongly(error)
        if _Shown.traceback:
            raise
        return _say(f"{_first_line(error)}; `signaldesk --traceback …` shows where this came from")


def _used_wrongly(error: Any) -> int:
    """A usage error: the parser's own words in one line, and where help is."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return 2
    path = context.command_path if context is not None else "signaldesk"
    words = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
    _say(f"{words}; see `{path} --help`")
    return int(error.exit_code)


def _failed(error: SignalDeskError) -> int:
    """An error of ours: its detail, and one line for each field that is wrong."""
    from signaldesk.cli._out import Unusable, plain

    told = error.told()
    detail = " ".join(error.headline().split())
    _say(plain("; ".join([detail, *told]) if len(told) <= 1 else detail))
    for one in told if len(told) > 1 else ():
        typer.echo(plain(f"  {one}"), err=True)
    return 2 if isinstance(error, Unusable) else 1


def _say(text: str) -> int:
    typer.echo(f"signaldesk: {text}", err=True)
    return 1


def _first_line(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
