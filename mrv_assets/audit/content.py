"""Content digests: what stored data says, whatever codec, chunking or file format holds it."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json, canonical, digest


def block_digest(values: NDArray[np.generic]) -> str:
    """SHA-256 of a block's decoded values: little endian, C order, one NaN, no negative zero.

    Args:
        values: Decoded values of one block, any dims and dtype.
    """
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    if little.dtype.kind == "f":
        # Adding zero turns -0.0 into 0.0; every NaN becomes the same NaN.
        little = np.where(np.isnan(little), np.array(np.nan, little.dtype), little + np.zeros((), little.dtype))
    return hashlib.sha256(np.ascontiguousarray(little).data).hexdigest()


def array_content(*, dtype: str, shape: Sequence[int], blocks: Mapping[str, str], attrs: Mapping[str, object]) -> Json:
    """What a record says of one stored array.

    Args:
        dtype: NumPy dtype name.
        shape: Full shape of the array.
        blocks: Digest of each written block, by its ``row.col``; an all-fill block is not written.
        attrs: The array's attributes.
    """
    written = sorted(blocks, key=lambda name: tuple(int(part) for part in name.split(".")))
    return {
        "dtype": dtype,
        "shape": list(shape),
        "written_blocks": written,
        "attrs_sha256": digest(dict(attrs)),
        "root": digest([[name, blocks[name]] for name in written]),
    }


def table_content(rows: Sequence[Json], key: Sequence[str]) -> Json:
    """What a record says of one table: a digest over its rows, sorted by key, each in canonical JSON."""
    ordered = sorted(rows, key=lambda row: tuple(str(row[name]) for name in key))
    total = hashlib.sha256()
    for row in ordered:
        total.update(hashlib.sha256(canonical(row)).digest())
    return {
        "rows": len(ordered),
        "key": list(key),
        "columns": sorted(rows[0]) if rows else [],
        "root": total.hexdigest(),
    }
