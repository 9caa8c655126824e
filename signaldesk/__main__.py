"""The command `signaldesk`, also as `python -m signaldesk`."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit.

    What `up` waits for longest, the imports of its processes, is begun before anything of ours is imported.
    """
    if sys.argv[1:2] != ["up"]:
        _command_line()
    from signaldesk.roles import cradle

    with cradle.early() as begun:
        _command_line(begun)


def _command_line(begun: object = None) -> NoReturn:
    from signaldesk import cli

    cli.main(begun=begun)


if __name__ == "__main__":
    main()
