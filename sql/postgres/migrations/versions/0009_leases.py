"""Leases in a table of their own."""

from pathlib import Path

from signaldesk.store.migrate import run_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
