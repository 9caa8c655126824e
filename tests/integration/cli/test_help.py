"""The command line as a whole: every command explains itself, and starts quickly."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from signaldesk import cli
from tests.support.commands import COMMAND, Terminal

GROUPS = "alerts backtest bench db doctor history init keys labels query rules run send tail up"
HELP_OF_ITS_OWN = "bench"


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, one in command.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, (*path, name))
        else:
            yield (*path, name), one


ALL = dict(commands(typer.main.get_command(cli.build())))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_with_examples(path: tuple[str, ...]) -> None:
    words = ALL[path].help
    assert re.search(r"Examples:\n +(\w+=\S+ )*(export \S+|echo .* \| )?signaldesk ", words), words
    assert all(param.help for param in ALL[path].params if getattr(param, "help", None) is not None)


def test_what_there_is(terminal: Terminal) -> None:
    groups = {path[0] for path in ALL}
    assert groups == set(GROUPS.split())
    said = terminal.run("--help").out
    assert all(group in said for group in groups)


def test_help_of_one_command(terminal: Terminal) -> None:
    assert "--at" not in terminal.run("rules", "apply", "--help").out
    assert "at_least: 3" in terminal.run("rules", "apply", "--help").out


def test_help_imports_nothing_but_what_prints_it(terminal: Terminal) -> None:
    # Imports are what a command takes to start, and the same on a busy machine as on a quiet one.
    def imported(*words: str) -> set[str]:
        cold = (sys.executable, "-X", "importtime", *words)
        done = subprocess.run(cold, env=terminal.environment(), capture_output=True, text=True, check=True)
        return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}

    def packages(modules: set[str]) -> set[str]:
        return {name.partition(".")[0] for name in modules}

    ours = packages(imported("-m", "signaldesk", "--help"))
    printing = packages(imported("-c", "import typer.main, typer.rich_utils"))
    assert ours - printing - sys.stdlib_module_names == {"signaldesk"}


def test_the_version(terminal: Terminal) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", terminal.run("--version").out)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("upp",), "Did you mean 'up'?"),
        (("up", "--prot", "1"), "--port"),
        (("up", "--port", "70000"), "65535"),
        (("up", "--data", ""), "is empty; name a folder, or leave it out"),
        (("rules", "list", "--data", ""), "is empty; name a folder, or leave it out"),
        (("rules", "aply"), "Did you mean 'apply'?"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    terminal: Terminal, words: tuple[str, ...], complaint: str
) -> None:
    said = terminal.refuses(*words, expect=2)
    assert complaint in said
    assert "--help`" in said


def test_without_words_it_shows_its_help(terminal: Terminal) -> None:
    assert "Start everything with" in terminal.run(expect=2).out


def test_a_reader_that_has_seen_enough_is_no_error(terminal: Terminal) -> None:
    shell = f"{' '.join(COMMAND)} --help | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], env=terminal.environment(), capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_an_unforeseen_error_is_one_line_unless_asked_for_more(terminal: Terminal) -> None:
    # Certificates that are none are nothing that anybody wrote a message for.
    broken = terminal.with_(SSL_CERT_FILE="/dev/null")
    words = ("tail", "--url", "https://127.0.0.1:1", "--key", "sk_" + "0" * 48)
    assert "signaldesk --traceback" in broken.refuses(*words)
    assert "Traceback" in broken.run("--traceback", *words, expect=1).err
