"""What messages tell people to do can be done: every command, option and variable that the package names exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mrv_assets.cli.main import verbs
from mrv_assets.programme.model import MissionSource, Program
from mrv_assets.settings import DEMO_PROGRAM

PACKAGE = DEMO_PROGRAM.parents[1]
FILES = sorted(PACKAGE.rglob("*.py"))
VALUE = "VALUE"
"""In place of what a message fills in."""


def texts(path: Path) -> Iterator[str]:
    """The texts of a module, a text that is put together as one."""
    tree = ast.parse(path.read_text())
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                p.value if isinstance(p, ast.Constant) and isinstance(p.value, str) else VALUE for p in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.value


SAID = [(path, text) for path in FILES for text in texts(path)]


def commands() -> list[tuple[str, str]]:
    """Each command that a text names, with the module that names it."""
    return sorted(
        {
            (str(path.relative_to(PACKAGE)), " ".join(command.split()))
            for path, text in SAID
            for command in re.findall(r"`(mrv [a-z][^`]*)`", text)
        }
    )


def unknown(command: str) -> str:
    """The first part of a command line that does not exist; empty where all do."""
    group: click.Command = verbs
    for word in command.split()[1:]:
        if word.startswith("--"):
            options = {name for parameter in group.params for name in (*parameter.opts, *parameter.secondary_opts)}
            if word.partition("=")[0].rstrip(".,") not in {*options, "--help"}:
                return word
        elif isinstance(group, click.Group):
            found = group.commands.get(word)
            if found is None:
                return word
            group = found
    return ""


def test_there_are_commands_to_look_at() -> None:
    """Else the walk sees nothing."""
    assert len(commands()) > 20


@pytest.mark.parametrize(("module", "command"), commands())
def test_every_command_that_a_message_names_exists(module: str, command: str) -> None:
    """With each of its options."""
    assert unknown(command) == "", f"{module} names `{command}`"


def test_every_variable_that_a_message_names_is_read() -> None:
    """By the settings, or by the tests and tools that it is for."""
    read = set(re.findall(r'"((?:MRV|DAGSTER)_[A-Z0-9_]+)"', (PACKAGE / "settings.py").read_text()))

    named = {(str(path), name) for path, text in SAID for name in re.findall(r"\b(MRV_[A-Z0-9_]+)\b", text)}

    assert {name for _, name in named} - read == set()


def test_every_field_of_the_programme_that_a_cure_names_exists() -> None:
    """As ``missions.<name>.<field>``, or as a field of the programme before a colon."""
    known = set(MissionSource.model_fields)

    named = {field for _, text in SAID for field in re.findall(r"missions\.[A-Za-z0-9<>]+\.([a-z_]+)", text)}

    assert named - known == set()
    assert {"exclude", "tiles", "missions"} <= set(Program.model_fields)
