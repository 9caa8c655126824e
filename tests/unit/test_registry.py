"""The registry: what a room holds, found by being there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import signaldesk.rules
from signaldesk import registry

Room = Callable[[dict[str, str]], ModuleType]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """Makes a package of the given modules (name -> source)."""

    def make(modules: dict[str, str]) -> ModuleType:
        package = tmp_path / "room_of_a_test"
        package.mkdir()
        (package / "__init__.py").touch()
        for name, source in modules.items():
            (package / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        for name in [name for name in sys.modules if name.startswith("room_of_a_test")]:
            monkeypatch.delitem(sys.modules, name)
        return __import__("room_of_a_test")

    return make


def test_every_module_of_a_room_is_found_by_name(room: Room) -> None:
    package = room({"b": "", "a": "", "_private": "raise RuntimeError"})
    assert [module.__name__ for module in registry.modules(package)] == [
        "room_of_a_test.a",
        "room_of_a_test.b",
    ]


def test_members_are_what_the_modules_say(room: Room) -> None:
    package = room({"a": "THING = 'first'", "b": "OTHER = 1", "c": "THING = 'second'"})
    assert registry.members(package, "THING", str) == ["first", "second"]


def test_a_thing_of_another_kind_does_not_go_unnoticed(room: Room) -> None:
    with pytest.raises(TypeError, match=r"room_of_a_test\.a\.THING is not a str"):
        registry.members(room({"a": "THING = 7"}), "THING", str)


def test_the_room_of_rule_kinds_is_such_a_room() -> None:
    names = [module.__name__ for module in registry.modules(signaldesk.rules)]
    assert {"signaldesk.rules.count", "signaldesk.rules.each"} <= set(names)
