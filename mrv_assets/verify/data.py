"""Data against what its record says of it, whatever bytes say it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from mrv_assets.audit.canonical import sha256
from mrv_assets.audit.record import Record
from mrv_assets.errors import DamagedLake
from mrv_assets.formats.artifacts import DECISION, MAX_DOCUMENT_BYTES, PREVIEW
from mrv_assets.formats.files import NAMED_BY, file_bytes
from mrv_assets.lake.files import walk
from mrv_assets.lake.runs import stored_files
from mrv_assets.scenes.item import item_digest
from mrv_assets.verify.finding import text_of

if TYPE_CHECKING:
    from mrv_assets.formats.stored_arrays import StoredArrays

AS_SAID = "what its record says"

_Compared = Iterator[tuple[str, str, object, object]]
"""Place below the data, what is compared, expected, found."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference between data and its record."""

    path: str
    """Path below the data, with a leading slash; empty for all of it."""
    what: str
    expected: str
    found: str


def differences(record: Record) -> Iterator[Difference]:
    """Compare what a record's data says with what the record says of it."""
    from mrv_assets.formats.arrays import RASTERS
    from mrv_assets.formats.stored_arrays import StoredArrays

    output = record.output
    compared: dict[str, Callable[[], _Compared]] = {
        "files": lambda: _files(record),
        "arrays": lambda: _arrays(StoredArrays.of(record), ""),
        "rasters": lambda: _arrays(StoredArrays.rasters_of(record), f"/{RASTERS}"),
        "table": lambda: _table(record),
        "decision_sha256": lambda: _decision(record),
        PREVIEW: lambda: _picture(record),
    }
    said = [compare for part, compare in compared.items() if part in output]
    if not said:
        yield Difference(path="", what="its record says what it is", expected="digests", found="none")
    for compare in (lambda: _listing(record), *said):
        try:
            for path, what, expected, found in compare():
                if expected != found:
                    yield Difference(path=path, what=what, expected=text_of(expected), found=text_of(found))
        except Exception as error:
            # Decoders of damaged files raise whatever they like, and what a forged record says has any shape.
            failure = text_of(f"{type(error).__name__}: {error}")
            yield Difference(path="", what="can be read", expected="whole data", found=failure)


def _listing(record: Record) -> _Compared:
    """Every file that is there has a place in what the record says."""
    expected = set(_expected_files(record))
    found = {path.relative_to(record.data).as_posix() for path, _ in walk(record.data, lambda _: None)}
    for path in sorted(expected | found):
        meant, there = ("a file" if path in names else "no file" for names in (expected, found))
        yield f"/{path}", "is there", meant, there


def _expected_files(record: Record) -> Iterator[str]:
    from mrv_assets.formats.arrays import RASTERS
    from mrv_assets.formats.stored_arrays import StoredArrays
    from mrv_assets.formats.table import TABLE

    output = record.output
    if "files" in output:
        yield from output["files"]
    if "arrays" in output:
        yield from StoredArrays.of(record).files()
    if "rasters" in output:
        yield from (f"{RASTERS}/{path}" for path in StoredArrays.rasters_of(record).files())
    names = {"table": TABLE, "decision_sha256": DECISION, PREVIEW: PREVIEW}
    yield from (name for part, name in names.items() if part in output)


def _files(record: Record) -> _Compared:
    """Files of raw tiles: their bytes, the items that the record names, and each COG tile that was fetched."""
    from mrv_assets.formats.artifacts import observations_of
    from mrv_assets.formats.stored_scenes import item_name, scene_item, tile_digests

    files = record.output["files"]
    # Compared with the run record just before, byte for byte.
    stored = stored_files(record.data, remembered=True)
    for path in sorted({*files, *stored}):
        yield f"/{path}", "bytes", files.get(path), stored.get(path)
    if not record.evaluated or files != stored:
        return
    scenes = [scene for observation in observations_of(record) for scene in observation["scenes"]]
    said = {item["id"]: item["item_sha256"] for item in record.inputs["items"]}
    used = {scene["id"] for scene in scenes}
    refused = {entry["id"] for entry in record.output["refused"]}
    yield "", "scenes", sorted(said), sorted(used | refused)
    for scene in scenes:
        found = item_digest(scene_item(record, scene))
        yield f"/{item_name(scene)}", "is the item of the record", said.get(scene["id"]), found
        for band in scene["bands"].values():
            meant = dict(zip(map(str, band["fetched"]), band["sha256"], strict=True))
            yield f"/{band['file']}", "COG tiles", meant, tile_digests(record, band)


def _arrays(arrays: "StoredArrays", below: str) -> _Compared:
    """The arrays of a group, compared as every reader compares them."""
    for damaged in arrays.check():
        path = damaged.object_name.removeprefix("/".join(arrays.folder.parts[-NAMED_BY:]))
        yield f"{below}{path}", "content", AS_SAID, damaged.reason
    wkt = arrays.reference()
    crs = arrays.grid.crs
    yield f"{below}/spatial_ref", "CRS", crs, crs if _means(wkt, crs) else wkt


@lru_cache(maxsize=64)
def _means(wkt: str, crs: str) -> bool:
    """Whether a CRS, as one version of PROJ words it, is the one of a name."""
    from pyproj import CRS

    return bool(CRS.from_wkt(wkt) == CRS.from_user_input(crs))


def _table(record: Record) -> _Compared:
    """The table, compared as every reader compares it."""
    from mrv_assets.formats.stored_table import StoredTable
    from mrv_assets.formats.table import TABLE

    try:
        StoredTable(record).table  # noqa: B018  # compared when it is read
    except DamagedLake as damaged:
        yield f"/{TABLE}", "content", AS_SAID, damaged.reason


def _decision(record: Record) -> _Compared:
    output = record.output
    stored, _ = file_bytes(record.data, DECISION, MAX_DOCUMENT_BYTES)
    yield f"/{DECISION}", "bytes", output["decision_sha256"], sha256(stored)
    if sha256(stored) == output["decision_sha256"]:
        decision = json.loads(stored)
        for part in sorted({*output} & {*decision}):
            yield f"/{DECISION}", f"{part} as in the record", output[part], decision[part]


def _picture(record: Record) -> _Compared:
    from mrv_assets.formats.picture import stored_picture

    try:
        stored_picture(record)
    except DamagedLake as damaged:
        yield f"/{PREVIEW}", "content", AS_SAID, damaged.reason
