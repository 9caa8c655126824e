"""What type checkers are told about rules is what the kinds take."""

from __future__ import annotations

from tests.docs import signatures


def test_type_checkers_know_the_constructors_of_all_kinds() -> None:
    assert signatures.FILE.read_text(encoding="utf-8") == signatures.text(), "run `python -m tests.docs`"
