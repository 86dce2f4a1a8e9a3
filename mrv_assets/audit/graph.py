"""Graph digest: the topology of the work, free of everything that changes from run to run.

A dask graph names its tasks by tokens, and tasks hold paths and open files. None of that is topology. What is: which
function is applied to what, in which order, over which blocks, on values and on opened arrays of which chunking.
"""

import ast
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timezone
from enum import Enum
from functools import cached_property, partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from dask._task_spec import Alias, DataNode, Dict, GraphNode, List, Task, TaskRef, Tuple, convert_legacy_graph
from dask.highlevelgraph import HighLevelGraph
from toolz.functoolz import Compose, curry  # type: ignore[import-untyped]

from mrv_assets.audit.canonical import Json, sha256
from mrv_assets.audit.code import PACKAGE, Source, ast_digest

SCHEME = "mrv-graph/1"

Cut = Callable[[object], Json | None]
"""What stands for an opened array or another leaf that must not be looked into; None for everything else."""

_PLAIN = (int, float, str, bytes, tuple, list, set, frozenset, dict, slice, datetime, np.ndarray, np.dtype)
"""Types whose values are spelled. A subclass of one may hold or do more, which would go unseen."""


class NotCanonical(TypeError):
    """A graph holds something that has no one spelling; it must be cut off as a leaf, or not be in the graph."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return (
            f"A graph's digest cannot say {self.what}. Give tasks plain values, dataclasses of them and functions of "
            "modules, or cut what is opened off as a leaf."
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation of a stage that has no dask graph, as declared beside the code that does it."""

    name: str
    function: Callable[..., object]
    """The function that does it."""
    reads: tuple[str, ...]
    """Variables and steps it reads."""


def steps_digest(steps: Sequence[Step], source: Source) -> str:
    """SHA-256 of a stage's declared steps, in order, by the scheme of :func:`graph_digest`."""
    walk = _Walk(source, lambda value: None)
    found = [{"name": step.name, "function": walk.function(step.function), "reads": list(step.reads)} for step in steps]
    return _digest({"scheme": SCHEME, "steps": found})


def graph_digest(graph: HighLevelGraph, outputs: Iterable[Any], *, source: Source, cut: Cut) -> str:
    """SHA-256 of a graph's topology: a Merkle tree over its layers, and which of equal tasks are one.

    Args:
        graph: The graph as it was written down, not optimised.
        outputs: Keys of the tasks whose results are wanted.
        source: Gives the source of a module of ours, whose functions are known by their syntax trees. Those of other
            packages are known by name.
        cut: Says what stands for a leaf, such as an opened array.

    Returns:
        Lower-case hex; the same in every process, folder and Python.

    Raises:
        NotCanonical: For a value that is neither plain nor cut off. Nothing falls back to ``repr`` or pickle.
    """
    outputs = list(outputs)
    walk = _Walk(source, cut)
    # All keys of the graph: else a key would be taken for text, or for a tuple of text and numbers.
    keys = {key for layer in graph.layers.values() for key in layer}
    for name in graph._toposort_layers():
        walk.layer(name, graph.layers[name], keys)
    found = [walk.reference(key) for key in outputs]
    return _digest({"scheme": SCHEME, "outputs": found, "wiring": walk.wiring(outputs)})


class _Walk:
    """A walk over one graph; remembers what each task is and which tasks it reads."""

    def __init__(self, source: Source, cut: Cut) -> None:
        self._source = source
        self._cut = cut
        self._trees: dict[str, ast.Module] = {}
        self._functions: dict[str, Json] = {}
        self._references: dict[Any, Json] = {}
        """What a reference to a task says."""
        self._reads: dict[Any, list[Any]] = {}
        """Keys of the tasks that a task reads, each time it does."""
        self._reading: list[Any] = []
        """Those of the task that is looked at."""
        self._datas: dict[int, tuple[object, str]] = {}

    def layer(self, name: str, layer: Mapping[Any, Any], keys: set[Any]) -> None:
        """Digest one layer, after those it depends on; its tasks can be referred to from then on."""
        tasks = convert_legacy_graph(dict(layer), all_keys=keys)
        inside = {key: task.dependencies & tasks.keys() for key, task in tasks.items()}
        try:
            order = list(TopologicalSorter(inside).static_order())
        except CycleError:
            raise NotCanonical(f"layer {_function_of(name)!r}, whose tasks wait for each other") from None
        for key in order:
            self._reading = self._reads[key] = []
            # Within its layer a task is known by its digest: spelled out, it would double at every fork.
            place = [self._value(part) for part in key[1:]] if isinstance(key, tuple) else []
            self._references[key] = {"at": place, "task": _digest(self._node(tasks[key]))}
        of_layer = _digest(sorted((self._references[key] for key in order), key=_spelled))
        for key in order:
            self._references[key] = {"layer": of_layer, **self._references[key]}

    def reference(self, key: Any) -> Json:
        """What a reference to a task says: its layer, its place there, and what it is."""
        found: Json | None = self._references.get(key)
        if found is None:
            raise NotCanonical(f"what {key!r} is: the graph has no such task")
        return found

    def wiring(self, outputs: Sequence[Any]) -> list[list[int]]:
        """Which tasks each task reads, numbered in the order in which they are met on the way from the outputs.

        A reference says what a task is, not which of several equal ones: one array created twice, or two.
        """
        numbers: dict[Any, int] = {}
        met = list(outputs)
        for key in met:
            if key not in numbers:
                numbers[key] = len(numbers)
                met += self._reads[key]
        return [[numbers[key] for key in outputs], *([numbers[read] for read in self._reads[key]] for key in numbers)]

    def _node(self, node: GraphNode) -> Json:
        match node:
            case Alias():
                return {"alias": self._value(TaskRef(node.target))}
            case DataNode():
                return {"data_sha256": self._data(node.value)}
            case List() | Tuple() | Dict():
                return {"container": type(node).__name__, "items": [self._value(arg) for arg in node.args]}
            case Task() if type(node) is Task:
                return {
                    "function": self.function(node.func),
                    "args": [self._value(arg) for arg in node.args],
                    "kwargs": [[name, self._value(value)] for name, value in node.kwargs.items()],
                }
        # A set of tasks too: which comes first, chance decides.
        raise NotCanonical(f"a task of type {type(node).__name__}")

    def _data(self, value: object) -> str:
        """Digest of a data node's value; dask repeats a node that several tasks share in each of their layers."""
        known = self._datas.get(id(value))
        if known is None:
            # Kept with its value, so that no other value can come to have its id.
            known = self._datas[id(value)] = value, _digest(self._value(value))
        return known[1]

    def _value(self, value: object) -> Any:
        """A value as JSON that says its type, so that 1, 1.0, True and "1" stay apart."""
        leaf = self._cut(value)
        if leaf is not None:
            return {"leaf": leaf}
        match value:
            case TaskRef():
                self._reading.append(value.key)
                return self.reference(value.key)
            case GraphNode():
                return self._node(value)
            case None | bool():
                return value
            case Enum():
                return {"enum": _name(type(value)), "value": self._value(value.value)}
            case np.generic() if type(value) is value.dtype.type:
                return {"scalar": self._array(np.asarray(value))}
        if isinstance(value, _PLAIN):
            return self._plain(value)
        if is_dataclass(value) and not isinstance(value, type):
            return {"type": _name(type(value)), "fields": self._fields(value)}
        if callable(value):
            return self.function(value)
        raise NotCanonical(f"a value of type {_type_of(value)}")

    def _plain(self, value: object) -> Json:
        if type(value) not in _PLAIN and not isinstance(value, np.dtype):
            raise NotCanonical(f"a value of type {_type_of(value)}, which is more than its base")
        match value:
            case int():
                return {"int": hex(value)}
            case float():
                return {"float": value.hex()}
            case str():
                return {"str": value}
            case bytes():
                return {"bytes": value.hex()}
            case tuple() | list():
                return {type(value).__name__: [self._value(item) for item in value]}
            case set() | frozenset():
                return {type(value).__name__: sorted((self._value(item) for item in value), key=_spelled)}
            case dict():
                # In their order: what walks over them sees it.
                return {"dict": [[self._value(key), self._value(item)] for key, item in value.items()]}
            case slice():
                return {"slice": [self._value(part) for part in (value.start, value.stop, value.step)]}
            case datetime() if value.tzinfo is None or type(value.tzinfo) is timezone:
                return {"datetime": [value.isoformat(), value.tzname(), value.fold]}
            case np.ndarray():
                return {"array": self._array(value)}
            case np.dtype():
                return {"dtype": _dtype(value)}
        raise NotCanonical(f"a datetime whose time zone is of type {_type_of(getattr(value, 'tzinfo', None))}")

    def _fields(self, value: Any) -> list[list[Any]]:
        names = [field.name for field in fields(value)]
        other = [
            name
            for name in getattr(value, "__dict__", {})
            if name not in names and not isinstance(getattr(type(value), name, None), cached_property)
        ]
        if other:
            raise NotCanonical(f"a dataclass that holds more than its fields, {_type_of(value)}: {', '.join(other)}")
        return [[name, self._value(getattr(value, name))] for name in names]

    def _array(self, array: np.ndarray[Any, Any]) -> Json:
        found: Json = {"dtype": _dtype(array.dtype), "shape": list(array.shape)}
        if array.dtype.hasobject:
            return {**found, "items": [self._value(item) for item in array.ravel().tolist()]}
        # Their bits: unlike in stored data, a task may divide by a negative zero.
        return {**found, "sha256": sha256(array.tobytes())}

    def function(self, function: object) -> Json:
        """A function by its name, and where it is ours by its syntax tree.

        Raises:
            NotCanonical: For one that nobody can look up by its name.
        """
        match function:
            case partial() | curry() if type(function) in (partial, curry):
                return {
                    type(function).__name__: self.function(function.func),
                    "args": [self._value(arg) for arg in function.args],
                    "kwargs": [[name, self._value(value)] for name, value in function.keywords.items()],
                }
            case Compose() if type(function) is Compose:
                return {"compose": [self.function(part) for part in (function.first, *function.funcs)]}
        name = _name(function)
        if name not in self._functions:
            self._functions[name] = self._named(*name.split(":"))
        return self._functions[name]

    def _named(self, module: str, name: str) -> Json:
        if module.partition(".")[0] != PACKAGE:
            return {"name": f"{module}:{name}"}
        if module not in self._trees:
            text = self._source(module)
            if text is None:
                raise NotCanonical(f"what {module}:{name} does: the module has no source")
            self._trees[module] = ast.parse(text)
        return {"name": f"{module}:{name}", "ast_sha256": ast_digest(_definition(self._trees[module], module, name))}


def _name(named: Any) -> str:
    """Module and qualified name of a function or class, by which it is found.

    Raises:
        NotCanonical: When nothing, or something else, is found there: a closure, a bound method, a wrapper that goes by
            the name of what it wraps, or a script's own. They hold what their name does not say.
    """
    # Methods of C types say no module; of those only numpy's are of use in a graph.
    module = getattr(named, "__module__", None) or "numpy"
    name = getattr(named, "__qualname__", None) or getattr(named, "__name__", None)
    found: Any = sys.modules.get(module)
    for part in str(name).split("."):
        found = getattr(found, part, None)
    if type(found) is curry:
        found = found.func
    if found is not named or module == "__main__":
        raise NotCanonical(f"a callable that is not found as {module}.{name or type(named).__qualname__}")
    return f"{module}:{name}"


def _dtype(dtype: "np.dtype[Any]") -> str:
    """A plain type's name, byte order included; of a compound one it would say no more than the size."""
    # Long doubles have bytes that mean nothing.
    if dtype.kind not in "biufcSUmMO" or dtype.char in "gG":
        raise NotCanonical(f"an array of {dtype}")
    return dtype.str


def _digest(tree: object) -> str:
    # Lone surrogates stay what they are: escaped, two of them spell another character.
    return sha256(_spelled(tree).encode("utf-8", "surrogatepass"))


def _spelled(tree: object) -> str:
    """A tree of texts, whole numbers, lists and objects, in its one spelling: sorted keys, no spaces."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _definition(tree: ast.Module, module: str, name: str) -> ast.AST:
    """The definition of a function or class, by its qualified name."""
    found: ast.AST = tree
    for part in name.split("."):
        body = getattr(found, "body", [])
        named = [node for node in body if getattr(node, "name", None) == part]
        if not named:
            raise NotCanonical(f"what {module}:{name} does: its module does not define it")
        found = named[-1]
    return found


def _type_of(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _function_of(layer: str) -> str:
    """A layer's name without its token."""
    return layer.rpartition("-")[0] or layer
