"""The files of raw tiles as they are stored, read by everyone through here: only those that their record names."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mrv_assets.audit.canonical import Json, sha256
from mrv_assets.audit.record import Record
from mrv_assets.cog.sparse_tiff import SparseTiff, TileCache
from mrv_assets.formats.files import MAX_FILE_BYTES, damaged, digest_of, file_bytes, opened_file


def item_name(scene: Json) -> str:
    """Path of a scene's stored item in the data: beside the files of its bands."""
    first, *_ = scene["bands"].values()
    return f"{first['file'].partition('/')[0]}/item.json"


def scene_item(raw: Record, scene: Json) -> Json:
    """A scene's STAC item, as its catalogue published it.

    Raises:
        DamagedLake: When its bytes are not those of the record.
    """
    name = item_name(scene)
    said = _said(raw, name)
    data, _ = file_bytes(raw.data, name, _limit(said))
    if sha256(data) != said["sha256"]:
        raise damaged(raw.data, name, "its bytes are not the ones its record speaks of")
    item: Json = json.loads(data)
    return item


def tile_digests(raw: Record, band: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of each fetched COG tile of a band's file, by its index; of nothing where the publisher left it empty.

    Raises:
        DamagedLake: When the file is not that of the record.
    """
    file = scene_tiff(raw, band)
    file.compare()
    return {str(index): sha256(file.tile_bytes(index)) for index in band["fetched"]}


def scene_tiff(raw: Record, band: Mapping[str, Any], cache: TileCache | None = None) -> SparseTiff:
    """The sparse GeoTIFF of a band of a scene; its bytes are compared before pixels are read, until it changes.

    Args:
        raw: The record of raw tiles.
        band: The band's entry in the record's scenes.
        cache: As for :class:`SparseTiff`.

    Raises:
        DamagedLake: When the record names no such file, or it is not a sparse GeoTIFF.
    """
    name = band["file"]
    said = _said(raw, name)
    # Its header is read at once: that it is a file of the folder has to be known before.
    with opened_file(raw.data, name, _limit(said)):
        pass
    compare = partial(check_file, raw.data, name, said["sha256"], _limit(said))
    return SparseTiff(raw.data / name, frozenset(band["fetched"]), cache, compare)


def check_file(folder: Path, name: str, expected: str, limit: int) -> None:
    """Compare a file of a folder of data with its SHA-256; it is read once, until it changes.

    Raises:
        DamagedLake: When its bytes are others.
    """
    with opened_file(folder, name, limit) as (file, identity):
        if digest_of(file, identity) != expected:
            raise damaged(folder, name, "its bytes are not the ones its record speaks of")


def _said(raw: Record, name: object) -> Json:
    """The record's entry for a file: its size and its SHA-256."""
    said = raw.output["files"].get(name) if isinstance(name, str) else None
    if not isinstance(said, dict):
        raise damaged(raw.data, str(name), "its record names no such file")
    return said


def _limit(said: Json) -> int:
    size = said.get("bytes")
    return min(size, MAX_FILE_BYTES) if isinstance(size, int) and size >= 0 else 0
