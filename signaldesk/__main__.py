"""The command `signaldesk`, also as `python -m signaldesk`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit.

    What `up` waits for longest, the imports of its processes, is begun before anything of ours is imported.
    """
    undisturbed()
    if sys.argv[1:2] != ["up"]:
        _command_line()
    from signaldesk.roles import cradle

    with cradle.early() as begun:
        _command_line(begun)


def undisturbed() -> None:
    """Keep NumPy, which reads this when it is imported, from asking for huge pages.

    Arrays come and go in backtests and previews, and each time such a page is touched first Linux may stop to
    put it together and clear it, for as long as the judging itself takes.
    """
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")


def _command_line(begun: object = None) -> NoReturn:
    from signaldesk import cli

    cli.main(begun=begun)


if __name__ == "__main__":
    main()
