"""Arrays of a tile in Zarr, chunked (all observations, block, block); only blocks that say something are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray
from pyproj import CRS

from mrv_assets.audit.canonical import Json, canonical, digest
from mrv_assets.audit.content import array_content, leaves, values_sha256
from mrv_assets.audit.merkle import Digest
from mrv_assets.formats.blosc import encoded
from mrv_assets.formats.zarr_documents import ZARR_JSON, array_document, group_document
from mrv_assets.science.blocks import BLOCK
from mrv_assets.science.grid import Grid, Window

RASTERS = "rasters.zarr"
"""Group of monthly_proxies with the month's composites."""

Leaves = Mapping[str, Digest]
"""Leaves of one array that hold anything but fill, by their name ``row.col``, with their digests."""

LEAVES = "leaves.json"
"""In the folder of a variable: the digest of every leaf by its name, so that one block can be checked alone."""
REFERENCE = "spatial_ref"
"""The variable that says which CRS the group is in."""


@dataclass(frozen=True, kw_only=True)
class ArraySpec:
    """One variable of a group."""

    name: str
    dtype: str
    fill: float | int
    """Value of an absent block; float arrays use NaN."""
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
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ZARR_JSON).write_bytes(group_document(_group_attrs(self.attrs)))
        for name, (values, attrs) in coordinates(self.grid, self.times_us).items():
            _create_array(folder / name, coordinate_document(name, values, attrs))
            if values.size:
                (folder / name / "c").mkdir()
                (folder / name / "c" / "0").write_bytes(encoded(values))
        # PROJ words the same CRS anew from version to version: it is compared by meaning and is in no digest.
        wkt = CRS.from_user_input(self.grid.crs).to_wkt()
        _create_array(folder / REFERENCE, reference_document(wkt, self.grid))
        for spec in self.specs:
            shape = spec.shape(self.grid, len(self.times_us))
            _create_array(folder / spec.name, variable_document(spec.dtype, shape, spec.fill, _array_attrs(spec)))

    def finish(self, folder: Path, written: Mapping[str, Leaves]) -> None:
        """Store the digests of all leaves beside them, after the last one was written.

        Args:
            folder: Where the group is.
            written: By variable, the leaves that :meth:`GroupWriter.write` gave.
        """
        for spec in self.specs:
            (folder / spec.name / LEAVES).write_bytes(leaves_document(written.get(spec.name, {})))

    def content(self, written: Mapping[str, Leaves]) -> Json:
        """The record's entry for the group: attributes, instants, coordinates, and each variable's tree of leaves.

        Args:
            written: By variable, the leaves that :meth:`GroupWriter.write` gave.
        """
        return {
            "attrs": _group_attrs(self.attrs),
            "times_us": list(self.times_us),
            "coordinates": {
                name: digest({"values_sha256": values_sha256(values), "attrs": attrs})
                for name, (values, attrs) in coordinates(self.grid, self.times_us).items()
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


def coordinates(grid: Grid, times_us: Sequence[int]) -> dict[str, tuple[NDArray[np.generic], Json]]:
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


def coordinate_document(name: str, values: NDArray[np.generic], attrs: Json) -> bytes:
    """The Zarr document of a coordinate, which is one chunk."""
    size = (max(1, values.size),)
    fill = 0.0 if values.dtype.kind == "f" else 0
    return array_document(
        dtype=str(values.dtype), shape=values.shape, chunks=size, fill=fill, dims=(name,), attrs=attrs
    )


def variable_document(dtype: str, shape: Sequence[int], fill: float | int, attrs: Json) -> bytes:
    """The Zarr document of a variable, dims (time, y, x) or (y, x)."""
    dims = ("time", "y", "x")[-len(shape) :]
    return array_document(dtype=dtype, shape=shape, chunks=chunk_shape(shape), fill=fill, dims=dims, attrs=attrs)


def reference_document(wkt: str, grid: Grid) -> bytes:
    """The Zarr document of the variable that names the CRS and the grid."""
    attrs = {"crs_wkt": wkt, "GeoTransform": geo_transform(grid)}
    return array_document(dtype="int64", shape=(), chunks=(), fill=0, dims=(), attrs=attrs)


def leaves_document(written: Leaves) -> bytes:
    """The list of a variable's leaves: their digests in hex, by name."""
    return canonical({leaf: found.hex() for leaf, found in written.items()})


def chunk_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of a variable's chunks: all observations of a block, since every reduction over a month sees them all."""
    return (*(max(1, size) for size in shape[:-2]), BLOCK, BLOCK)


def _create_array(folder: Path, document: bytes) -> None:
    folder.mkdir()
    (folder / ZARR_JSON).write_bytes(document)


class GroupWriter:
    """Writes the variables of a group that has been created. Safe from many threads on distinct blocks."""

    def __init__(self, folder: Path) -> None:
        """Open a group.

        Args:
            folder: Where it is.
        """
        self._group = zarr.open_group(folder, mode="r+", use_consolidated=False)

    def write(self, name: str, window: Window, values: NDArray[np.generic]) -> Leaves:
        """Store a block's values; gives the digest of each leaf that holds anything but fill.

        Where every value is fill, nothing is written.
        """
        opened = self._group[name]
        assert isinstance(opened, zarr.Array)  # our groups hold no groups
        # Whether a block is all fill is looked at once, by us.
        array = opened.with_config({"write_empty_chunks": True})
        found = dict(leaves(name, values, window.row, window.col, np.asarray(array.fill_value).item()))
        if found:
            array[..., window.rows, window.cols] = values
        return found
