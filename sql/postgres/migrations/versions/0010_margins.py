"""How far off a value may be."""

from pathlib import Path

from signaldesk.store.migrate import run_script

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
