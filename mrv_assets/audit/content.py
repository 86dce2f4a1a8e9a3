"""Content digests: what stored data says, whatever codec, chunking or file format holds it."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit import merkle
from mrv_assets.audit.canonical import Json, canonical, digest, sha256

LEAF_PX = 512
"""Pixels on a side of what one leaf of an array's tree holds, with all its observations; part of the format."""


def canonical_values(values: NDArray[np.generic]) -> memoryview:
    """Decoded values as bytes: little endian, C order, one NaN, no negative zero."""
    little = np.ascontiguousarray(one_spelling(values), dtype=values.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data


def one_spelling(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Values with one NaN and no negative zero, as digests take them; a copy where they are floats."""
    if values.dtype.kind != "f":
        return values
    # Adding zero turns -0.0 into 0.0 and makes the copy that may be changed. Any NaN may be there, signalling too.
    with np.errstate(invalid="ignore"):
        spelled: NDArray[np.generic] = values + np.zeros((), values.dtype)
    spelled[np.isnan(spelled)] = np.nan
    return spelled


def values_sha256(values: NDArray[np.generic]) -> str:
    """SHA-256 of a small array's canonical values, for what needs no tree."""
    return sha256(canonical_values(values))


def leaf_header(name: str, dtype: np.dtype[np.generic], row: int, col: int, shape: Sequence[int]) -> bytes:
    """Bytes before a leaf's values: the array, type and place that they belong to.

    Args:
        name: The array.
        dtype: Its type.
        row: First row of the leaf in the array.
        col: First column.
        shape: Shape of the leaf's values, (time, y, x) or (y, x).

    Returns:
        The length of the canonical JSON in four bytes, big endian, and the JSON.
    """
    header = canonical(
        {"array": name, "dtype": dtype.newbyteorder("<").str, "origin": [row, col], "shape": list(shape)}
    )
    return len(header).to_bytes(4, "big") + header


def leaves(
    name: str, values: NDArray[np.generic], row: int, col: int, fill: float | int
) -> Iterator[tuple[str, merkle.Digest]]:
    """Name and digest of each leaf in a window of an array that holds anything but fill.

    Args:
        name: The array.
        values: Decoded values of the window, dims (time, y, x) or (y, x).
        row: First row of the window in the array, a multiple of ``LEAF_PX``.
        col: First column, likewise.
        fill: What the array reads as where nothing is written.
    """
    for y in range(0, values.shape[-2], LEAF_PX):
        for x in range(0, values.shape[-1], LEAF_PX):
            part = values[..., y : y + LEAF_PX, x : x + LEAF_PX]
            if not all_fill(part, fill):
                header = leaf_header(name, part.dtype, row + y, col + x, part.shape)
                yield f"{(row + y) // LEAF_PX}.{(col + x) // LEAF_PX}", merkle.leaf(header, canonical_values(part))


def all_fill(values: NDArray[np.generic], fill: float | int) -> bool:
    """True where every value is fill, or there is none."""
    if values.size == 0:
        return True
    empty = np.isnan if isinstance(fill, float) and math.isnan(fill) else np.asarray(fill, values.dtype).__eq__
    # Most blocks that hold something show it at a glance.
    return bool(np.all(empty(values[..., ::61, ::61]))) and bool(np.all(empty(values)))


def in_order(names: Sequence[str] | Mapping[str, object]) -> list[str]:
    """Leaf names, ``row.col``, in the order of their tree: row by row."""
    return sorted(names, key=lambda name: tuple(int(part) for part in name.split(".")))


def array_content(
    *,
    dtype: str,
    shape: Sequence[int],
    fill: float | int,
    written: Mapping[str, merkle.Digest],
    attrs: Mapping[str, object],
) -> Json:
    """The record's entry for one stored array.

    Args:
        dtype: NumPy dtype name.
        shape: Full shape of the array.
        fill: What it reads as where nothing is written; NaN is said as the string.
        written: Digest of each leaf that holds anything else, by its name.
        attrs: The array's attributes.
    """
    names = in_order(written)
    return {
        "dtype": dtype,
        "shape": list(shape),
        "fill": "NaN" if isinstance(fill, float) and math.isnan(fill) else fill,
        "written_blocks": names,
        "attrs_sha256": digest(dict(attrs)),
        "root": merkle.root([written[name] for name in names]).hex(),
    }


def sorted_rows(rows: Sequence[Json], key: Sequence[str]) -> list[Json]:
    """A table's rows in the order of their tree: by key, null last; rows of one key by all they say."""
    return sorted(rows, key=lambda row: (*((row[name] is None, str(row[name])) for name in key), canonical(row)))


def row_leaf(row: Json) -> merkle.Digest:
    """A table row's leaf: its canonical JSON."""
    return merkle.leaf(canonical(row))


def table_content(rows: Sequence[Json], key: Sequence[str]) -> Json:
    """The record's entry for one table: the root over its rows, sorted by key, each in canonical JSON."""
    return {
        "rows": len(rows),
        "key": list(key),
        "columns": sorted(set().union(*rows)),
        "root": merkle.root([row_leaf(row) for row in sorted_rows(rows, key)]).hex(),
    }
