"""Spelling of values and functions: JSON that says the type and everything that a value holds, for graph digests."""

import ast
import json
import sys
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timezone
from enum import Enum
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import shapely

from mrv_assets.audit.canonical import Json, sha256
from mrv_assets.audit.code import PACKAGE, Source, ast_digest

_PLAIN = (int, float, str, bytes, tuple, list, set, frozenset, dict, slice, datetime, np.ndarray, np.dtype)
"""Types whose values are spelled. A subclass of one may hold or do more, which would go unseen."""


@runtime_checkable
class Opened(Protocol):
    """Opened data, such as a stored array: described by what a graph depends on, never by where it lies."""

    def leaf(self) -> Json:
        """Variables, types and chunks. Which data it is, the request's inputs say."""
        ...


class NotCanonical(TypeError):
    """A graph holds a value that has no single spelling, so its digest would not be stable."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return (
            f"A graph's digest cannot spell {self.what}. Give tasks plain values, dataclasses of plain values and "
            "functions of modules; opened data needs a method leaf()."
        )


class Spelling:
    """Spells values and functions; remembers the functions, whose sources are parsed once."""

    def __init__(self, source: Source) -> None:
        """Spell functions of this package by their syntax trees.

        Args:
            source: Gives the source of a module of this package. Functions of other packages are spelled by name.
        """
        self._source = source
        self._trees: dict[str, ast.Module] = {}
        self._functions: dict[str, Json] = {}

    def value(self, value: object) -> Any:
        """A value as JSON that says its type, so that 1, 1.0, True and "1" stay apart.

        Raises:
            NotCanonical: For a value that is neither plain nor opened data. Nothing falls back to ``repr`` or pickle.
        """
        match value:
            case None | bool():
                return value
            case Enum():
                return {"enum": _name(type(value)), "value": self.value(value.value)}
            case np.generic() if type(value) is value.dtype.type:
                return {"scalar": self._array(np.asarray(value))}
            case shapely.Geometry():
                return {"wkb_sha256": sha256(shapely.to_wkb(value, byte_order=1))}
        if isinstance(value, _PLAIN):
            return self._plain(value)
        if isinstance(value, Opened) and not isinstance(value, type):
            return {"leaf": value.leaf()}
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
                return {type(value).__name__: [self.value(item) for item in value]}
            case set() | frozenset():
                return {type(value).__name__: sorted((self.value(item) for item in value), key=spelled)}
            case dict():
                # In their order: code that walks over them sees it.
                return {"dict": [[self.value(key), self.value(item)] for key, item in value.items()]}
            case slice():
                return {"slice": [self.value(part) for part in (value.start, value.stop, value.step)]}
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
        return [[name, self.value(getattr(value, name))] for name in names]

    def _array(self, array: np.ndarray[Any, Any]) -> Json:
        spelling: Json = {"dtype": _dtype(array.dtype), "shape": list(array.shape)}
        if array.dtype.hasobject:
            return {**spelling, "items": [self.value(item) for item in array.ravel().tolist()]}
        # The bits themselves: unlike in stored data, a task may divide by a negative zero.
        return {**spelling, "sha256": sha256(array.tobytes())}

    def function(self, function: object) -> Json:
        """A function by its name and, where it belongs to this package, by its syntax tree.

        Raises:
            NotCanonical: For a function that nobody can look up by its name.
        """
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


def spelled(tree: object) -> str:
    """A tree of texts, whole numbers, lists and objects in its one spelling: sorted keys, no spaces."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def spelling_digest(tree: object) -> str:
    """SHA-256 of a tree's one spelling, lower-case hex."""
    # Lone surrogates stay what they are: escaped, two of them spell another character.
    return sha256(spelled(tree).encode("utf-8", "surrogatepass"))


def _name(named: Any) -> str:
    """Module and qualified name of a function or class, by which it is found.

    Raises:
        NotCanonical: When another object, or none, is found there: a closure, a bound method, a wrapper that goes by
            the name of what it wraps, or a definition of a script. They hold what their name does not say.
    """
    # Methods of C types state no module; of those only numpy's are of use in a graph.
    module = getattr(named, "__module__", None) or "numpy"
    name = getattr(named, "__qualname__", None) or getattr(named, "__name__", None)
    definition: Any = sys.modules.get(module)
    for part in str(name).split("."):
        definition = getattr(definition, part, None)
    if definition is not named or module == "__main__":
        raise NotCanonical(f"a callable that is not found as {module}.{name or type(named).__qualname__}")
    return f"{module}:{name}"


def _dtype(dtype: "np.dtype[Any]") -> str:
    """A plain type's name, byte order included; of a compound one it would say no more than the size."""
    # Long doubles have bytes that mean nothing.
    if dtype.kind not in "biufcSUmMO" or dtype.char in "gG":
        raise NotCanonical(f"an array of {dtype}")
    return dtype.str


def _definition(tree: ast.Module, module: str, name: str) -> ast.AST:
    """The definition of a function or class, by its qualified name."""
    node: ast.AST = tree
    for part in name.split("."):
        body: Sequence[ast.AST] = getattr(node, "body", [])
        definitions = [statement for statement in body if getattr(statement, "name", None) == part]
        if not definitions:
            raise NotCanonical(f"what {module}:{name} does: its module does not define it")
        # The last definition of a name is the one that the module has.
        node = definitions[-1]
    return node


def _type_of(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
