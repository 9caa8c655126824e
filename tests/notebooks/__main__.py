"""Runs the notebooks and writes them with their new outputs: `make notebooks`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.notebooks import made, running


def main() -> int:
    """Those whose names hold one of the arguments; all without any."""
    chosen = [
        path
        for path in running.notebooks()
        if not sys.argv[1:] or any(one in path.name for one in sys.argv[1:])
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        with running.installation(folder) as variables:
            for path in chosen:
                place = folder / path.stem
                place.mkdir()
                made.write(running.run(path, place, variables), path)
                print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
