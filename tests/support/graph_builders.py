"""Builders of graphs to digest, and the functions and types that their tasks name."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, IntFlag
from types import ModuleType
from typing import Any

from mrv_assets.audit.graph import STAGING, Node, graph_digest, task
from mrv_assets.stages.source_code import source

Json = dict[str, Any]


def plus(left: Any, right: Any = 0) -> Any:
    """A sum."""
    return left + right


def minus(left: Any, right: Any = 0) -> Any:
    """A difference."""
    return left - right


def gathered(*parts: Any) -> Any:
    """What it is given."""
    return parts


class Why(IntFlag):
    """Bits."""

    CLOUD = 1
    SHADOW = 2


class Way(Enum):
    """Names."""

    NEAR = "near"
    FAR = "far"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Parameters of a task."""

    low: Any = 0
    high: Any = 1
    bands: frozenset[str] = frozenset({"red", "nir", "blue", "nir08", "swir16", "swir22", "scl"})
    why: Why = Why.CLOUD


@dataclass(frozen=True, kw_only=True)
class OpenedArray:
    """Opened data: where it lies, and how it is chunked."""

    path: str
    chunks: tuple[int, ...]

    def leaf(self) -> Json:
        """How it is chunked; not where it lies."""
        return {"chunks": list(self.chunks)}


def digest(node: Node) -> str:
    """The digest of the graph that gives a node's result."""
    return graph_digest(node, source)


def digest_of(value: object) -> str:
    """The digest of a graph of one task that is given one value."""
    return digest(task(gathered, value))


def digest_calling(function: Callable[..., object], sources: Mapping[str, bytes] | None = None) -> str:
    """The digest of a graph of one task that calls a function; with sources of our modules that are made up."""
    return graph_digest(task(function, 1), source if sources is None else sources.get)


def samples() -> dict[str, Node]:
    """Graphs of every kind, whose values lie elsewhere in each process."""
    opened = OpenedArray(path=f"/run/{id(sys)}", chunks=(4, 4))
    created = task(gathered, opened, STAGING)
    block = task(plus, created, Limits())
    return {
        "one task": task(plus, 1, 2),
        "opened": created,
        "blocks": task(gathered, [task(minus, block, n) for n in range(3)], block),
        "wired": task(gathered, block, block, task(plus, created, Limits())),
    }


def a_module(name: str, text: str) -> ModuleType:
    """A module that is made up; whoever puts it among the loaded ones takes it out again."""
    module = ModuleType(name)
    sys.modules[name] = module
    exec(text, module.__dict__)
    return module
