"""`environment.yml` gives conda users exactly what `pyproject.toml` gives everybody else."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

HEAD = """\
# For conda and mamba:
#
#     conda env create --file environment.yml
#     conda activate signaldesk
#     signaldesk up
#
# The packages are those of pyproject.toml, and a test keeps the two lists equal. They come from PyPI here
# as well, so that both ways run the very same files.
"""


def expected(root: Path) -> str:
    """The file that pyproject.toml asks for."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lines = [
        "name: signaldesk",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f"  - python{project['requires-python']}",
        "  - pip",
        "  - pip:",
        *(f'      - "{requirement}"' for requirement in project["dependencies"]),
        "      # to work on SignalDesk itself",
        *(f'      - "{requirement}"' for requirement in project["optional-dependencies"]["dev"]),
        '      - "--editable ."',
    ]
    return HEAD + "\n".join(lines) + "\n"


def test_conda_users_get_what_everybody_gets(root: Path) -> None:
    wanted = expected(root)
    if (root / "environment.yml").read_text() != wanted:
        pytest.fail(
            f"environment.yml is not what pyproject.toml asks for, which is:\n\n{wanted}", pytrace=False
        )


def test_the_environment_is_what_conda_reads(root: Path) -> None:
    environment = yaml.safe_load((root / "environment.yml").read_text())
    assert environment["name"] == "signaldesk"
    *conda, pip = environment["dependencies"]
    assert conda == ["python>=3.11", "pip"]
    assert all(isinstance(requirement, str) for requirement in pip["pip"])
