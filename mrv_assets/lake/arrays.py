"""Arrays of a tile in Zarr, chunked (all observations, block, block); only blocks that say something are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from pyproj import CRS
from zarr.codecs import BloscCodec

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.content import array_content, block_digest
from mrv_assets.science.blocks import BLOCK, Block
from mrv_assets.science.grid import Grid, Window

# zstd at its fastest after a bit shuffle: 0.97 bytes a pixel for uint16 reflectance against 2.76 as float32.
_CODEC = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")


@dataclass(frozen=True, kw_only=True)
class ArraySpec:
    """One variable of a group."""

    name: str
    dtype: str
    fill: float | int
    """What an absent block reads as; float arrays use NaN."""
    timed: bool
    """True: dims (time, y, x); False: (y, x)."""
    attrs: Mapping[str, object] = field(default_factory=dict)

    def shape(self, grid: Grid, observations: int) -> tuple[int, ...]:
        """Full shape on a grid."""
        plane = (grid.height, grid.width)
        return (observations, *plane) if self.timed else plane


def create_group(
    folder: Path, grid: Grid, times_us: Sequence[int], specs: Sequence[ArraySpec], attrs: Mapping[str, object]
) -> None:
    """Create a CF group with its coordinates and its still empty variables.

    Args:
        folder: Where the group goes.
        grid: The tile's analysis grid.
        times_us: Instants of the observations, microseconds since 1970 UTC, ascending.
        specs: The variables.
        attrs: Attributes of the group.
    """
    group = zarr.create_group(folder, zarr_format=3, attributes={"Conventions": "CF-1.11", **attrs})
    _coordinate(group, "time", np.asarray(times_us, "int64"), {
        "standard_name": "time", "units": "microseconds since 1970-01-01T00:00:00", "calendar": "proleptic_gregorian",
    })  # fmt: skip
    y = grid.y0 + (np.arange(grid.height) + 0.5) * grid.dy
    x = grid.x0 + (np.arange(grid.width) + 0.5) * grid.dx
    _coordinate(group, "y", y, {"standard_name": "projection_y_coordinate", "units": "m"})
    _coordinate(group, "x", x, {"standard_name": "projection_x_coordinate", "units": "m"})
    reference = group.create_array("spatial_ref", shape=(), dtype="int64", dimension_names=(), fill_value=0)
    reference.attrs.update({
        "crs_wkt": CRS.from_user_input(grid.crs).to_wkt(),
        "GeoTransform": f"{grid.x0!r} {grid.dx!r} 0.0 {grid.y0!r} 0.0 {grid.dy!r}",
    })  # fmt: skip
    for spec in specs:
        shape = spec.shape(grid, len(times_us))
        group.create_array(
            spec.name,
            shape=shape,
            # Every reduction over the month sees all observations at once, in order.
            chunks=(max(1, len(times_us)), BLOCK, BLOCK) if spec.timed else (BLOCK, BLOCK),
            dtype=spec.dtype,
            fill_value=spec.fill,
            compressors=[_CODEC],
            dimension_names=("time", "y", "x") if spec.timed else ("y", "x"),
            attributes=_array_attrs(spec),
        )


def _array_attrs(spec: ArraySpec) -> Json:
    # The CF attribute repeats Zarr's fill value: with only one of them an absent block reads as zero.
    fill = {} if isinstance(spec.fill, float) else {"_FillValue": spec.fill}
    return {**fill, "grid_mapping": "spatial_ref", **spec.attrs}


def _coordinate(group: zarr.Group, name: str, values: NDArray[np.generic], attrs: Json) -> None:
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=(max(1, values.size),),
        dtype=values.dtype,
        dimension_names=(name,),
        attributes=attrs,
    )
    if values.size:
        array[:] = values


class BlockArrays:
    """The variables of one stored group, read and written by window. Safe from many threads on distinct blocks."""

    def __init__(self, folder: Path, mode: str = "r") -> None:
        self.folder = folder
        self._group = zarr.open_group(folder, mode=mode)  # type: ignore[arg-type]
        self._arrays: dict[str, zarr.Array[Any]] = {}

    def __reduce__(self) -> tuple[type, tuple[Path, str]]:
        return (BlockArrays, (self.folder, "r" if self._group.read_only else "r+"))

    def __contains__(self, name: str) -> bool:
        return name in self._group

    @property
    def attrs(self) -> Json:
        """Attributes of the group."""
        return dict(self._group.attrs)

    @property
    def observations(self) -> int:
        """Number of observations of the month."""
        return int(self._array("time").shape[0])

    @property
    def times_us(self) -> list[int]:
        """Instants of the observations, microseconds since 1970 UTC."""
        return [int(value) for value in np.asarray(self._array("time")[:])] if self.observations else []

    def _array(self, name: str) -> "zarr.Array[Any]":
        found = self._arrays.get(name)
        if found is None:
            opened = self._group[name]
            assert isinstance(opened, zarr.Array)  # our groups hold no groups
            # Whether a block is all fill is looked at once, by us.
            found = self._arrays[name] = opened.with_config({"write_empty_chunks": True})
        return found

    def read(self, name: str, window: Window) -> NDArray[Any]:
        """Stored values of a window, undecoded: (time, y, x) or (y, x)."""
        array = self._array(name)
        if array.ndim == 3 and array.shape[0] == 0:
            return np.empty((0, window.height, window.width), np.dtype(array.dtype))
        index = (..., window.rows, window.cols)
        return np.asarray(array[index])

    def write(self, name: str, window: Window, values: NDArray[np.generic]) -> str | None:
        """Store a block's values and digest them; None when every value is fill, and nothing is written."""
        array = self._array(name)
        if values.size == 0 or _all_fill(values, array.fill_value):
            return None
        array[..., window.rows, window.cols] = values
        return block_digest(values)


def _all_fill(values: NDArray[np.generic], fill: object) -> bool:
    fill_value = np.asarray(fill, dtype=values.dtype)
    if values.dtype.kind == "f" and np.isnan(fill_value):
        return bool(np.isnan(values).all())
    return bool((values == fill_value).all())


def block_name(block: Block) -> str:
    """How a record names a block: ``row.col``."""
    return f"{block.row}.{block.col}"


def group_content(
    grid: Grid,
    times_us: Sequence[int],
    specs: Sequence[ArraySpec],
    attrs: Mapping[str, object],
    written: Mapping[str, Mapping[str, str]],
) -> Json:
    """What a record says of a group: each variable's blocks, the attributes, the observations' instants."""
    return {
        "attrs": dict(attrs),
        "times_us": list(times_us),
        "arrays": {
            spec.name: array_content(
                dtype=spec.dtype,
                shape=spec.shape(grid, len(times_us)),
                blocks=written.get(spec.name, {}),
                attrs=_array_attrs(spec),
            )
            for spec in specs
        },
    }
