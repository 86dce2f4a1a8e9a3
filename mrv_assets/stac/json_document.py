"""JSON from elsewhere, which is read only when its size, its numbers and its depth are within bounds."""

import json
import math
from collections import Counter
from typing import Any

from mrv_assets.scenes.item import EXCESS

MAX_DOCUMENT_BYTES = 16 << 20
"""The largest real collection is 26 kB, the largest item 60 kB, a page of a hundred items 6 MB."""
MAX_MARKS = 2_000_000
"""Commas, colons and opening brackets: each may stand for a value, which takes up to 150 bytes of memory. A page of a
hundred items has 300,000."""
MAX_DEPTH = 64
"""Real items nest 9 deep."""


def parsed(data: bytes) -> Any:
    """The value of a JSON text.

    Where an object has a key twice the last value counts, and the object says so under ``EXCESS``: readers differ on
    it, so that an item with such an object is left out.

    Raises:
        ValueError: When it is not JSON, has NaN, Infinity or a number beyond all floats, nests deeper than
            ``MAX_DEPTH``, or may hold more than ``MAX_MARKS`` values; in words that complete "it ...".
    """
    if sum(map(data.count, (b",", b":", b"[", b"{"))) > MAX_MARKS:
        raise ValueError(f"holds more than {MAX_MARKS} values")
    try:
        value = json.loads(data, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError(f"nests deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None
    if _deeper_than(value, MAX_DEPTH):
        raise ValueError(f"nests deeper than {MAX_DEPTH} levels")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _finite(stated: str) -> float:
    number = float(stated)
    if math.isinf(number):
        raise ValueError(f"{stated[:20]} is beyond all floats")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        value[EXCESS] = f"it has the key {twice[:80]!r} twice"
    return value


def _deeper_than(document: Any, limit: int) -> bool:
    # Exact types, which the parser makes and which are quicker to tell: a page has a hundred thousand values.
    level = [document] if type(document) in (dict, list) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
    return bool(level)
