"""A folder of rule files brought up to date with what is saved, touching no more of it than needed.

Files are their owners': a file whose rule is unchanged is not written at all, and of a rule that changed only
its own text is replaced, so that remarks and other rules around it stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from signaldesk.catalog import files
from signaldesk.catalog.files import Source, Sources
from signaldesk.catalog.yaml_text import canonical, write, write_at
from signaldesk.errors import Invalid
from signaldesk.store.rules import StoredRule


class Exported(NamedTuple):
    """One rule and the file it is in now; `foreign` is a rule of the folder that is not saved (any more)."""

    name: str
    file: Path
    change: Literal["written", "rewritten", "unchanged", "foreign"]


def export(folder: Path, rules: Iterable[StoredRule]) -> list[Exported]:
    """Write what is new or different. Raises Invalid, before anything is written, for files with faults."""
    folder.mkdir(parents=True, exist_ok=True)
    known = _known(folder)
    found: list[Exported] = []
    texts: dict[Path, str] = {}
    for rule in rules:
        source = known.pop(rule.name, None)
        if source is None:
            file = _free_name(folder, rule, texts)
            texts[file] = write([rule.body])
            found.append(Exported(rule.name, file, "written"))
        elif canonical(source.document) == canonical(rule.body):
            found.append(Exported(rule.name, Path(source.file), "unchanged"))
        else:
            file = Path(source.file)
            texts[file] = _rewritten(texts.get(file) or _text(file), rule, str(file))
            found.append(Exported(rule.name, file, "rewritten"))
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8", newline="")
    return found + [Exported(name, Path(source.file), "foreign") for name, source in known.items()]


def _known(folder: Path) -> dict[str, Source]:
    """The rules that the folder's files hold, by name. Raises Invalid for files with faults."""
    if not any(file.suffix in files.SUFFIXES for file in folder.rglob("*")):
        return {}
    try:
        sources = files.read([folder])
    except Invalid as error:
        if not error.errors:
            return {}  # files, but no rule in them
        raise
    rules = sources.parsed()
    return {rule.name: source for rule, source in zip(rules, sources.rules, strict=True)}


def _rewritten(text: str, rule: StoredRule, file: str) -> str:
    """The file's text with the rule's own part replaced.

    Raises Invalid when that cannot be done without touching others, e.g. because they borrow from it.
    """
    before = files.parse_text(text, file)
    (at,) = [index for index, source in enumerate(before.rules) if source.document["name"] == rule.name]
    spot = before.rules[at].spot
    new = write_at(rule.body, column=spot.column, flow=spot.flow)
    changed = text[: spot.start] + new + text[spot.end :]
    wanted = [canonical(source.document) for source in before.rules]
    wanted[at] = canonical(rule.body)
    if _documents(files.parse_text(changed, file)) != wanted:
        place = before.rules[at].place("")
        message = f"{rule.name} cannot be replaced here without touching other rules; change it by hand"
        raise Invalid(f"{place}: {message}")
    return changed


def _documents(sources: Sources) -> list[dict[str, Any]] | None:
    """The rules in the one shape; None for a text with faults."""
    if sources.faults or not all(isinstance(one, dict) for one in sources.documents):
        return None
    return [canonical(one) for one in sources.documents]


def _free_name(folder: Path, rule: StoredRule, taken: dict[Path, str]) -> Path:
    """A file name from the rule's name, with its id when another file has the same."""
    name = re.sub(r"[^a-z0-9]+", "-", rule.name.lower()).strip("-")[:80] or str(rule.id)
    file = folder / f"{name}.yaml"
    return folder / f"{name}-{str(rule.id)[-8:]}.yaml" if file in taken or file.exists() else file


def _text(file: Path) -> str:
    return file.read_bytes().decode("utf-8")
