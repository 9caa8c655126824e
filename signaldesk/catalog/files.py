"""Rules read from YAML files; what is wrong is named by file and line, all of it at once.

A file holds one rule, several documents separated by `---`, a list of rules, or `rules:` with a list.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from signaldesk.errors import FieldError, Invalid, NotFound
from signaldesk.model.rule import Rule
from signaldesk.rules.document import parse_all

SUFFIXES = (".yaml", ".yml")
STDIN = Path("-")
"""The path that stands for standard input."""
_MOST_FIELDS = 100_000
"""Fields of one document; aliases of aliases would otherwise go on for ever."""


class Spot(NamedTuple):
    """Where a rule stands in the text of its file: [start, end) in characters, its column, its style."""

    start: int
    end: int
    column: int
    flow: bool


class Source(NamedTuple):
    """One rule of a file: its document, the line of each of its fields, its place."""

    file: str
    document: Any
    lines: dict[str, int]
    spot: Spot

    def line(self, path: str) -> int:
        """The line of a field such as `when.at_least`; for a missing one, of what would hold it."""
        while path not in self.lines and path:
            path = path.rpartition(".")[0]
        return self.lines.get(path, 1)

    def place(self, path: str) -> str:
        """`rules.yaml:12`."""
        return f"{self.file}:{self.line(path)}"


class Sources(NamedTuple):
    """What files hold, and what of them is no YAML."""

    rules: list[Source]
    faults: list[FieldError]

    @property
    def documents(self) -> list[Any]:
        return [source.document for source in self.rules]

    def parsed(self) -> list[Rule]:
        """The rules. Raises Invalid with every fault of every file, each by file and line."""
        try:
            found = parse_all(self.documents)
        except Invalid as error:
            raise self.located(error) from None
        if self.faults:
            raise _invalid(self.faults)
        return found

    def located(self, error: Invalid) -> Invalid:
        """The error with its fields (`rules[3].when.at_least`) named by file and line, in their order."""
        faults = sorted((self._fault(fault) for fault in error.errors), key=lambda fault: fault[:2])
        return _invalid([*self.faults, *(FieldError(*shown) for *_, shown in faults)])

    def _fault(self, fault: FieldError) -> tuple[int, int, tuple[str, str]]:
        """(index of the rule, line, what is told of it); index -1 for what belongs to no rule."""
        head, _, path = fault.field.partition(".")
        index = head.removeprefix("rules[").removesuffix("]")
        if not head.startswith("rules[") or not index.isdigit():
            return -1, 0, fault
        rule = self.rules[int(index)]
        line = rule.line(path)
        message = fault.message
        if other := re.fullmatch(r"(is the same as that of )rules\[(\d+)\]", message):
            message = other[1] + self.rules[int(other[2])].place("name")
        return int(index), line, (f"{rule.file}:{line}" + (f": {path}" if path else ""), message)


def read(paths: Iterable[Path], *, tests: bool = False) -> Sources:
    """The rules of files, of `-`, and of all YAML files in folders, by name of the file.

    Of folders, `tests` takes the tests of rules (`*.test.yaml`), which are left out otherwise.

    Raises NotFound for what cannot be read, Invalid when there is nothing at all.
    """
    found = Sources([], [])
    for path in paths:
        for file in _files(path, tests):
            _read(file, found)
    if not found.rules and not found.faults:
        what, command = ("test", "test") if tests else ("rule", "apply")
        raise Invalid(f"there is no {what} in these files; `signaldesk rules {command} --help` shows one")
    return found


def parse_text(text: str, name: str) -> Sources:
    """The rules of a text; `name` is what faults call it."""
    found = Sources([], [])
    _collect(text, name, found)
    return found


def _files(path: Path, tests: bool) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(
            file
            for file in path.rglob("*")
            if file.suffix in SUFFIXES and (Path(file.stem).suffix == ".test") == tests and file.is_file()
        )
    elif path == STDIN or path.exists():
        yield path
    else:
        raise NotFound(f"there is no file or folder {path}; name YAML files, or a folder of them")


def _read(file: Path, found: Sources) -> None:
    name = "<stdin>" if file == STDIN else str(file)
    try:
        raw = sys.stdin.buffer.read() if file == STDIN else file.read_bytes()
    except OSError as error:
        raise NotFound(f"cannot read {name}: {error.strerror}") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found.faults.append(FieldError(f"{name}:{line}", "this is not YAML text: it is not UTF-8"))
        return
    _collect(text, name, found)


def _collect(text: str, name: str, found: Sources) -> None:
    """Add the rules of one file up to its first fault of syntax."""
    line = 1
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_node():
            for node in _rules(loader.get_node()):
                line = node.start_mark.line + 1
                lines: dict[str, int] = {}
                twice = list(_note_lines(node, "", lines))  # before merge keys (<<) are dissolved
                found.faults.extend(FieldError(f"{name}:{at}", message) for at, message in twice)
                source = Source(name, loader.construct_document(node), lines, _spot(node))
                found.rules.append(source)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else line
        found.faults.append(
            FieldError(f"{name}:{line}", f"this is not YAML: {error.problem or error.context}")
        )
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).partition("\n")[0]
        found.faults.append(FieldError(f"{name}:{line}", f"this is not YAML text: {first}"))


def _rules(node: yaml.Node | None) -> list[yaml.Node]:
    """The node of each rule of a YAML document."""
    if isinstance(node, yaml.MappingNode) and [key.value for key, _ in node.value] == ["rules"]:
        inner = node.value[0][1]
        node = inner if isinstance(inner, yaml.SequenceNode) or inner.value == "" else node
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return [] if node is None or node.tag == "tag:yaml.org,2002:null" else [node]


def _note_lines(node: yaml.Node, path: str, lines: dict[str, int]) -> Iterator[tuple[int, str]]:
    """Note the line of every field below the node; yields (line, message) for fields given twice."""
    if len(lines) > _MOST_FIELDS:
        raise yaml.YAMLError(f"more than {_MOST_FIELDS} fields in one document")
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{path}.{key.value}" if path else str(key.value)
            if name in lines:
                yield key.start_mark.line + 1, f"{name} is given twice, first in line {lines[name]}"
            lines[name] = key.start_mark.line + 1
            yield from _note_lines(value, name, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _note_lines(item, f"{path}.{index}", lines)


def _spot(node: yaml.Node) -> Spot:
    flow = bool(getattr(node, "flow_style", False))
    return Spot(node.start_mark.index, _end(node), node.start_mark.column, flow)


def _end(node: yaml.Node) -> int:
    """Where a node's text ends; for a block YAML's own mark lies behind the remarks that follow."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _invalid(faults: list[FieldError]) -> Invalid:
    return Invalid(f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in these files", errors=faults)
