"""`signaldesk bench`: the project's own benchmarks."""

from __future__ import annotations

import typer

GROUP = typer.Typer()


@GROUP.command(
    "bench",
    rich_help_panel="Look after it",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def bench(context: typer.Context) -> None:
    """Measure this installation against the project's promises; needs a checkout.

    \b
    Examples:
      signaldesk bench --help
      signaldesk bench cold_start --sides ours
    """
    import subprocess
    import sys
    from pathlib import Path

    from signaldesk.errors import NotFound

    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / "tests" / "bench" / "__main__.py").is_file():
        raise NotFound(
            "the benchmarks are part of a checkout, not of an installed package; clone the repository"
        )
    done = subprocess.run([sys.executable, "-m", "tests.bench", *context.args], cwd=checkout)
    raise typer.Exit(done.returncode)
