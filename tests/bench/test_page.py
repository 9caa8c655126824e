"""The written report: a run replaces what it measured, and nothing else."""

from tests.bench.page import replaced, together

OWN = "## Labelled\n\n- Command: `own`\n\n| a |\n"
RUN = "- Command: `loop ingest`\n- Date: 2026-01-05"
OLD = f"# Benchmarks\n\nold head\n\n{RUN}\n- Machine: 2 cores\n\n## Loop\n\nold\n\n{OWN}\n## Ingest\n\nold\n"


def test_sections_that_are_not_measured_again_stay_and_say_of_which_run_they_are() -> None:
    new = together(OLD, "# Benchmarks\n\nnew head\n", {"Loop": "## Loop\n\nnew\n"})
    assert new == f"# Benchmarks\n\nnew head\n\n## Loop\n\nnew\n\n{OWN}\n## Ingest\n\n{RUN}\n\nold\n"
    again = together(new, "# Benchmarks\n\nnewest head\n", {"Loop": "## Loop\n\nnewest\n"})
    assert again.endswith(f"## Ingest\n\n{RUN}\n\nold\n")


def test_a_section_is_renewed_at_its_place() -> None:
    assert replaced(OLD, "Labelled", "## Labelled\n\nnew\n") == (
        f"# Benchmarks\n\nold head\n\n{RUN}\n- Machine: 2 cores\n\n"
        "## Loop\n\nold\n\n## Labelled\n\nnew\n\n## Ingest\n\nold\n"
    )


def test_a_new_section_comes_last() -> None:
    assert replaced("# Benchmarks\n", "Labelled", OWN) == f"# Benchmarks\n\n{OWN}"
