"""What a graph holds that has no one spelling is refused by name; what shares a name is not taken for each other."""

import math
import sys
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Iterator
from dataclasses import InitVar, dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from functools import cached_property, partial, wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph_builders import Limits, a_module, digest_calling, digest_of, plus

from mrv_assets.audit.graph import Step
from mrv_assets.audit.values import NotCanonical


def a_closure() -> Any:
    """A function that holds what its name does not say."""
    held = object()
    return lambda: held


class Zone(tzinfo):
    """Rules for a clock that no offset tells."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        """One hour."""
        return timedelta(hours=1)

    def tzname(self, when: datetime | None) -> str:
        """A name."""
        return "zone"


@wraps(plus)
def impostor(left: int, right: int = 0) -> int:
    """Goes by the name of another function."""
    return left * right


class Part(partial):  # type: ignore[type-arg]
    """Calls its function otherwise."""

    def __call__(self, *arguments: object) -> object:
        return arguments


class Celsius(int):
    """More than a whole number."""


class Named(namedtuple("Named", "x y")):
    """More than a tuple."""


class Temperature(np.float64):
    """More than a number."""


class Counted(dict[str, int]):
    """More than a dict."""


@dataclass
class Inheriting(dict):  # type: ignore[type-arg]
    """Holds more than its fields."""

    x: int = 0


@dataclass
class Hiding:
    """Keeps what is no field."""

    x: int
    hidden: InitVar[int] = 0

    def __post_init__(self, hidden: int) -> None:
        self._hidden = hidden


@dataclass(frozen=True)
class Remembering:
    """Keeps what follows from its fields."""

    x: int

    @cached_property
    def double(self) -> int:
        """Twice as much."""
        return 2 * self.x


class Local:
    """What has methods and state."""

    def method(self, *arguments: object) -> object:
        """Depends on the object."""
        return self, arguments

    def __call__(self, *arguments: object) -> object:
        return self, arguments


REFUSED = {
    "object": object(),
    "test_graph_refusals.Local": Local(),
    "PosixPath": Path("/srv/lake"),
    "date": date(2020, 1, 1),
    "Decimal": Decimal(1),
    "complex": 1j,
    "range": range(3),
    "bytearray": bytearray(b"a"),
    "generator": (x for x in ()),
    "Generator": np.random.default_rng(0),
    "module": math,
    "<lambda>": lambda x: x,
    "a_closure.<locals>": a_closure(),
    "Local.method": Local().method,
    "list.append": [].append,
    "dict.fromkeys": dict.fromkeys,
    "graph_builders.plus": impostor,
    "numpy.plus": np.vectorize(plus),
    r"plus \(vectorized\)": np.frompyfunc(plus, 2, 1),
    "list": list[int],
    "refusals.Zone": datetime(2020, 1, 1, tzinfo=Zone()),
    "Part": Part(plus, 1),
    "Celsius": Celsius(1),
    "Named": Named(1, 2),
    "Temperature": Temperature(1),
    "Counted": Counted(a=1),
    "OrderedDict": OrderedDict(a=1),
    "defaultdict": defaultdict(int),
    "Inheriting": Inheriting(1),
    "_hidden": Hiding(1, 2),
    "MaskedArray": np.ma.array([1, 2], mask=[0, 1]),
    "recarray": np.recarray(2, [("a", "i4")]),
    r"\('a', '<i4'\)": np.zeros(2, [("a", "<i4")]),
    r"\('b', '<f4'\)": np.dtype([("b", "<f4")]),
    r"\|V4": np.zeros(1, "V4")[0],
    "StringDType": np.array(["a"], np.dtypes.StringDType()),
    "an array of float": np.longdouble(1),
    "functools.partial": partial(plus, 1),
}


@pytest.mark.parametrize("named", REFUSED)
@pytest.mark.parametrize("within", [lambda value: value, lambda value: {"a": [value]}, lambda value: Limits(low=value)])
def test_what_has_no_one_spelling_is_refused_by_name(named: str, within: Any) -> None:
    """Wherever it stands; there is no falling back to ``repr`` or pickle."""
    with pytest.raises(NotCanonical, match=named):
        digest_of(within(REFUSED[named]))


def test_an_open_file_is_refused(tmp_path: Path) -> None:
    """Nothing says what will be read from it."""
    with (tmp_path / "f").open("w") as file, pytest.raises(NotCanonical, match="TextIOWrapper"):
        digest_of(file)


@pytest.mark.parametrize(
    "function", [lambda x: x, Local(), Local().method, a_closure(), impostor, partial(impostor, 1)]
)
def test_a_task_of_a_function_without_a_name_is_refused(function: Any) -> None:
    """As where it is handed to a task."""
    with pytest.raises(NotCanonical, match="not found as"):
        digest_calling(function)


def test_a_refusal_says_what_to_do() -> None:
    """And names the type."""
    with pytest.raises(NotCanonical) as refusal:
        digest_of({1: [Path("/srv/lake")]})

    assert "PosixPath" in str(refusal.value)
    assert "opened data needs a method leaf()" in str(refusal.value)
    assert "/srv" not in str(refusal.value)


def test_what_a_dataclass_works_out_of_its_fields_is_no_part_of_it() -> None:
    """Whether anyone has asked for it yet or not."""
    asked, fresh = Remembering(1), Remembering(1)

    assert asked.double == 2
    assert digest_of(asked) == digest_of(fresh) != digest_of(Remembering(2))


# --- namesakes ----------------------------------------------------------------------------------------------------

NAMESAKES = """
from dataclasses import dataclass
from enum import Enum

@dataclass
class Limits:
    low: int = 0

class Way(Enum):
    NEAR = "near"

def half(x):
    return x
"""


@pytest.fixture
def modules() -> Iterator[list[Any]]:
    """Two modules of one content."""
    names = ("made_up_one", "made_up_two")
    yield [a_module(name, NAMESAKES) for name in names]
    for name in names:
        del sys.modules[name]


@pytest.mark.parametrize("namesake", [lambda m: m.Limits(), lambda m: m.Way.NEAR, lambda m: m.Limits, lambda m: m.half])
def test_types_and_functions_of_one_name_in_two_modules_are_two(namesake: Any, modules: list[Any]) -> None:
    """What they do is not said by what they are called there."""
    one, other = (digest_of(namesake(module)) for module in modules)

    assert one != other


def test_a_type_that_was_replaced_is_refused(modules: list[Any]) -> None:
    """Its values are of a type that nobody finds any more; another has its name."""
    module, _ = modules
    before = [module.Limits(), module.Way.NEAR]
    exec(NAMESAKES, module.__dict__)

    for value in before:
        with pytest.raises(NotCanonical, match="made_up_one"):
            digest_of(value)


def test_types_made_in_functions_are_refused() -> None:
    """Each call makes another, under one name."""

    @dataclass
    class Inner:
        x: int = 0

    for value in (Inner(), Enum("Inner", "A").A):
        with pytest.raises(NotCanonical, match="Inner"):
            digest_of(value)


def test_what_a_script_defines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every script is called ``__main__``."""
    monkeypatch.setattr(sys.modules["__main__"], "Step", Step, raising=False)
    monkeypatch.setattr(Step, "__module__", "__main__")

    with pytest.raises(NotCanonical, match="__main__"):
        digest_of(Step)
