"""Documents that are run: the fenced blocks of a Markdown page as files, commands and what they print.

In a block marked ``console`` a line that starts with ``$`` is a command, and what follows is its output. A block
marked with a language and a file name (``yaml program.yaml``) is that file.

Output is compared line by line after these changes, on both sides, and no others: colours and spaces at the end of
a line go; a digest of 64 hex digits becomes ``<audit hash>``; a time in seconds or hours becomes ``<time>``. In the
page a line ``...`` stands for any lines, and ``...`` within a line for anything.
"""

import difflib
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(?P<language>\w+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_PROGRESS = re.compile(r"^.*: \d+ of \d+ files\n", re.MULTILINE)
"""Said only where a month takes long, as on a machine with much else to do."""
_TIME = re.compile(r"\b\d+\.\d+ (s|h)\b")


@dataclass(frozen=True, kw_only=True)
class File:
    """A block that is a file."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of a ``console`` block."""

    line: str
    output: str
    """What the page says it prints."""


def section(page: str, title: str) -> str:
    """The text under a second-level heading."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {title!r}"
    return found[1]


def blocks(text: str) -> list[File | Command]:
    """A page's files and commands, in order."""
    found: list[File | Command] = []
    for fence in _FENCE.finditer(text):
        if fence["language"] == "console":
            found += _commands(fence["text"])
        elif fence["name"]:
            found.append(File(name=fence["name"], text=fence["text"]))
    return found


def _commands(text: str) -> list[Command]:
    first, *parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not first.strip(), f"output before any command: {first!r}"
    commands = []
    for part in parts:
        line, _, output = part.partition("\n")
        while line.endswith("\\"):
            more, _, output = output.partition("\n")
            line = f"{line[:-1]}{more}"
        commands.append(Command(line=line, output=output))
    return commands


def run(steps: Sequence[File | Command], folder: Path, scratch: Path, environ: Mapping[str, str]) -> list[str]:
    """Do the steps in one shell, as someone does who works down the page.

    Args:
        steps: Files are written to the folder the shell is in by then.
        folder: Where the shell starts.
        scratch: A folder for what the steps print.
        environ: The shell's variables.

    Returns:
        What each command printed, stdout and stderr together. A command that fails ends the test.
    """
    script = ["trap 'kill $(jobs -p) 2> /dev/null' EXIT"]
    lines: list[str] = []
    for number, step in enumerate(steps):
        match step:
            case File(name=name, text=text):
                (scratch / f"{number}.file").write_text(text)
                script.append(f"cp '{scratch}/{number}.file' '{name}' || exit 1")
            case Command(line=line):
                script.append(f"{{\n{line}\n}} > '{scratch}/{len(lines)}.out' 2>&1 || exit 1")
                lines.append(line)
    process = subprocess.Popen(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=240)
    finally:
        # What the shell left running goes with it.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    outputs = [scratch / f"{number}.out" for number in range(len(lines))]
    printed = [output.read_text() for output in outputs if output.exists()]
    last = f"$ {lines[len(printed) - 1]}\n{printed[-1]}" if printed else ""
    assert process.returncode == 0, f"{said}\n{last}"
    return printed


def differences(expected: str, printed: str) -> str:
    """How what was printed differs from what a page says; empty when it does not."""
    wanted, got = _lines(expected), _lines(printed)
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else _line_pattern(line) for line in wanted)
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in got)):
        return ""
    return "\n".join(difflib.unified_diff(wanted, got, "the page", "printed", lineterm=""))


def _line_pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.split("...")) + r"\n"


def _lines(text: str) -> list[str]:
    text = _PROGRESS.sub("", _DIGEST.sub("<audit hash>", _COLOUR.sub("", text)))
    lines = [_TIME.sub("<time>", line).rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return lines
