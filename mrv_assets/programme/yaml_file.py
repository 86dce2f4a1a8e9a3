"""The programme file as YAML: keys written twice are reported, and dates stay as they are written."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from mrv_assets.errors import Problem

MAX_BYTES = 1_000_000
"""A programme file has a page or a few; a larger file is not a programme file."""


def read_yaml(path: Path) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The YAML document, with dates as they are written, and its problems as YAML."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        cure = "Set MRV_PROGRAM to the path of your programme file, or start in the folder of program.yaml"
        return None, [Problem(field=path.name, reason="there is no such file", cure=cure)]
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
        return None, [Problem(field=path.name, reason=reason, cure="Name a readable YAML file")]
    if len(data) > MAX_BYTES:
        return None, [Problem(field=path.name, reason="it is larger than 1 MB", cure="Name a programme file")]
    try:
        root = yaml.compose(data, Loader=yaml.SafeLoader)
        if root is None:
            cure = "Write at least program, parcels, months and missions"
            return None, [Problem(field=path.name, reason="it is empty", cure=cure)]
        problems = [*_repeated_keys(root, "", set()), *_misread(root, "", set())]
        document = yaml.SafeLoader("").construct_document(root)
    except yaml.YAMLError as error:
        return None, [_not_yaml(path, data, error)]
    except RecursionError:
        return None, [Problem(field=path.name, reason="its lists are nested too deep", cure="Write it flat")]
    except ValueError as error:
        # Such as 0x_, which is a number by YAML's pattern and not by Python's.
        return None, [Problem(field=path.name, reason=f"a value cannot be read ({error})", cure="Put it in quotes")]
    if not isinstance(document, dict):
        cure = "Write lines such as `program: my-forest`"
        return None, [*problems, Problem(field=path.name, reason="it is not a mapping of names to values", cure=cure)]
    return document, problems


def _not_yaml(path: Path, data: bytes, error: yaml.YAMLError) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        where = f"{path.name}: line {mark.line + 1}, column {mark.column + 1}"
        reason = error.problem or "it is not YAML"
    elif isinstance(error, yaml.reader.ReaderError):
        line = data[: error.position].count(b"\n") + 1
        where, reason = f"{path.name}: line {line}", f"a character cannot be read ({error.reason})"
    else:
        where, reason = path.name, str(error)
    return Problem(field=where, reason=reason, cure="Correct the YAML there: indentation, colons, brackets and quotes")


def _repeated_keys(node: yaml.Node, field: str, seen: set[int]) -> Iterator[Problem]:
    """Problems of keys written twice, where YAML would silently take the last. Makes dates plain texts on the way."""
    if id(node) in seen:
        return
    seen.add(id(node))
    match node:
        case yaml.ScalarNode(tag="tag:yaml.org,2002:timestamp"):
            # A month is told from a day by its text, and 2018-02-30 must not end in a stack trace.
            node.tag = "tag:yaml.org,2002:str"
        case yaml.SequenceNode():
            for index, item in enumerate(node.value):
                yield from _repeated_keys(item, f"{field}[{index}]", seen)
        case yaml.MappingNode():
            lines: dict[str, int] = {}
            for key, value in node.value:
                yield from _repeated_keys(key, field, seen)
                if not isinstance(key, yaml.ScalarNode):
                    continue
                inner, line = f"{field}.{key.value}".lstrip("."), key.start_mark.line + 1
                if key.value in lines:
                    reason = f"it is written twice, on lines {lines[key.value]} and {line}"
                    yield Problem(field=inner, reason=reason, cure="Keep one of them")
                lines[key.value] = line
                yield from _repeated_keys(value, inner, seen)


def _misread(node: yaml.Node, field: str, seen: set[int]) -> Iterator[Problem]:
    """Problems of plain numbers and words that YAML reads otherwise than people do."""
    if id(node) in seen:
        return
    seen.add(id(node))
    match node:
        case yaml.ScalarNode(style=None, tag="tag:yaml.org,2002:int" | "tag:yaml.org,2002:float"):
            text, meant = node.value, yaml.SafeLoader("").construct_object(node)
            if re.fullmatch(r"[-+]?0[0-9]+", text) and not re.fullmatch(r"[-+]?0+", text):
                reason = f"{text} is {meant} to YAML, which reads a number with a leading 0 to the base 8"
                cure = f"Write {text.lstrip('+-0')}, or '{text}' where a text is meant"
                yield Problem(field=field, reason=reason, cure=cure)
            elif re.search("_|0[xb]", text):
                reason = f"{text} is {meant} to YAML"
                yield Problem(field=field, reason=reason, cure=f"Write {meant}, or '{text}' where a text is meant")
            elif ":" in text:
                reason = f"{text} is {meant} to YAML, which reads it to the base 60"
                yield Problem(field=field, reason=reason, cure=f"Write the number, or '{text}' where a text is meant")
        case yaml.ScalarNode(style=None, tag="tag:yaml.org,2002:str") if re.fullmatch(r"[-+]?\d+,\d+", node.value):
            reason = f"{node.value} is a text to YAML, whose decimal sign is a point"
            yield Problem(field=field, reason=reason, cure=f"Write {node.value.replace(',', '.')}")
        case yaml.SequenceNode():
            for index, item in enumerate(node.value):
                yield from _misread(item, f"{field}[{index}]", seen)
        case yaml.MappingNode():
            for (_, before), (key, empty) in pairwise(node.value):
                numbers = (before, key) if isinstance(before, yaml.ScalarNode) else ()
                if empty.tag.endswith(":null") and empty.value == "" and _are_digits(*numbers):
                    written = f"{before.value},{key.value}"
                    reason = f"{written} is two entries to YAML, whose decimal sign is a point"
                    cure = f"Write {before.value}.{key.value}"
                    yield Problem(field=f"{field}.{key.value}".lstrip("."), reason=reason, cure=cure)
            for key, value in node.value:
                name = key.value if isinstance(key, yaml.ScalarNode) else ""
                inner = f"{field}.{name}".lstrip(".")
                if isinstance(key, yaml.ScalarNode) and key.style is None and key.tag == "tag:yaml.org,2002:bool":
                    meant = str(yaml.SafeLoader("").construct_object(key)).lower()
                    reason = f"{name} is {meant} to YAML, not a name"
                    yield Problem(field=inner, reason=reason, cure=f"Write '{name}' in quotes")
                yield from _misread(value, inner, seen)


def _are_digits(*nodes: yaml.Node) -> bool:
    return bool(nodes) and all(isinstance(node, yaml.ScalarNode) and node.value.isdigit() for node in nodes)
