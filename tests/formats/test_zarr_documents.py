"""Documents of a Zarr group: the ones Zarr's library understands, and the same bytes for the same array."""

import math
from pathlib import Path

import numpy as np
import pytest
import zarr

from mrv_assets.formats.blosc import encoded
from mrv_assets.formats.zarr_documents import ZARR_JSON, array_document, group_document


@pytest.mark.parametrize(
    ("dtype", "fill"), [("uint8", 255), ("uint16", 0), ("float32", math.nan), ("float64", -1.5), ("int64", 0)]
)
def test_the_library_reads_what_they_describe(dtype: str, fill: float, tmp_path: Path) -> None:
    """Attributes, dimensions, fill value, and a chunk as the lake compresses it."""
    values = (np.arange(24) * 3).astype(dtype).reshape(4, 6)
    document = array_document(
        dtype=dtype, shape=(4, 9), chunks=(4, 6), fill=fill, dims=("y", "x"), attrs={"units": "1"}
    )
    (tmp_path / "red" / "c" / "0").mkdir(parents=True)
    (tmp_path / ZARR_JSON).write_bytes(group_document({"mission": "m"}))
    (tmp_path / "red" / ZARR_JSON).write_bytes(document)
    (tmp_path / "red" / "c" / "0" / "0").write_bytes(encoded(values))

    group = zarr.open_group(tmp_path, mode="r", use_consolidated=False)
    red = group["red"]

    assert isinstance(red, zarr.Array)
    assert (dict(group.attrs), dict(red.attrs)) == ({"mission": "m"}, {"units": "1"})
    assert (red.shape, str(red.dtype), red.metadata.dimension_names) == ((4, 9), dtype, ("y", "x"))
    np.testing.assert_array_equal(red[:, :6], values)
    np.testing.assert_array_equal(red[:, 6:], np.full((4, 3), fill, dtype))


def test_the_order_of_attributes_is_no_difference() -> None:
    """Canonical JSON: what an array is decides its document."""
    one, other = ({"a": 1, "b": 2}, {"b": 2, "a": 1})

    assert group_document(one) == group_document(other)
