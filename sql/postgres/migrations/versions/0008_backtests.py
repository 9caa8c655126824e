"""Backtests that the server runs."""

from pathlib import Path

from signaldesk.store.migrate import run_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
