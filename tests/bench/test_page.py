"""The written report: a run replaces what it measured, and nothing else."""

from tests.bench.page import replaced, together

OWN = "## Labelled\n\n- Command: `own`\n\n| a |\n"
OLD = f"# Benchmarks\n\nold head\n\n## Loop\n\nold\n\n{OWN}\n## Ingest\n\nold\n"


def test_sections_of_a_run_of_their_own_stay_when_the_others_are_measured_again() -> None:
    assert together(OLD, "# Benchmarks\n\nnew head\n", {"Loop": "## Loop\n\nnew\n"}) == (
        f"# Benchmarks\n\nnew head\n\n## Loop\n\nnew\n\n{OWN}"
    )


def test_a_section_is_renewed_at_its_place() -> None:
    assert replaced(OLD, "Labelled", "## Labelled\n\nnew\n") == (
        "# Benchmarks\n\nold head\n\n## Loop\n\nold\n\n## Labelled\n\nnew\n\n## Ingest\n\nold\n"
    )


def test_a_new_section_comes_last() -> None:
    assert replaced("# Benchmarks\n", "Labelled", OWN) == f"# Benchmarks\n\n{OWN}"
