"""Bring the generated parts of the documentation up to date: `python -m tests.docs`."""

from __future__ import annotations

from tests.docs.generated import parts

for (page, name), text in parts().items():
    if page.marked().get(name) != text:
        page.replace(name, text)
        print(f"{page}: {name}")
