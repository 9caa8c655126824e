"""Every notebook runs from top to bottom, says what is committed, and is written without what changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.notebooks import made, running
from tests.support.databases import Databases

MOST_BYTES = 500_000
NOTEBOOKS = pytest.mark.parametrize("path", running.notebooks(), ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases, worker_redis_url: str
) -> Iterator[dict[str, str]]:
    """An installation that all notebooks share."""
    folder = tmp_path_factory.mktemp("notebooks")
    with redis.Redis.from_url(worker_redis_url) as client:
        client.flushdb()
    with databases.fresh(migrated=True) as url:
        servers = {"SIGNALDESK_DATABASE_URL": url, "SIGNALDESK_REDIS_URL": worker_redis_url}
        with running.installation(folder, **servers) as variables:
            yield variables
    shutil.rmtree(folder, ignore_errors=True)


@NOTEBOOKS
def test_a_notebook_says_what_is_committed(path: Path, installation: dict[str, str], tmp_path: Path) -> None:
    committed, now = running.read(path), running.run(path, tmp_path, installation)
    different = [
        f"cell {number}: {' '.join(after)}\n  committed: {' '.join(before)}"
        for number, (before, after) in enumerate(
            zip(made.printed(committed), made.printed(now), strict=True), 1
        )
        if before != after
    ]
    assert not different, f"{path.name} says something else now; look at it, and run `make notebooks`:\n" + (
        "\n".join(different)
    )


@NOTEBOOKS
def test_a_notebook_is_small_and_holds_nothing_that_changes_from_run_to_run(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES
    committed = running.read(path)
    assert made.plain(running.read(path)) == committed, "run `make notebooks`"
    outputs = [one for cell in committed.cells for one in cell.get("outputs", ())]
    assert not [one.text for one in outputs if one.get("name") == "stderr"], "somebody is warned"
    counts = [cell.execution_count for cell in committed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@NOTEBOOKS
def test_the_documentation_shows_the_picture_that_a_notebook_has(path: Path) -> None:
    shown = made.IMAGES / f"{path.stem}.png"
    assert made.main_picture(running.read(path)) == shown.read_bytes(), "run `make notebooks`"
