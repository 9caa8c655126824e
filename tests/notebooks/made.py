"""A notebook as it is committed: the same file after each run. And what in it is compared."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import nbformat

IMAGES = Path(__file__).parents[2] / "docs" / "images" / "notebooks"
MAIN_PICTURE = "main-picture"
"""Tag of the cell whose picture the documentation shows."""


def plain(found: Any) -> Any:
    """Without versions, times and marks of tools; cells are named by their places."""
    found.metadata = nbformat.NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    found.nbformat_minor = 5
    for number, cell in enumerate(found.cells, 1):
        cell.id = f"cell-{number:02}"
        cell.metadata = nbformat.NotebookNode(tags=cell.metadata.tags) if cell.metadata.get("tags") else {}
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = nbformat.NotebookNode()
    return found


def write(found: Any, path: Path) -> None:
    """Write the notebook, and its main picture for the documentation."""
    nbformat.write(plain(found), path)
    picture = main_picture(found)
    if picture is not None:
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / f"{path.stem}.png").write_bytes(picture)


def main_picture(found: Any) -> bytes | None:
    """The PNG of the cell that is tagged so."""
    for cell in found.cells:
        if MAIN_PICTURE in cell.metadata.get("tags", ()):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output.data["image/png"])
    return None


def printed(found: Any) -> list[list[str]]:
    """What each code cell said, word by word; of a picture only that there is one."""
    return [
        [word for output in cell.outputs for word in _words(output)]
        for cell in found.cells
        if cell.cell_type == "code"
    ]


def _words(output: Any) -> list[str]:
    if output.output_type == "stream":
        return str(output.text).split()
    if output.output_type == "error":
        return [output.ename, output.evalue]
    if "image/png" in output.data:
        return ["(picture)"]
    return str(output.data["text/plain"]).split()
