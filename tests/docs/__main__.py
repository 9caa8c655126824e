"""Bring what is made of the code up to date, documentation and signatures: `python -m tests.docs`."""

from __future__ import annotations

from tests.docs import signatures
from tests.docs.generated import parts

for (page, name), text in parts().items():
    if page.marked().get(name) != text:
        page.replace(name, text)
        print(f"{page}: {name}")

if signatures.FILE.read_text(encoding="utf-8") != (text := signatures.text()):
    signatures.FILE.write_text(text, encoding="utf-8")
    print(signatures.FILE.name)
