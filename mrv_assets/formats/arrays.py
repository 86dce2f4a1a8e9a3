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

from mrv_assets.audit.canonical import Json, digest
from mrv_assets.audit.content import LEAF_PX, array_content, leaves, values_sha256
from mrv_assets.audit.merkle import Digest
from mrv_assets.errors import DamagedLake
from mrv_assets.science.blocks import BLOCK, Block
from mrv_assets.science.grid import Grid, Window

RASTERS = "rasters.zarr"
"""Of monthly_proxies: the group of the month's composites."""

Leaves = Mapping[str, Digest]
"""Leaves of one array that hold anything but fill, by their name ``row.col``, with their digests."""

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


@dataclass(frozen=True, kw_only=True)
class Group:
    """One stored group: its grid, its observations, its variables and its attributes, before anything is written."""

    grid: Grid
    """The tile's analysis grid."""
    times_us: tuple[int, ...]
    """Instants of the observations, microseconds since 1970 UTC, ascending; none where no variable is timed."""
    specs: tuple[ArraySpec, ...]
    attrs: Mapping[str, object] = field(default_factory=dict)

    def create(self, folder: Path) -> None:
        """Create a CF group in a folder, with its coordinates and its still empty variables."""
        group = zarr.create_group(folder, zarr_format=3, attributes=_group_attrs(self.attrs))
        for name, (values, coordinate_attrs) in _coordinates(self.grid, self.times_us).items():
            _write_coordinate(group, name, values, coordinate_attrs)
        reference = group.create_array("spatial_ref", shape=(), dtype="int64", dimension_names=(), fill_value=0)
        # PROJ words the same CRS anew from version to version: it is compared by meaning and is in no digest.
        wkt = CRS.from_user_input(self.grid.crs).to_wkt()
        reference.attrs.update({"crs_wkt": wkt, "GeoTransform": geo_transform(self.grid)})
        observations = len(self.times_us)
        for spec in self.specs:
            group.create_array(
                spec.name,
                shape=spec.shape(self.grid, observations),
                # Every reduction over the month sees all observations at once, in order.
                chunks=(max(1, observations), BLOCK, BLOCK) if spec.timed else (BLOCK, BLOCK),
                dtype=spec.dtype,
                fill_value=spec.fill,
                compressors=[_CODEC],
                dimension_names=("time", "y", "x") if spec.timed else ("y", "x"),
                attributes=_array_attrs(spec),
            )

    def content(self, written: Mapping[str, Leaves]) -> Json:
        """What a record says of the group: attributes, instants, coordinates, and each variable's tree of leaves.

        Args:
            written: By variable, the leaves that :meth:`BlockArrays.write` gave.
        """
        return {
            "attrs": _group_attrs(self.attrs),
            "times_us": list(self.times_us),
            "coordinates": {
                name: _coordinate_digest(values, coordinate_attrs)
                for name, (values, coordinate_attrs) in _coordinates(self.grid, self.times_us).items()
            },
            "arrays": {
                spec.name: array_content(
                    dtype=spec.dtype,
                    shape=spec.shape(self.grid, len(self.times_us)),
                    fill=spec.fill,
                    written=written.get(spec.name, {}),
                    attrs=_array_attrs(spec),
                )
                for spec in self.specs
            },
        }


def _array_attrs(spec: ArraySpec) -> Json:
    # The CF attribute repeats Zarr's fill value: with only one of them an absent block reads as zero.
    fill = {} if isinstance(spec.fill, float) else {"_FillValue": spec.fill}
    return {**fill, "grid_mapping": "spatial_ref", **spec.attrs}


def _group_attrs(attrs: Mapping[str, object]) -> Json:
    return {"Conventions": "CF-1.11", **attrs}


def geo_transform(grid: Grid) -> str:
    """A grid's corner and pixel size as GDAL writes them."""
    return f"{grid.x0!r} {grid.dx!r} 0.0 {grid.y0!r} 0.0 {grid.dy!r}"


def _coordinates(grid: Grid, times_us: Sequence[int]) -> dict[str, tuple[NDArray[np.generic], Json]]:
    """Values and attributes of a group's coordinates: instants, and the centres of rows and columns."""
    y = grid.y0 + (np.arange(grid.height) + 0.5) * grid.dy
    x = grid.x0 + (np.arange(grid.width) + 0.5) * grid.dx
    time = {
        "standard_name": "time",
        "units": "microseconds since 1970-01-01T00:00:00",
        "calendar": "proleptic_gregorian",
    }
    return {
        "time": (np.asarray(times_us, "int64"), time),
        "y": (y, {"standard_name": "projection_y_coordinate", "units": "m"}),
        "x": (x, {"standard_name": "projection_x_coordinate", "units": "m"}),
    }


def _write_coordinate(group: zarr.Group, name: str, values: NDArray[np.generic], attrs: Json) -> None:
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
        """Open a group.

        Args:
            folder: Where it is.
            mode: As Zarr has it.

        Raises:
            DamagedLake: When there is none, or its description cannot be read.
        """
        self.folder = folder
        try:
            self._group = zarr.open_group(folder, mode=mode)  # type: ignore[arg-type]
        except Exception as error:
            # A lake's groups are ours: whatever Zarr does not like about one is damage.
            raise DamagedLake("/".join(folder.parts[-5:]), f"cannot be opened ({type(error).__name__})") from error
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

    def write(self, name: str, window: Window, values: NDArray[np.generic]) -> Leaves:
        """Store a block's values; gives the digest of each leaf that holds anything but fill.

        Where every value is fill, nothing is written.
        """
        array = self._array(name)
        found = dict(leaves(name, values, window.row, window.col, fill_of(array)))
        if found:
            array[..., window.rows, window.cols] = values
        return found

    def leaf(self) -> Json:
        """What a graph that reads this group depends on: type and chunk shape of each variable."""
        return {"arrays": self.chunking()}

    def chunking(self) -> Json:
        """Type and chunk shape of each variable."""
        return {
            name: {"dtype": str(array.dtype), "chunks": list(array.chunks)}
            for name, array in sorted(self._group.arrays())
            if array.ndim >= 2
        }

    def content(self) -> Json:
        """What is stored, read back, as :meth:`Group.content` says it."""
        coordinates: Json = {}
        contents: Json = {}
        for name, array in sorted(self._group.arrays()):
            if array.ndim == 1:
                coordinates[name] = _coordinate_digest(np.asarray(array[:]), dict(array.attrs))
            elif array.ndim >= 2:
                contents[name] = array_content(
                    dtype=str(array.dtype),
                    shape=array.shape,
                    fill=fill_of(array),
                    written=self.stored_leaves(name),
                    attrs=dict(array.attrs),
                )
        return {"attrs": self.attrs, "times_us": self.times_us, "coordinates": coordinates, "arrays": contents}

    def georeference(self) -> tuple[str, str]:
        """The CRS as WKT, and the corner and pixel size as GDAL writes them."""
        attrs = self._group["spatial_ref"].attrs
        return str(attrs.get("crs_wkt")), str(attrs.get("GeoTransform"))

    def like(self, name: str) -> Json:
        """What two arrays must share for their stored values to be compared: type, shape, fill, scale."""
        array = self._array(name)
        scale = {part: array.attrs.get(part) for part in ("scale_factor", "add_offset")}
        return {"dtype": str(array.dtype), "shape": list(array.shape), "fill": str(array.fill_value), **scale}

    def measured(self, name: str) -> bool:
        """True for a measured quantity; False for classes, bits and counts, of which none is close to another."""
        array = self._array(name)
        return array.dtype.kind == "f" or "scale_factor" in array.attrs

    def stored_windows(self, name: str) -> list[Window]:
        """Blocks of an array of which any part is stored, as windows."""
        array = self._array(name)
        height, width = array.shape[-2:]
        return [
            Window(b.row * BLOCK, b.col * BLOCK, min(BLOCK, height - b.row * BLOCK), min(BLOCK, width - b.col * BLOCK))
            for b in _stored_blocks(self.folder / name, array)
        ]

    def leaf_window(self, name: str, leaf: str) -> Window:
        """The pixels of one leaf of an array's tree."""
        row, col = (int(part) * LEAF_PX for part in leaf.split("."))
        height, width = self._array(name).shape[-2:]
        return Window(row, col, min(LEAF_PX, height - row), min(LEAF_PX, width - col))

    def stored_leaves(self, name: str) -> Leaves:
        """Every leaf of an array that holds anything but fill; looks wherever a chunk is stored."""
        fill = fill_of(self._array(name))
        return {
            leaf: found
            for window in self.stored_windows(name)
            for leaf, found in leaves(name, self.read(name, window), window.row, window.col, fill)
        }


def _stored_blocks(folder: Path, array: "zarr.Array[Any]") -> list[Block]:
    """Blocks of which any part is stored, whatever the chunks' size."""
    found: set[Block] = set()
    # Several chunks may lie in one file.
    steps = (array.shards or array.chunks)[-2:]
    for path in folder.glob("c/" + "/".join("*" * array.ndim)):
        rows, cols = (
            range(int(part) * chunk // BLOCK, (min(size, (int(part) + 1) * chunk) - 1) // BLOCK + 1)
            for part, chunk, size in zip(path.parts[-2:], steps, array.shape[-2:], strict=True)
        )
        found |= {Block(row, col) for row in rows for col in cols}
    return sorted(found)


def fill_of(array: "zarr.Array[Any]") -> float | int:
    """What an array reads as where nothing is written, as a plain number."""
    fill: float | int = np.asarray(array.fill_value).item()
    return fill


def _coordinate_digest(values: NDArray[np.generic], attrs: Json) -> str:
    return digest({"values_sha256": values_sha256(values), "attrs": attrs})
