"""Graph digest: the topology of the work, free of everything that changes from run to run.

A dask graph names its tasks by tokens, and tasks hold paths and open files. None of that is topology. What is: which
function is applied to what, in which order, over which blocks, on values and on opened arrays of which chunking.
"""

import ast
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from dask._task_spec import Alias, DataNode, GraphNode, NestedContainer, Task, TaskRef, convert_legacy_graph
from dask.highlevelgraph import HighLevelGraph

from mrv_assets.audit.canonical import Json, sha256
from mrv_assets.audit.code import PACKAGE, Source, ast_digest
from mrv_assets.audit.content import values_sha256

SCHEME = "mrv-graph/1"

Cut = Callable[[object], Json | None]
"""What stands for an opened array or another leaf that must not be looked into; None for everything else."""


class NotCanonical(TypeError):
    """A graph holds something that has no one spelling; it must be cut off as a leaf, or not be in the graph."""


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
    """SHA-256 of a graph's topology: a Merkle tree over its layers, from the outputs to the leaves.

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
    walk = _Walk(source, cut)
    for name in graph._toposort_layers():
        walk.layer(name, graph.layers[name])
    return _digest({"scheme": SCHEME, "outputs": [walk.reference(key) for key in outputs]})


class _Walk:
    """A walk over one graph; remembers what each task refers to."""

    def __init__(self, source: Source, cut: Cut) -> None:
        self._source = source
        self._cut = cut
        self._trees: dict[str, ast.Module] = {}
        self._functions: dict[object, Json] = {}
        self._references: dict[Any, Json] = {}
        self._datas: dict[int, tuple[object, str]] = {}

    def layer(self, name: str, layer: Mapping[Any, Any]) -> None:
        """Digest one layer, after those it depends on; its tasks can be referred to from then on."""
        # All keys of the graph so far: else a key of another layer would be taken for a tuple of text and numbers.
        tasks = convert_legacy_graph(dict(layer), all_keys={*layer, *self._references})
        found: dict[Any, Json] = {}
        while waiting := [key for key in tasks if key not in found]:
            ready = [key for key in waiting if not (tasks[key].dependencies - set(found)) & set(tasks)]
            if not ready:
                raise NotCanonical(f"layer {_function_of(name)!r} has a cycle")
            for key in ready:
                found[key] = self._node(tasks[key], found)
        places = {key: list(key[1:]) if isinstance(key, tuple) else [] for key in found}
        listed = sorted(([places[key], task] for key, task in found.items()), key=_spelled)
        of_layer = _digest(listed)
        for key, task in found.items():
            self._references[key] = {"layer": of_layer, "at": places[key], "task": _digest(task)}

    def reference(self, key: Any) -> Json:
        """What a reference to a task says: its layer, its place there, and what it is."""
        found: Json | None = self._references.get(key)
        if found is None:
            raise NotCanonical(f"the graph has no task for {key!r}")
        return found

    def _node(self, node: GraphNode, near: Mapping[Any, Json]) -> Json:
        match node:
            case Alias():
                return {"alias": self._value(TaskRef(node.target), near)}
            case DataNode():
                return {"data_sha256": self._data(node.value, near)}
            case NestedContainer():
                return {"container": type(node).__name__, "items": [self._value(arg, near) for arg in node.args]}
            case Task():
                return {
                    "function": self.function(node.func),
                    "args": [self._value(arg, near) for arg in node.args],
                    "kwargs": {name: self._value(value, near) for name, value in node.kwargs.items()},
                }
        raise NotCanonical(f"a task of type {type(node).__name__}")

    def _data(self, value: object, near: Mapping[Any, Json]) -> str:
        """Digest of a data node's value; dask repeats a node that several tasks share in each of their layers."""
        known = self._datas.get(id(value))
        if known is None:
            # Kept with its value, so that no other value can come to have its id.
            known = self._datas[id(value)] = value, _digest(self._value(value, near))
        return known[1]

    def _value(self, value: object, near: Mapping[Any, Json]) -> Any:
        """A value as JSON that says its type, so that 1, 1.0, True and "1" stay apart."""
        leaf = self._cut(value)
        if leaf is not None:
            return {"leaf": leaf}

        def inner(item: object) -> Any:
            return self._value(item, near)

        match value:
            case TaskRef():
                return {"here": near[value.key]} if value.key in near else self.reference(value.key)
            case GraphNode():
                return self._node(value, near)
            case None | bool():
                return value
            case Enum():
                return {"enum": type(value).__qualname__, "name": value.name}
            case np.generic() | np.ndarray():
                return self._array(np.asarray(value), near)
            case int():
                return {"int": str(value)}
            case float():
                return {"float": value.hex()}
            case str():
                return {"str": value}
            case bytes():
                return {"bytes": value.hex()}
            case tuple() | list():
                return {type(value).__name__: [inner(item) for item in value]}
            case set() | frozenset():
                return {"set": sorted((inner(item) for item in value), key=_spelled)}
            case Mapping() if all(isinstance(key, str) for key in value):
                return {"object": {key: inner(item) for key, item in value.items()}}
            case Mapping():
                return {"mapping": sorted(([inner(k), inner(v)] for k, v in value.items()), key=_spelled)}
            case slice():
                return {"slice": [inner(value.start), inner(value.stop), inner(value.step)]}
            case datetime():
                return {"datetime": value.isoformat()}
            case np.dtype():
                return {"dtype": value.str}
        if is_dataclass(value) and not isinstance(value, type):
            return {
                "type": type(value).__qualname__,
                "fields": {field.name: inner(getattr(value, field.name)) for field in fields(value)},
            }
        if callable(value):
            return self.function(value)
        raise NotCanonical(f"{type(value).__module__}.{type(value).__qualname__}")

    def _array(self, array: np.ndarray[Any, Any], near: Mapping[Any, Json]) -> Json:
        if array.dtype.hasobject:
            return {"shape": list(array.shape), "items": [self._value(item, near) for item in array.ravel().tolist()]}
        return {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": values_sha256(array)}

    def function(self, function: object) -> Json:
        """A function by its name, and where it is ours by its syntax tree.

        Raises:
            NotCanonical: For one that nobody can look up by its name.
        """
        if isinstance(function, partial):
            return {
                "partial": self.function(function.func),
                "args": [self._value(arg, {}) for arg in function.args],
                "kwargs": {name: self._value(value, {}) for name, value in function.keywords.items()},
            }
        # A compiled kernel is known by what it was compiled from.
        function = getattr(function, "py_func", function)
        # A bound method hides the object it is bound to, and a callable object what it holds.
        if not hasattr(function, "__name__") or not isinstance(getattr(function, "__self__", None), ModuleType | None):
            raise NotCanonical(f"a callable of type {type(function).__module__}.{type(function).__qualname__}")
        if function not in self._functions:
            self._functions[function] = self._named(function)
        return self._functions[function]

    def _named(self, function: Any) -> Json:
        module = getattr(function, "__module__", None) or "numpy"
        name = getattr(function, "__qualname__", None) or function.__name__
        if "<" in name:
            raise NotCanonical(f"{module}.{name} has no name it could be found by")
        if module.partition(".")[0] != PACKAGE:
            return {"name": f"{module}.{name}"}
        if module not in self._trees:
            text = self._source(module)
            if text is None:
                raise NotCanonical(f"module {module} has no source")
            self._trees[module] = ast.parse(text)
        return {"name": f"{module}.{name}", "ast_sha256": ast_digest(_definition(self._trees[module], module, name))}


def _digest(tree: object) -> str:
    return sha256(_spelled(tree).encode())


def _spelled(tree: object) -> str:
    """A tree of texts, whole numbers, lists and objects, in its one spelling: sorted keys, no spaces, ASCII."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"))


def _definition(tree: ast.Module, module: str, name: str) -> ast.AST:
    """The definition of a function or class, by its qualified name."""
    found: ast.AST = tree
    for part in name.split("."):
        body = getattr(found, "body", [])
        named = [node for node in body if getattr(node, "name", None) == part]
        if not named:
            raise NotCanonical(f"{module} does not define {name}")
        found = named[-1]
    return found


def _function_of(layer: str) -> str:
    """A layer's name without its token."""
    return layer.rpartition("-")[0] or layer
