"""The schema of the main loop."""

from pathlib import Path

from signaldesk.store.migrate import run_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
