"""Known incidents."""

from pathlib import Path

from signaldesk.store.migrate import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
