"""Imports every module of a package and prints, as JSON, what the package did besides defining things.

    python tests/architecture/import_everything.py PACKAGE

It listens to what Python itself reports (https://docs.python.org/3/library/audit_events.html). An event
counts when the package's own code caused it: walking outwards from the event, one of its frames comes before
a frame of the import system. What other packages do when they are imported is their affair.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pydantic

IO = ("open", "socket.", "subprocess.", "os.", "shutil.", "tempfile.", "urllib.", "sqlite3.", "glob.")
IMPORT_SYSTEM = "<frozen importlib"


class Watch:
    """Notes what the code below `home` does."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.seen: list[str] = []
        self.on = True

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event.startswith(IO) and (place := self._culprit(sys._getframe(1))):
            self.seen.append(f"{place} {event} {arguments!r:.100}")

    def _culprit(self, frame: FrameType | None) -> str | None:
        while frame is not None and not frame.f_code.co_filename.startswith(IMPORT_SYSTEM):
            if frame.f_code.co_filename.startswith(self.home):
                return f"{Path(frame.f_code.co_filename).relative_to(self.home)}:{frame.f_lineno}"
            frame = frame.f_back
        return None


def main(name: str) -> None:
    package = importlib.import_module(name)
    pydantic.create_model("First")  # pydantic looks for its plugins when the first model is defined
    watch = Watch(str(Path(str(package.__file__)).parent))
    threads = threading.active_count()
    sys.addaudithook(watch.hook)
    for info in pkgutil.walk_packages(package.__path__, f"{name}."):
        if not info.name.endswith("__main__"):
            importlib.import_module(info.name)
    watch.on = False
    threads = threading.active_count() - threads
    print(json.dumps({"did": watch.seen, "threads": threads, "pandas": "pandas" in sys.modules}))


if __name__ == "__main__":
    main(sys.argv[1])
