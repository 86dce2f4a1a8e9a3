"""The documents of a Zarr group, ``zarr.json``, byte for byte as the lake has them.

Zarr's library words them anew from version to version. Written here, they can be compared with what is stored: an
edited document could give other values to the same bytes.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mrv_assets.audit.canonical import canonical

ZARR_JSON = "zarr.json"
"""Name of the document of a group or an array, in its folder."""


def group_document(attrs: Mapping[str, object]) -> bytes:
    """The document of a group with these attributes, and without consolidated metadata."""
    return canonical({"zarr_format": 3, "node_type": "group", "attributes": dict(attrs)})


def array_document(
    *,
    dtype: str,
    shape: Sequence[int],
    chunks: Sequence[int],
    fill: float | int,
    dims: Sequence[str],
    attrs: Mapping[str, object],
) -> bytes:
    """The document of an array.

    Args:
        dtype: NumPy dtype name; stored little endian.
        shape: Its shape.
        chunks: Shape of a chunk.
        fill: What it reads as where no chunk is stored.
        dims: Names of its dimensions.
        attrs: Its attributes.
    """
    itemsize = np.dtype(dtype).itemsize
    order = {"configuration": {"endian": "little"}} if itemsize > 1 else {}
    # zstd at its fastest after a bit shuffle: 0.97 bytes a pixel for uint16 reflectance against 2.76 as float32.
    blosc = {"typesize": itemsize, "cname": "zstd", "clevel": 1, "shuffle": "bitshuffle", "blocksize": 0}
    return canonical(
        {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(shape),
            "data_type": dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": "NaN" if isinstance(fill, float) and math.isnan(fill) else fill,
            "codecs": [{"name": "bytes", **order}, {"name": "blosc", "configuration": blosc}],
            "attributes": dict(attrs),
            "dimension_names": list(dims),
            "storage_transformers": [],
        }
    )
