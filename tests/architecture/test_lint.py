"""Style and types: what `make lint` checks, so that one command proves everything."""

from __future__ import annotations

import pytest

from tests.architecture.conftest import Run


def test_the_code_follows_the_style(run: Run) -> None:
    run("-m", "ruff", "check", "--quiet", "--no-cache")


def test_the_code_is_formatted(run: Run) -> None:
    run("-m", "ruff", "format", "--check", "--quiet", "--no-cache")


@pytest.mark.slow
def test_the_types_are_right(run: Run) -> None:
    run("-m", "mypy", "--no-error-summary")
