"""Arrays of a tile as they are stored, read by everyone through here: nothing is given that the record does not say."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit import merkle
from mrv_assets.audit.canonical import Json, digest
from mrv_assets.audit.content import LEAF_PX, in_order, leaves, one_spelling
from mrv_assets.audit.record import Record
from mrv_assets.errors import DamagedLake
from mrv_assets.formats.arrays import (
    LEAVES,
    RASTERS,
    REFERENCE,
    Leaves,
    chunk_shape,
    coordinate_document,
    coordinates,
    leaves_document,
    reference_document,
    variable_document,
)
from mrv_assets.formats.blosc import HEADER_BYTES, decoded
from mrv_assets.formats.files import Identity, Newest, damaged, file_bytes
from mrv_assets.formats.zarr_documents import ZARR_JSON, group_document
from mrv_assets.science.blocks import BLOCK, Block
from mrv_assets.science.grid import Grid, Window

MAX_DOCUMENT_BYTES = 1 << 24
"""Size of the largest document of a group: the leaves of a whole tile take 400 kB."""


@dataclass(frozen=True, eq=False)
class StoredArrays:
    """The variables of a group in the lake, by what its record says of them. Safe in threads; can be pickled.

    Whatever is read is compared first: the group's documents byte by byte, the list of leaves with the record's root,
    each block's values with the list. A block that was compared once is remembered until its file changes.
    """

    folder: Path
    stated: Json
    """The record's words on the group: attributes, instants, coordinates, arrays."""
    plan: Json
    """The record's parameter manifest, which says the grid."""

    @classmethod
    def of(cls, record: Record) -> "StoredArrays":
        """The arrays of a record of aligned tiles, masked tiles or indices."""
        return cls(record.data, record.output, record.document["plan"])

    @classmethod
    def rasters_of(cls, monthly: Record) -> "StoredArrays":
        """The month's rasters of a record of monthly proxies."""
        return cls(monthly.data / RASTERS, monthly.output["rasters"], monthly.document["plan"])

    def __contains__(self, name: str) -> bool:
        return name in self.stated["arrays"]

    @property
    def names(self) -> list[str]:
        """Names of the variables, sorted."""
        return sorted(self.stated["arrays"])

    @property
    def attrs(self) -> Json:
        """Attributes of the group."""
        return dict(self.stated["attrs"])

    @property
    def times_us(self) -> list[int]:
        """Instants of the observations, microseconds since 1970 UTC."""
        return list(self.stated["times_us"])

    @property
    def observations(self) -> int:
        """Number of observations of the month."""
        return len(self.stated["times_us"])

    @cached_property
    def grid(self) -> Grid:
        """The tile's analysis grid."""
        return Grid.stated(self.plan)

    def leaf(self) -> Json:
        """Its entry in a graph that reads it: type and chunk shape of each variable."""
        return {
            "arrays": {
                name: {"dtype": self.dtype(name), "chunks": list(chunk_shape(self.shape(name)))} for name in self.names
            }
        }

    def dtype(self, name: str) -> str:
        """NumPy dtype name of a variable."""
        return str(self.stated["arrays"][name]["dtype"])

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a variable, dims (time, y, x) or (y, x)."""
        return tuple(self.stated["arrays"][name]["shape"])

    def fill(self, name: str) -> float | int:
        """Value of a variable where nothing is written."""
        fill: float | int | str = self.stated["arrays"][name]["fill"]
        return math.nan if isinstance(fill, str) else fill

    def attrs_of(self, name: str) -> Json:
        """Attributes of a variable.

        Raises:
            DamagedLake: When its document, or the group's, is not what the lake writes.
        """
        self._checked_group  # noqa: B018  # compared once
        return self._attrs[name] if name in self._attrs else self._attrs.setdefault(name, self._checked(name))

    def read(self, name: str, window: Window) -> NDArray[Any]:
        """Stored values of a window, undecoded: (time, y, x) or (y, x).

        Raises:
            DamagedLake: When what is stored is not what the record says.
        """
        self.attrs_of(name)
        shape = self.shape(name)
        out: NDArray[Any] | None = None
        for block in _blocks_of(window):
            held = self._block_window(name, block)
            values = self._block(name, block)
            if values is not None and held == window:
                return values
            if out is None:
                size = (*shape[:-2], window.height, window.width)
                out = np.full(size, self.fill(name), self.dtype(name))
            if values is not None and (part := held.intersect(window)) is not None:
                out[..., _within(part.rows, window.row), _within(part.cols, window.col)] = values[
                    ..., _within(part.rows, held.row), _within(part.cols, held.col)
                ]
        assert out is not None  # a window has pixels
        return out

    def stored_blocks(self, name: str) -> list[Block]:
        """The blocks of a variable that hold anything but fill."""
        return sorted({_block_of(leaf) for leaf in self.stated["arrays"][name]["written_blocks"]})

    def stored_windows(self, name: str) -> list[Window]:
        """The blocks of a variable that hold anything but fill, as windows."""
        return [self._block_window(name, block) for block in self.stored_blocks(name)]

    def leaf_window(self, name: str, leaf: str) -> Window:
        """The pixels of one leaf of a variable's tree."""
        row, col = (int(part) * LEAF_PX for part in leaf.split("."))
        height, width = self.shape(name)[-2:]
        return Window(row, col, min(LEAF_PX, height - row), min(LEAF_PX, width - col))

    def leaves(self, name: str) -> Leaves:
        """Digest of every leaf of a variable that holds anything but fill.

        Raises:
            DamagedLake: When the list is not the one of the record's root.
        """
        if name in self._leaves:
            return self._leaves[name]
        said, path = self.stated["arrays"][name], f"{name}/{LEAVES}"
        stored = self._document(path)
        try:
            listed = {leaf: bytes.fromhex(found) for leaf, found in _json(stored).items()}
            known = stored == leaves_document(listed) and in_order(listed) == said["written_blocks"]
        except (TypeError, ValueError):
            known = False
        if not known or merkle.root([listed[leaf] for leaf in said["written_blocks"]]).hex() != said["root"]:
            raise self._damaged(path, "its digests do not give the record's root")
        return self._leaves.setdefault(name, listed)

    def files(self) -> Iterator[str]:
        """Paths of all files of the group, in its folder."""
        yield from (ZARR_JSON, f"{REFERENCE}/{ZARR_JSON}")
        for name, (values, _) in coordinates(self.grid, self.times_us).items():
            yield f"{name}/{ZARR_JSON}"
            if values.size:
                yield f"{name}/c/0"
        for name in self.names:
            yield from (f"{name}/{ZARR_JSON}", f"{name}/{LEAVES}")
            yield from (self._chunk_name(name, block) for block in self.stored_blocks(name))

    def check(self) -> Iterator[DamagedLake]:
        """Differences between the group and its record; reads all of it."""
        axes = coordinates(self.grid, self.times_us)
        yield from _failures(lambda: self._checked_group)
        yield from _failures(self.reference)
        for axis in axes:
            yield from _failures(partial(self._check_coordinate, axis))
        for name in self.names:
            found = [*_failures(partial(self._checked, name)), *_failures(partial(self.leaves, name))]
            yield from found
            if not found:
                for block in self.stored_blocks(name):
                    yield from _failures(partial(self._block, name, block))

    def reference(self) -> str:
        """The CRS as WKT, as it is stored; readers take it from the grid.

        Raises:
            DamagedLake: When its document has anything else than a CRS and the record's grid.
        """
        path = f"{REFERENCE}/{ZARR_JSON}"
        stored = self._document(path)
        attrs = _json(stored).get("attributes")
        wkt = attrs.get("crs_wkt") if isinstance(attrs, dict) else None
        if not isinstance(wkt, str) or stored != reference_document(wkt, self.grid):
            raise self._damaged(path, "its document is not the one that the record's grid has")
        return wkt

    @cached_property
    def _attrs(self) -> dict[str, Json]:
        return {}

    @cached_property
    def _leaves(self) -> dict[str, Leaves]:
        return {}

    def __reduce__(self) -> tuple[type["StoredArrays"], tuple[Path, Json, Json]]:
        # What was compared in one process is compared anew in another.
        return StoredArrays, (self.folder, self.stated, self.plan)

    @cached_property
    def _checked_group(self) -> bool:
        """Compare the group's own document."""
        if self.plan["block_px"] != BLOCK:
            raise self._damaged(ZARR_JSON, f"its blocks have {self.plan['block_px']} pixels, and are read by {BLOCK}")
        if self._document(ZARR_JSON) != group_document(self.attrs):
            raise self._damaged(ZARR_JSON, "its document is not the one that the record's group has")
        return True

    def _checked(self, name: str) -> Json:
        """Attributes of a variable whose document has been compared."""
        path = f"{name}/{ZARR_JSON}"
        stored = self._document(path)
        attrs = _json(stored).get("attributes")
        if not isinstance(attrs, dict) or digest(attrs) != self.stated["arrays"][name]["attrs_sha256"]:
            raise self._damaged(path, "its attributes are not those of the record")
        if stored != variable_document(self.dtype(name), self.shape(name), self.fill(name), attrs):
            raise self._damaged(path, "its document is not the one that the record's array has")
        return attrs

    def _check_coordinate(self, name: str) -> None:
        values, attrs = coordinates(self.grid, self.times_us)[name]
        if self._document(f"{name}/{ZARR_JSON}") != coordinate_document(name, values, attrs):
            raise self._damaged(f"{name}/{ZARR_JSON}", "its document is not the one that the record's grid has")
        if not values.size:
            return
        stored, _ = self._values(f"{name}/c/0", str(values.dtype), values.size)
        if not np.array_equal(stored, values):
            raise self._damaged(f"{name}/c/0", "its values are not those of the record's grid")

    def _block(self, name: str, block: Block) -> NDArray[Any] | None:
        """Values of a block, compared with its leaves; None where it holds nothing but fill."""
        meant = {leaf: found for leaf, found in self.leaves(name).items() if _block_of(leaf) == block}
        if not meant:
            return None
        shape = self.shape(name)
        path = self._chunk_name(name, block)
        chunks = chunk_shape(shape)
        held = self._block_window(name, block)
        flat, identity = self._values(path, self.dtype(name), math.prod(chunks))
        values = flat.reshape(chunks)
        values = values[(*(slice(size) for size in shape[:-2]), slice(held.height), slice(held.width))]
        compared = (*identity, name, tuple(sorted(meant.items())))
        if _compared.get(compared) is None:
            if dict(leaves(name, values, held.row, held.col, self.fill(name))) != meant:
                raise self._damaged(path, "its values are not those of the record")
            _compared.set(compared, True)
        # Bits that the digests do not tell apart are not told to anybody.
        return one_spelling(values)

    def _values(self, path: str, dtype: str, count: int) -> tuple[NDArray[Any], Identity]:
        """The values of a chunk, and what changes whenever its file does."""
        size = count * np.dtype(dtype).itemsize
        data, identity = file_bytes(self.folder, path, size + HEADER_BYTES)
        try:
            return decoded(data, dtype, count), identity
        except ValueError as error:
            raise self._damaged(path, str(error)) from None

    def _document(self, path: str) -> bytes:
        return file_bytes(self.folder, path, MAX_DOCUMENT_BYTES)[0]

    def _damaged(self, path: str, reason: str) -> DamagedLake:
        return damaged(self.folder, path, reason)

    def _block_window(self, name: str, block: Block) -> Window:
        height, width = self.shape(name)[-2:]
        row, col = block.row * BLOCK, block.col * BLOCK
        return Window(row, col, min(BLOCK, height - row), min(BLOCK, width - col))

    def _chunk_name(self, name: str, block: Block) -> str:
        first = "0/" * (len(self.shape(name)) - 2)
        return f"{name}/c/{first}{block.row}/{block.col}"


def _failures(compare: Callable[[], object]) -> Iterator[DamagedLake]:
    try:
        compare()
    except DamagedLake as failure:
        yield failure


_compared: Newest[bool] = Newest(20_000)
"""Blocks that were compared with their leaves."""


def _json(data: bytes) -> Json:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _block_of(leaf: str) -> Block:
    row, col = (int(part) * LEAF_PX // BLOCK for part in leaf.split("."))
    return Block(row, col)


def _blocks_of(window: Window) -> Iterator[Block]:
    for row in range(window.row // BLOCK, (window.row + window.height - 1) // BLOCK + 1):
        for col in range(window.col // BLOCK, (window.col + window.width - 1) // BLOCK + 1):
            yield Block(row, col)


def _within(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)
