"""Zarr groups of a lake as zarr itself reads them, without the package's own reader and its checks."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from mrv_assets.audit.canonical import canonical, digest
from mrv_assets.audit.content import array_content, leaves, values_sha256

Json = dict[str, Any]
SIDE = 1024


def leaves_of(folder: Path, name: str) -> dict[str, bytes]:
    """Every leaf of an array that holds anything but fill, block by block."""
    array = zarr.open_group(folder, mode="r")[name]
    assert isinstance(array, zarr.Array)
    fill = np.asarray(array.fill_value).item()
    height, width = array.shape[-2:]
    found: dict[str, bytes] = {}
    for row in range(0, height, SIDE):
        for col in range(0, width, SIDE):
            values = np.asarray(array[..., row : row + SIDE, col : col + SIDE])
            if (np.isnan(values) if math.isnan(fill) else values == fill).all():
                continue
            found |= dict(leaves(name, values, row, col, fill))
    return found


def said_again(folder: Path) -> Json:
    """What a record would say of a group as it is now; the lists of leaves are written anew."""
    group = zarr.open_group(folder, mode="r")
    coordinates, arrays = {}, {}
    for name, array in sorted(group.arrays()):
        if array.ndim == 1:
            said = {"values_sha256": values_sha256(np.asarray(array[:])), "attrs": dict(array.attrs)}
            coordinates[name] = digest(said)
        elif array.ndim >= 2:
            written = leaves_of(folder, name)
            listed = {leaf: found.hex() for leaf, found in written.items()}
            (folder / name / "leaves.json").write_bytes(canonical(listed))
            arrays[name] = array_content(
                dtype=str(array.dtype),
                shape=array.shape,
                fill=np.asarray(array.fill_value).item(),
                written=written,
                attrs=dict(array.attrs),
            )
    times = [int(value) for value in np.asarray(group["time"][:])] if group["time"].shape[0] else []
    return {"attrs": dict(group.attrs), "times_us": times, "coordinates": coordinates, "arrays": arrays}
