"""Run the benchmarks: `python -m tests.bench loop ingest --rounds 3 --write docs/benchmarks.md`."""

import argparse
import inspect
import platform
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from rich.console import Console

from tests.bench import (
    anomaly,
    backtest,
    cold_start,
    filter_cost,
    history,
    ingest,
    latency,
    loop,
    machine,
    mixed,
    naive_side,
    page,
    preview,
    rules_scale,
)
from tests.bench.children import BenchError
from tests.bench.harness import Bench, Options
from tests.bench.report import OURS, Section, markdown, table
from tests.bench.servers import valkey_version

BENCHMARKS: dict[str, ModuleType] = {
    "loop": loop,
    "mixed": mixed,
    "ingest": ingest,
    "latency": latency,
    "rules_scale": rules_scale,
    "filter_cost": filter_cost,
    "cold_start": cold_start,
}
ALONE: dict[str, ModuleType] = {"history": history, "backtest": backtest, "preview": preview}
"""Compared with no naive loop: their sections stand for themselves."""
ANOMALY = "anomaly"
"""Needs no servers, but data; has its own report."""


def _arguments() -> argparse.Namespace:
    defaults = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    known = ", ".join([*BENCHMARKS, *ALONE, ANOMALY])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which of {known} (all, anomaly only with --data)"
    )
    parser.add_argument("--rounds", type=int, default=defaults.rounds)
    parser.add_argument("--seconds", type=int, default=defaults.seconds, help="length of one load")
    parser.add_argument("--backlog", type=int, default=defaults.backlog, help="events for SignalDesk")
    parser.add_argument("--naive-backlog", type=int, default=defaults.naive_backlog)
    parser.add_argument("--sides", default=",".join(defaults.sides), help="naive,ours or one of them")
    parser.add_argument("--patience", type=int, default=defaults.patience, help="seconds to wait for quiet")
    parser.add_argument("--retries", type=int, default=defaults.retries, help="when strangers disturb")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="labelled series, for anomaly")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the report as Markdown")
    return parser.parse_args()


def _options(given: argparse.Namespace) -> Options:
    sides = tuple(given.sides.split(","))
    if not set(sides) <= {"naive", OURS}:
        raise BenchError(f"--sides {given.sides}: choose from naive,ours")
    return Options(
        rounds=given.rounds,
        seconds=given.seconds,
        backlog=given.backlog,
        naive_backlog=given.naive_backlog,
        sides=sides,
        patience=given.patience,
        retries=given.retries,
    )


def _chosen(names: list[str], data: Path | None) -> list[str]:
    known = [*BENCHMARKS, *ALONE, ANOMALY]
    if unknown := set(names) - set(known):
        raise BenchError(f"no benchmark {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
    if ANOMALY in names and data is None:
        raise BenchError("anomaly needs labelled series: --data FOLDER, a clone of github.com/numenta/NAB")
    return names or [name for name in known if name != ANOMALY or data is not None]


def _circumstances(postgres: str, sides: tuple[str, ...]) -> str:
    """The machine, the date, the versions and the command, as Markdown."""
    versions = {
        "Python": platform.python_version(),
        "PostgreSQL": postgres,
        "Valkey": valkey_version(),
        **{name: version(name) for name in ("signaldesk", "redis", "psycopg", "msgspec", "uvloop")},
    }
    if "naive" in sides:
        versions |= {f"{name} (naive loop)": number for name, number in naive_side.versions().items()}
    command = shlex.join(["python", "-m", "tests.bench", *sys.argv[1:]])
    return (
        "# Benchmarks\n\n"
        "Measured side by side in one run with the naive loop (`tests/bench/naive`): Fastify, BullMQ and\n"
        "Postgres, with one transaction and several Redis calls for every event. Medians over the rounds,\n"
        "range in brackets. This file is written by the command below; do not edit it.\n\n"
        f"- Command: `{command}`\n"
        f"- Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n"
        f"- Machine: {machine.cores()} cores, {machine.processor_name()}, {machine.memory_gib()} GiB, "
        f"{platform.system()} {platform.release().partition('-')[0]}; load generator and servers share it\n"
        f"- Versions: {', '.join(f'{name} {number}' for name, number in versions.items())}\n"
    )


def _measure(names: list[str], options: Options, console: Console) -> tuple[str, list[Section]]:
    sections, postgres = [], "?"
    for name in names:
        module = {**BENCHMARKS, **ALONE}[name]
        section = Section(module.TITLE, inspect.cleandoc(module.__doc__ or ""))
        sections.append(section)
        console.print(f"[dim]{name}: {options.rounds} rounds …[/dim]")
        try:
            with Bench(options, section) as bench:
                postgres = bench.postgres.version()
                module.run(bench)
        except BenchError as error:  # what the others measured is worth keeping
            section.failure = str(error)
            console.print(f"{name}: {error}", style="red", markup=False)
        console.print(table(section))
    return postgres, sections


def _with_servers(names: list[str], options: Options, written: Path | None, console: Console) -> int:
    """0 if every promise was kept, 1 if one was missed, 2 if it could not be run."""
    postgres, sections = _measure(names, options, console)
    if written:
        head = _circumstances(postgres, options.sides)
        new = {section.title: markdown(section) for section in sections}
        _rewrite(written, lambda old: page.together(old, head, new), console)
    if any(section.failure for section in sections):
        return 2
    return int(any(line.verdict() == "missed" for section in sections for line in section.lines))


def _alone(name: str, options: Options, written: Path | None, console: Console) -> int:
    """The same for a benchmark of its own, whose section says how it was made."""
    _, (section,) = _measure([name], options, console)
    if written:
        command = shlex.join(["python", "-m", "tests.bench", *sys.argv[1:]])
        section.meaning += (
            f"\n\n- Command: `{command}`, {datetime.now(UTC):%Y-%m-%d}, {machine.cores()} cores,"
            f" {machine.processor_name()}"
        )
        _rewrite(written, lambda old: page.replaced(old, section.title, markdown(section)), console)
    if section.failure:
        return 2
    return int(any(line.verdict() == "missed" for line in section.lines))


def _anomaly(data: Path, written: Path | None, console: Console) -> int:
    """0 if the goal was reached, 1 if not."""
    report = anomaly.measure(data)
    console.print(anomaly.table(report))
    if written:
        section = anomaly.markdown(report)
        _rewrite(written, lambda old: page.replaced(old, anomaly.title(report), section), console)
    return int(report.score <= anomaly.GOAL)


def _rewrite(path: Path, change: Callable[[str], str], console: Console) -> None:
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(change(old), encoding="utf-8")
    console.print(f"wrote {path}")


def main() -> int:
    """Measure, print, write. 0 if every promise was kept, 1 if one was missed, 2 if it could not be run."""
    console = Console()
    try:
        given = _arguments()
        options = _options(given)
        names = _chosen(given.names, given.data)
        codes = []
        if served := [name for name in names if name in BENCHMARKS]:
            codes.append(_with_servers(served, options, given.write, console))
        codes += [_alone(name, options, given.write, console) for name in names if name in ALONE]
        if ANOMALY in names:
            codes.append(_anomaly(given.data, given.write, console))
    except BenchError as error:
        console.print(f"bench: {error}", style="red", markup=False)
        return 2
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
