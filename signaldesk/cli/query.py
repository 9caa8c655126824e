"""`signaldesk query`: SQL over what was stored."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from signaldesk.cli import _in, _local, _out, _remote

GROUP = typer.Typer()


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


@GROUP.command("query", rich_help_panel="Look back")
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; - reads it from standard input.")],
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print the result.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there. [standard output]")
    ] = None,
    org: _local.OrgName = None,
    url: _remote.Url = None,
    key: _remote.Key = None,
    data: _local.Data = None,
) -> None:
    """Ask in SQL: events, alerts, firings, labels.

    Asks the `signaldesk up` on this machine, or with --url and --key any other installation.

    \b
    Examples:
      signaldesk query "SELECT type, count(*) FROM events GROUP BY type"
      signaldesk query "SELECT payload.country, sum(payload.amount) FROM events GROUP BY ALL" --format csv
      signaldesk query "FROM events" --format parquet --output events.parquet
      signaldesk query "SELECT state, count(*) FROM alerts GROUP BY ALL" --url https://desk.example.com
    """
    _remote.check(url, org=org, data=data)
    text = _in.text() if sql == "-" else sql
    if format is Format.PARQUET and output is None and sys.stdout.isatty():
        raise typer.BadParameter("a terminal shows no Parquet; name a file", param_hint="--output")
    wire = "json" if format is Format.TABLE else format.value

    def ask(write: Callable[[bytes], Any]) -> None:
        if url is not None:
            _ask_remote(text, wire, write, url, key)
        else:
            _local.run(_ask_local(text, wire, write, data, org))

    if format is Format.TABLE:
        pieces: list[bytes] = []
        ask(pieces.append)
        _print_table(b"".join(pieces))
    elif output is None:
        ask(sys.stdout.buffer.write)
        if format is Format.JSON:
            sys.stdout.buffer.write(b"\n")
    else:
        _write_whole(output, ask)


def _ask_remote(sql: str, wire: str, write: Callable[[bytes], Any], url: str, key: str | None) -> None:
    from signaldesk.client.query import asked

    with _remote.api(url, key, None) as api, asked(api, sql, wire) as answer:
        _out.damage(answer.missing)
        for piece in answer.pieces:
            write(piece)


async def _ask_local(
    sql: str, wire: Any, write: Callable[[bytes], Any], data: Path | None, org: str | None
) -> None:
    async with _local.opened(data) as desk:
        result = await desk.queries.ask((await desk.orgs.choose(org)).id, sql, wire)
        _out.damage(result.missing)
        try:
            async for piece in result:
                write(piece)
        finally:
            result.close()


def _write_whole(output: Path, ask: Callable[[Callable[[bytes], Any]], None]) -> None:
    """The file, or none: half a result never lies around under its name."""
    from contextlib import suppress

    part = output.with_name(output.name + ".part")
    try:
        with part.open("wb") as file:
            ask(file.write)
        part.replace(output)
    except OSError as error:
        raise _out.Unusable(f"{output}: {error.strerror}; name another file with --output") from None
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _print_table(answer: bytes) -> None:
    import json

    result = json.loads(answer)
    names = [column["name"] for column in result["columns"]]
    if not sys.stdout.isatty() and result["rows"]:
        sys.stdout.write("\t".join(_out.plain(name) for name in names) + "\n")
    rows = [[_cell(value) for value in row] for row in result["rows"]]
    _out.table(names, rows, empty="no rows")


def _cell(value: object) -> object:
    """Lists and objects as JSON, true and false as SQL has them."""
    import json

    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
