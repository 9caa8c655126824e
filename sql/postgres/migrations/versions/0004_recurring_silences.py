"""Silences that come again."""

from pathlib import Path

from signaldesk.store.migrate import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
