"""The history store's books."""

from pathlib import Path

from signaldesk.store.migrate import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
