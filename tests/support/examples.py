"""How many examples a test makes up: enough in `make test`, and many times that in `make soak`."""

from __future__ import annotations

import os

from hypothesis import settings

SOAK = int(os.environ.get("SIGNALDESK_TEST_SOAK", "1"))
"""How many times more than in `make test`."""
USUAL = 30
"""Examples of a test that asks for no number of its own."""


def examples(number: int) -> settings:
    """So many examples in `make test`."""
    return settings(max_examples=number * SOAK)


def load_profile() -> None:
    """What holds for every test: `make test` says the same each time, and `make soak` something new."""
    same = "SIGNALDESK_TEST_SOAK" not in os.environ
    settings.register_profile("usual", max_examples=USUAL * SOAK, deadline=None, derandomize=same)
    settings.load_profile("usual")
