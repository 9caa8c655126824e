"""Who wrote a version of a rule, by name."""

from pathlib import Path

from signaldesk.store.migrate import run_script

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
