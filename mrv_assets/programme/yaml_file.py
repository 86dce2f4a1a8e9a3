"""The programme file as YAML: keys written twice are reported, and dates stay as they are written."""

from collections.abc import Iterator
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
        problems = list(_repeated_keys(root, "", set()))
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
