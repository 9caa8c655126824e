"""The life of an alert."""

from pathlib import Path

from signaldesk.store.migrate import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
