"""Builders of lakes that say, consistently, something else than their raw tiles give."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from block_scenes import MONTH, TILE
from PIL import Image
from small_month import MIDDLE
from tables import read_outlines, read_rows
from tampering import ASSETS, put, rewrite_run, the_only

from mrv_assets.audit.canonical import canonical, digest
from mrv_assets.audit.record import Partition
from mrv_assets.formats.artifacts import DECISION, PREVIEW
from mrv_assets.formats.table import TABLE, write_parcels
from mrv_assets.lake.layout import Slot

Json = dict[str, Any]
Edit = Callable[[Path, Json], None]
"""Changes an asset's data or its record's document, as ``forge`` wants it."""


def stored(
    name: str,
    change: Callable[[Any], Any],
    *,
    group: str = ".",
    at: tuple[int, int] = (MIDDLE, MIDDLE),
    timed: bool = True,
) -> Edit:
    """Change one stored value of an array; unless told otherwise, in the parcel that lies over all leaves."""

    def edit(data: Path, document: Json) -> None:
        array = zarr.open_group(data / group, mode="r+")[name]
        place = (0, *at) if timed else at
        assert isinstance(array, zarr.Array)
        array[place] = change(np.asarray(array[place])[()])

    return edit


def column(name: str, change: Callable[[Any], Any]) -> Edit:
    """Change one value in the first row of the table."""

    def edit(data: Path, document: Json) -> None:
        rows, outlines = read_rows(data / TABLE), read_outlines(data / TABLE)
        rows[0][name] = change(rows[0][name])
        (data / TABLE).unlink()
        write_parcels(data / TABLE, rows, outlines)

    return edit


def decided(change: Callable[[Json], None]) -> Edit:
    """Change a decision, and what the record repeats of it."""

    def edit(data: Path, document: Json) -> None:
        decision = json.loads((data / DECISION).read_bytes())
        change(decision)
        (data / DECISION).write_bytes(canonical(decision))
        document["output"]["coverage"] = decision["coverage"]

    return edit


def said(change: Callable[[Json], None]) -> Edit:
    """Change what only the record says of its output."""
    return lambda data, document: change(document["output"])


def painted(by: int) -> Edit:
    """Change one channel of one pixel of the preview."""

    def edit(data: Path, document: Json) -> None:
        with Image.open(data / PREVIEW) as opened:
            pixels = np.array(opened)
        before = int(pixels[5, 5, 0])
        pixels[5, 5, 0] = before + by if before < 128 else before - by
        Image.fromarray(pixels).save(data / PREVIEW)

    return edit


def both(*edits: Edit) -> Edit:
    """Several changes at once."""

    def edit(data: Path, document: Json) -> None:
        for one in edits:
            one(data, document)

    return edit


def give_to_mission(lake: Path, mission: str) -> None:
    """Let all of a lake's records be of another mission than sentinel2, each hash and name made to fit."""
    (lake / "sentinel2").rename(lake / mission)
    replaced = {'"sentinel2/': f'"{mission}/'}
    for asset in (each.replace("sentinel2/", f"{mission}/") for each in ASSETS):
        slot = Slot(lake, Partition(asset, TILE, MONTH))
        path = the_only(slot.folder / "records")
        text = path.read_text()
        for old, new in replaced.items():
            text = text.replace(old, new)
        document = json.loads(text)
        data = slot.data(digest(document["output"]))
        if "decisions" in document["output"]:
            document["output"] |= {"mission": mission, "decisions": {mission: "PASSED"}}
        data = data.rename(slot.data(digest(document["output"])))
        path.unlink()
        made = put(slot.folder / "records", document).stem
        replaced[path.stem] = made
        request = digest({name: value for name, value in document.items() if name != "output"})
        the_only(slot.folder / "requests").unlink()
        slot.request(request).write_bytes(canonical({"record": made}))
        slot.head(1).write_bytes(canonical({"record": made, "previous": None}))
        of = {"asset": asset, "record": made, "request": request, "data": data.name}
        rewrite_run(the_only(slot.folder / "runs"), lambda run, of=of: run.update(of))


Snapshot = dict[str, tuple[int, bytes | None]]


def snapshot(lake: Path) -> Snapshot:
    """Every file and folder of a lake, hidden ones too: when it was last changed, and its bytes."""
    return {
        path.relative_to(lake).as_posix(): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in (lake, *sorted(lake.rglob("*")))
    }
