"""Sparse GeoTIFFs: some of a publisher's COG tiles, byte for byte, with a header that we write."""

import math
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.cog.header import (
    DEFLATE,
    DEFLATE_OLD,
    DIFFERENCE,
    FLOATING_POINT,
    LZW,
    UNCOMPRESSED,
    ZSTD,
    Header,
    read_header,
    tile_shape,
    tile_window,
    tiles_for,
)
from mrv_assets.cog.tiff import GDAL_METADATA, write_tiff
from mrv_assets.errors import DamagedLake, HeaderRefused, HoleError
from mrv_assets.science.grid import Grid, Window

# Each decoder is given the decoded size and writes nothing beyond it, whatever the stream states. libdeflate is twice
# as fast as zlib.
_DECOMPRESS = {
    LZW: imagecodecs.lzw_decode,
    DEFLATE: imagecodecs.deflate_decode,
    DEFLATE_OLD: imagecodecs.deflate_decode,
    ZSTD: imagecodecs.zstd_decode,
}


def sparse_tiff(header: Header, tiles: Mapping[int, bytes]) -> bytes:
    """A GeoTIFF with some of a file's COG tiles, as bytes; the same tiles give the same bytes.

    Any reader can open it, but reads omitted tiles as nodata. The list of fetched tiles therefore has to be stored
    beside it, and ``SparseTiff`` reads both. Each tile is decoded once here, so that every tile of a copy can be read.

    Args:
        header: The published file's header.
        tiles: The publisher's compressed bytes, by COG tile index.

    Raises:
        ValueError: For the index of a tile that the file does not have.
        HeaderRefused: With code undecodable, for bytes that do not decode to a whole tile.
    """
    count = len(header.offsets)
    if not all(0 <= index < count for index in tiles):
        raise ValueError(f"the file has COG tiles 0 to {count - 1}, not {sorted(tiles)}")
    for index, data in sorted(tiles.items()):
        try:
            decode_tile(header, index, data)
        except (ValueError, RuntimeError) as error:
            raise HeaderRefused(
                "undecodable",
                f"its COG tile {index} does not decode ({error}). Fetch the file again, and tell its publisher if that "
                "does not help",
            ) from None
    metadata = header.tiff.tags.get(GDAL_METADATA)
    if metadata is None or b"domain" not in metadata.data.lower():
        return write_tiff(header.tiff, tiles, count)
    # Outside the default domain, GDAL's metadata may name other files, which GDAL reads in place of the pixels.
    kept = {code: tag for code, tag in header.tiff.tags.items() if code != GDAL_METADATA}
    return write_tiff(replace(header.tiff, tags=kept), tiles, count)


class TileCache:
    """Decoded COG tiles of any number of files; the least recently used is dropped first. Safe in threads.

    A reader of neighbouring blocks owns a cache; a copy that is sent to another process starts empty.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._tiles: OrderedDict[tuple[object, int], NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __reduce__(self) -> tuple[type["TileCache"], tuple[int]]:
        return TileCache, (self.max_bytes,)

    def get(self, file: object, index: int) -> NDArray[Any] | None:
        """A decoded tile, read-only; None where the cache does not hold it."""
        with self._lock:
            tile = self._tiles.get((file, index))
            if tile is not None:
                self._tiles.move_to_end((file, index))
            return tile

    def put(self, file: object, index: int, tile: NDArray[Any]) -> None:
        """Store a decoded tile, which becomes read-only."""
        tile.flags.writeable = False
        with self._lock:
            # Two threads may have decoded the same tile.
            if (file, index) not in self._tiles and tile.nbytes <= self.max_bytes:
                self._tiles[(file, index)] = tile
                self._bytes += tile.nbytes
            while self._bytes > self.max_bytes:
                self._bytes -= self._tiles.popitem(last=False)[1].nbytes


class SparseTiff:
    """A sparse GeoTIFF in the lake and the list of COG tiles fetched for it. Safe in threads; can be pickled."""

    def __init__(
        self,
        source: Path | bytes,
        fetched: frozenset[int],
        cache: TileCache | None = None,
        before_pixels: Callable[[], object] | None = None,
    ) -> None:
        """Read the header; pixels are read on demand.

        Args:
            source: The file, or its bytes.
            fetched: Indices of the fetched COG tiles, including those that the publisher left empty.
            cache: Cache of decoded tiles; with None, tiles are decoded again at every read.
            before_pixels: Called before pixels are read, to compare the file with what is said of it.

        Raises:
            DamagedLake: When the file cannot be opened, is not a sparse GeoTIFF, or lacks bytes.
        """
        self.source, self.fetched, self.cache, self.before_pixels = source, fetched, cache, before_pixels
        self._token = object()
        try:
            size = len(source) if isinstance(source, bytes) else source.stat().st_size
            # Strips are accepted, because a file in the lake has passed the gate.
            self.header = read_header(self._bytes, size, strips=True)
        except OSError as error:
            raise DamagedLake(self.name, error.strerror or str(error)) from error
        except HeaderRefused as refusal:
            raise DamagedLake(self.name, str(refusal)) from refusal
        ends = (offset + count for offset, count in zip(self.header.offsets, self.header.counts) if count)
        if max(ends, default=0) > size:
            raise DamagedLake(self.name, f"its tiles end beyond its {size} bytes")

    def __reduce__(self) -> tuple[type["SparseTiff"], tuple[object, ...]]:
        return SparseTiff, (self.source, self.fetched, self.cache, self.before_pixels)

    def with_cache(self, cache: TileCache) -> "SparseTiff":
        """This file, which keeps the tiles that it decodes in a cache."""
        return SparseTiff(self.source, self.fetched, cache, self.before_pixels)

    def compare(self) -> None:
        """Compare the file with what is said of it, where something is."""
        if self.before_pixels is not None:
            self.before_pixels()

    def tile_bytes(self, index: int) -> bytes:
        """The publisher's bytes of a COG tile; none of a tile that the publisher left empty."""
        return self._bytes(self.header.offsets[index], self.header.counts[index])

    def leaf(self) -> Json:
        """Description of this file in a graph that reads it: its name, its dtype and the shape of its tiles."""
        return {"geotiff": self.name, "dtype": self.header.dtype, "chunks": list(self.header.block)}

    @property
    def name(self) -> str:
        """Scene folder and file name, for messages."""
        return "bytes in memory" if isinstance(self.source, bytes) else "/".join(self.source.parts[-2:])

    @property
    def grid(self) -> Grid:
        """The published file's whole pixel grid."""
        return self.header.grid

    def read(self, window: Window) -> NDArray[Any]:
        """The pixels of a window, as published.

        Args:
            window: Window within the file's extent.

        Returns:
            Digital numbers, the file's dtype in native byte order, dims (y, x). A COG tile that the publisher
            left empty is nodata, or 0 where the file states none.

        Raises:
            HoleError: When the window needs a COG tile that was not fetched.
            DamagedLake: When a COG tile does not decode.
            ValueError: When the window reaches beyond the file.
        """
        grid = self.header.grid
        if min(window.row, window.col, window.height, window.width) < 0 or (
            window.row + window.height > grid.height or window.col + window.width > grid.width
        ):
            raise ValueError(f"{window} leaves a file of {grid.height} x {grid.width} pixels")
        needed = tiles_for(self.header, window)
        holes = tuple(index for index in needed if index not in self.fetched)
        if holes:
            raise HoleError(self.name, holes)
        self.compare()
        out = np.empty((window.height, window.width), self.header.dtype)
        for index in needed:
            tile = self._tile(index)
            held = tile_window(self.header, index)
            top, left = max(held.row, window.row), max(held.col, window.col)
            bottom = min(held.row + held.height, window.row + window.height)
            right = min(held.col + held.width, window.col + window.width)
            out[top - window.row : bottom - window.row, left - window.col : right - window.col] = tile[
                top - held.row : bottom - held.row, left - held.col : right - held.col
            ]
        return out

    def _tile(self, index: int) -> NDArray[Any]:
        held = self.cache.get(self._token, index) if self.cache else None
        if held is not None:
            return held
        count = self.header.counts[index]
        if not count:
            return np.broadcast_to(_empty_pixel(self.header), self.header.block)
        try:
            tile = decode_tile(self.header, index, self._bytes(self.header.offsets[index], count))
        except (OSError, ValueError, RuntimeError) as error:
            raise DamagedLake(self.name, f"COG tile {index} does not decode ({error})") from error
        if self.cache:
            self.cache.put(self._token, index, tile)
        return tile

    def _bytes(self, offset: int, length: int) -> bytes:
        if isinstance(self.source, bytes):
            return self.source[offset : offset + length]
        # Opened for each read, so that threads share no position and hundreds of scenes hold no file handles.
        handle = os.open(self.source, os.O_RDONLY)
        try:
            return os.pread(handle, length, offset)
        finally:
            os.close(handle)


def _empty_pixel(header: Header) -> NDArray[Any]:
    """The pixel of COG tiles that the publisher left empty: as in GDAL, the dtype's value nearest to nodata."""
    dtype, nodata = np.dtype(header.dtype), header.nodata or 0.0
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.array(nodata, dtype)
    limits = np.iinfo(dtype)
    held = 0 if math.isnan(nodata) else min(max(nodata, limits.min), limits.max)
    return np.array(int(held + math.copysign(0.5, held)) if isinstance(held, float) else held, dtype)


def decode_tile(header: Header, index: int, data: bytes) -> NDArray[Any]:
    """Decode a COG tile.

    Args:
        header: The file's header.
        index: Index of the tile.
        data: The tile's compressed bytes.

    Returns:
        Digital numbers of the whole tile, padding included, native byte order, dims (y, x).

    Raises:
        ValueError: When the bytes do not decode to a whole tile.
        RuntimeError: When the bytes do not decompress.
    """
    dtype = np.dtype(header.dtype)
    stored = np.dtype(f"{header.tiff.order}{dtype.kind}{dtype.itemsize}")
    shape = tile_shape(header, index)
    size = shape[0] * shape[1] * dtype.itemsize
    if header.compression == LZW:
        # Imported only here: only files with LZW need the compiler.
        from mrv_assets.cog.lzw import lzw_is_sound

        if not lzw_is_sound(data, size):
            raise ValueError("its LZW stream has a code that is not defined")
    raw = data if header.compression == UNCOMPRESSED else _DECOMPRESS[header.compression](data, out=size)
    if len(raw) != size:
        raise ValueError(f"it has {len(raw)} bytes instead of {size}")
    decoded = np.frombuffer(raw, np.uint8)
    if header.predictor == FLOATING_POINT:
        # The predictor's byte order is big endian in every file; its result is native.
        return np.asarray(imagecodecs.floatpred_decode(decoded.view(dtype).reshape(shape), axis=-1))
    pixels = decoded.view(stored).reshape(shape).astype(dtype, copy=False)
    if header.predictor == DIFFERENCE:
        # The differences are those of the bit patterns, even for floating-point pixels.
        steps = pixels.view(f"u{dtype.itemsize}")
        return np.asarray(imagecodecs.delta_decode(steps, axis=-1)).view(dtype)
    return pixels
