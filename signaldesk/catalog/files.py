"""Rules as YAML files, both ways; what is wrong is named by file and line.

A file holds one rule, several documents separated by `---`, a list of rules, or `rules:` with a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from signaldesk.errors import FieldError, Invalid, NotFound

SUFFIXES = (".yaml", ".yml")


class Source(NamedTuple):
    """One rule of a file: its document, and the line of each of its fields."""

    file: str
    document: Any
    lines: dict[str, int]

    def place(self, path: str) -> str:
        """`rules.yaml:12` for a field such as `when.at_least`; for a missing one, what would hold it."""
        while path not in self.lines and path:
            path = path.rpartition(".")[0]
        return f"{self.file}:{self.lines.get(path, 1)}"


def read(paths: Iterable[Path]) -> list[Source]:
    """The rules of files, and of all YAML files in folders, by name of the file.

    Raises NotFound for what cannot be read, Invalid with a place for what is no YAML.
    """
    found: list[Source] = []
    for path in paths:
        for file in _files(path):
            found += _sources(file)
    if not found:
        raise Invalid("there is no rule in these files; `signaldesk rules apply --help` shows one")
    return found


def located(error: Invalid, sources: list[Source]) -> Invalid:
    """The same error with its fields (`rules[3].when.at_least`) named by file and line."""
    faults = []
    for fault in error.errors:
        head, _, path = fault.field.partition(".")
        index = head.removeprefix("rules[").removesuffix("]")
        if head.startswith("rules[") and index.isdigit():
            source = sources[int(index)]
            where = source.place(path)
            faults.append(FieldError(f"{where}: {path}" if path else where, fault.message))
        else:
            faults.append(fault)
    return Invalid(error.detail, errors=faults)


def write(documents: Iterable[dict[str, Any]]) -> str:
    """The rules as YAML that `read` understands, fields in the order in which people write them."""
    return yaml.dump_all(
        [_ordered(rule) for rule in documents],
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )


_ORDER = (
    *("name", "description", "event", "where", "by", "when", "kind", "cooldown", "resolve"),
    *("severity", "labels", "notify"),
)


def _ordered(value: Any) -> Any:
    """Objects with their fields in one order: the database does not keep the one they came in."""
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _ordered(value[name]) for name in sorted(value, key=_place)}


def _place(field: str) -> tuple[int, str]:
    return (_ORDER.index(field) if field in _ORDER else len(_ORDER), field)


class _Dumper(yaml.SafeDumper):
    """Lists are indented, and short ones stay on their line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    elif path.exists():
        yield path
    else:
        raise NotFound(f"there is no file or folder {path}; name YAML files, or a folder of them")


def _sources(file: Path) -> Iterator[Source]:
    try:
        loader = yaml.SafeLoader(file.read_text(encoding="utf-8"))
        while loader.check_node():
            for node in _rules(loader.get_node()):
                lines: dict[str, int] = {}
                _note_lines(node, "", lines, str(file))  # before merge keys (<<) are dissolved
                yield Source(str(file), loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}" if mark else str(file)
        raise Invalid(f"{where}: this is not YAML: {error.problem or error.context}") from None
    except (UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise Invalid(f"{file}: this is not YAML text: {str(error).partition(chr(10))[0]}") from None
    except OSError as error:
        raise NotFound(f"cannot read {file}: {error.strerror}") from None


def _rules(node: yaml.Node | None) -> list[yaml.Node]:
    """The node of each rule of a YAML document."""
    if isinstance(node, yaml.MappingNode) and [key.value for key, _ in node.value] == ["rules"]:
        node = node.value[0][1]
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return [] if node is None or node.tag == "tag:yaml.org,2002:null" else [node]


def _note_lines(node: yaml.Node, path: str, lines: dict[str, int], file: str) -> None:
    """Path of every field below the node -> its line. Raises Invalid for a field given twice."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{path}.{key.value}" if path else str(key.value)
            if name in lines:
                raise Invalid(
                    f"{file}:{key.start_mark.line + 1}: {name} is given twice, first in line {lines[name]}"
                )
            lines[name] = key.start_mark.line + 1
            _note_lines(value, name, lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, f"{path}.{index}", lines, file)
