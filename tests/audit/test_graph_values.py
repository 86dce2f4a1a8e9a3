"""Values in a graph are spelled with their type and all they hold: two have one digest where they are the same."""

import math
from datetime import UTC, datetime, timedelta, timezone
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import shapely
from graph_builders import Limits, OpenedArray, Way, Why, digest_of, minus, plus
from hypothesis import given, settings
from hypothesis import strategies as st

ALIKE: dict[str, list[object]] = {
    "ones": [
        1,
        1.0,
        True,
        "1",
        b"1",
        "True",
        np.int64(1),
        np.int32(1),
        np.float64(1),
        np.bool_(True),
        np.array(1),
        Why.CLOUD,
    ],
    "nothings": [
        0,
        0.0,
        -0.0,
        False,
        None,
        "None",
        "",
        b"",
        (),
        [],
        set(),
        frozenset(),
        {},
        math.nan,
        math.inf,
        -math.inf,
    ],
    "zeros": [
        np.zeros(2),
        -np.zeros(2),
        np.zeros(2, ">f8"),
        np.zeros(2, "<f4"),
        np.zeros((2, 1)),
        np.zeros(2, "i8"),
        [0.0, 0.0],
    ],
    "texts in arrays": [
        np.array(["a"]),
        np.array([b"a"]),
        np.array(["a"], object),
        np.array(["a"], "<U2"),
        ["a"],
        "a",
        np.str_("a"),
    ],
    "objects in arrays": [
        np.array([0, None], object),
        np.array([[0, None]], object),
        np.array([0.0, None], object),
        [0, None],
    ],
    "instants in arrays": [
        np.array(0, "M8[s]"),
        np.array(0, "M8[D]"),
        np.array(0, "m8[s]"),
        np.datetime64(0, "s"),
        np.datetime64("NaT", "s"),
    ],
    "types": [np.dtype("<f4"), np.dtype(">f4"), np.float32, "<f4", "float32"],
    "containers": [
        (1, 2),
        [1, 2],
        {1, 2},
        frozenset({1, 2}),
        {1: 2},
        ((1, 2),),
        [[1, 2]],
        (1, (2,)),
        slice(1, 2),
        slice(1, 2, 1),
    ],
    "slices": [slice(1), slice(0, 1), slice(None, 1, 1), slice(1.0), slice(True)],
    "orders": [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 2.0}, [("a", 1), ("b", 2)], {b"a": 1, "b": 2}],
    "keys": [{1: "a"}, {"1": "a"}, {True: "a"}, {1.0: "a"}, {(1,): "a"}, {None: "a"}, {"None": "a"}, {Why.CLOUD: "a"}],
    "our own spelling": [{"leaf": 1}, {"int": "0x1"}, {"dict": []}, {"name": "builtins:sum"}, sum],
    "bits": [Why(0), Why(1), Why(2), Why(3), Why(4), Why(64), Why(128), 3, "CLOUD|SHADOW"],
    "names": [Way.NEAR, Way.FAR, "near", "NEAR", "Way.NEAR", Way],
    "parameters": [
        Limits(),
        Limits(low=0.0),
        Limits(low=1, high=0),
        Limits(low=Limits()),
        Limits,
        {"low": 0, "high": 1},
    ],
    "characters": [
        "é",
        "e\u0301",
        "é".encode(),
        "\ud83d\ude00",
        "\ud83d",
        "\ud83e",
        "?",
        "\U0001f600",
        r"\ud83d\ude00",
        "\\u00e9",
    ],
    "instants": [
        datetime(2020, 1, 1),
        datetime(2020, 1, 1, tzinfo=UTC),
        datetime(2020, 1, 1, fold=1),
        "2020-01-01T00:00:00",
    ],
    "zones": [
        datetime(2020, 1, 1, 1, tzinfo=UTC),
        datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=1))),
        datetime(2020, 1, 1, 1, tzinfo=timezone(timedelta(0), "Greenwich")),
    ],
    "large numbers": [2**53, 2.0**53, 2**53 + 1, 10**5000, 10**5000 + 1, -(2**53)],
    "functions": [plus, minus, Limits, Way],
    "outlines": [shapely.Point(0, 0), shapely.Point(0, 1), shapely.box(0, 0, 1, 1), shapely.box(0, 0, 1, 1).exterior],
    "opened": [
        OpenedArray(path="a", chunks=(1,)),
        OpenedArray(path="a", chunks=(2,)),
        {"leaf": {"chunks": [1]}},
        {"chunks": [1]},
    ],
}
"""Groups of values of which no two are the same, though some are equal, look alike, or are named alike."""


@pytest.mark.parametrize("kind", ALIKE)
@pytest.mark.parametrize("within", [lambda value: value, lambda value: [(value,)], lambda value: Limits(low=value)])
def test_no_two_of_a_kind_are_one(kind: str, within: Any) -> None:
    """By themselves, in containers, and in a task's parameters."""
    group = ALIKE[kind]
    found = [digest_of(within(value)) for value in group]

    assert [(group[a], group[b]) for a, b in combinations(range(len(group)), 2) if found[a] == found[b]] == []


ATOMS = st.sampled_from(
    [0, 1, -1, 0.0, -0.0, 1.0, math.nan, True, False, None, "", "0", "1", "None", b"", b"1", Way.FAR]
)
HASHABLE = ATOMS | st.lists(ATOMS, max_size=2).map(tuple) | st.frozensets(ATOMS, max_size=2)


def containers(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Containers of every kind, of up to two values."""
    few = st.lists(inner, max_size=2)
    sets, dicts = st.sets(HASHABLE, max_size=2), st.dictionaries(HASHABLE, inner, max_size=2)
    return few | few.map(tuple) | sets | dicts | st.builds(Limits, low=inner)


VALUES = ATOMS | containers(ATOMS) | containers(containers(ATOMS))


def same(one: Any, other: Any) -> bool:
    """Whether two values are of one type and hold the same, bit by bit."""
    if type(one) is not type(other):
        return False
    match one:
        case float():
            return one.hex() == other.hex()
        case list() | tuple():
            return len(one) == len(other) and all(map(same, one, other))
        case set() | frozenset():
            return len(one) == len(other) and all(any(same(a, b) for b in other) for a in one)
        case dict():
            return same(list(one.items()), list(other.items()))
        case Limits():
            return same(one.low, other.low)
    return bool(one == other)


@settings(deadline=None, max_examples=250)
@given(VALUES, VALUES)
def test_values_have_one_digest_just_where_they_are_the_same(one: object, other: object) -> None:
    """Neither more nor less than type and content, however deep."""
    assert (digest_of(one) == digest_of(other)) == same(one, other)


def test_an_array_is_its_values_however_they_lie_in_memory() -> None:
    """Strides, order and ownership are nobody's parameter."""
    values = np.arange(12.0).reshape(3, 4)
    wide = np.zeros((3, 8))
    wide[:, ::2] = values

    assert len({digest_of(array) for array in (values, np.asfortranarray(values), wide[:, ::2], values.copy())}) == 1


def test_leaves_are_cut_off_wherever_they_stand() -> None:
    """In a parameter, in a container, in an array of objects: how they are chunked, not where they lie."""
    here, there = OpenedArray(path="here", chunks=(2,)), OpenedArray(path="there", chunks=(2,))

    for within in (lambda v: v, lambda v: {"a": [v]}, lambda v: Limits(low=v), lambda v: np.array([v], object)):
        assert digest_of(within(here)) == digest_of(within(there))
