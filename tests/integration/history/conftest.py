from pathlib import Path

import pytest

from tests.support.history import HistoryLab


@pytest.fixture
def lab(database_url: str, tmp_path: Path) -> HistoryLab:
    """An empty history in a folder."""
    return HistoryLab(database_url, tmp_path / "history")
