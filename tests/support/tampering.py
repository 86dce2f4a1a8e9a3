"""Builders of tampered lakes: copies of the demo's months, bytes changed in them, and what `verify` finds then."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from demo_lake import TILE
from groups import said_again
from stage_names import PRODUCT, STAGES
from tables import read_rows

from mrv_assets.audit.canonical import canonical, digest
from mrv_assets.audit.content import table_content, values_sha256
from mrv_assets.audit.record import Partition
from mrv_assets.formats.arrays import RASTERS
from mrv_assets.formats.artifacts import DECISION, PREVIEW
from mrv_assets.formats.table import TABLE
from mrv_assets.lake.layout import LAKE, Slot
from mrv_assets.lake.runs import run_id, stored_files
from mrv_assets.reports.verify import answer as verify
from mrv_assets.verify.verification import Options

Json = dict[str, Any]

BLOCK_ROWS, BLOCK_COLS = slice(9216, 10240), slice(8192, 9216)
"""The demo's one active block, in pixels."""

ASSETS = (*(f"sentinel2/{stage}" for stage in STAGES), PRODUCT)
"""Upstream first."""
RAW, ALIGNED, MASKED, INDICES, GATED = ASSETS[:5]

PASSED, REJECTED = "2018-09", "2018-11"
"""Months of the demo, of two scenes each: one that the gate passed, and one that it rejected."""


def a_copy(lake: Path, folder: Path, *months: str) -> Path:
    """A lake that has some months of another; every file is its own."""
    folder.mkdir(parents=True)
    shutil.copy2(lake / "lake.json", folder)
    for asset in ASSETS:
        for month in months:
            shutil.copytree(lake / asset / TILE / month, folder / asset / TILE / month)
    return folder


def partition(lake: Path, asset: str, month: str) -> Path:
    """The folder of one asset's month."""
    return lake / asset / TILE / month


def data_of(lake: Path, asset: str, month: str) -> Path:
    """The data of an asset's month that has one."""
    [folder] = (partition(lake, asset, month) / "data").iterdir()
    return folder


def the_only(folder: Path) -> Path:
    """The one document in a folder."""
    [path] = folder.glob("*.json")
    return path


def flip(path: Path, offset: int | None = None, bits: int = 1) -> Path:
    """Change one byte of a file, by default in its middle; doing it twice undoes it."""
    place = path.stat().st_size // 2 if offset is None else offset
    # In place: cutting a file off first, to write it anew, waits for the disk.
    with path.open("r+b") as file:
        file.seek(place)
        [byte] = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ bits]))
    return path


def kind(root: Path, path: Path) -> str:
    """What a file is, in a word."""
    name = path.relative_to(root).as_posix()
    if name == LAKE:
        return name
    of, _, _ = name.partition(f"{TILE}/")[2].partition("/")[2].partition("/")
    suffix = "chunk" if "/c/" in name else path.suffix
    return f"data {suffix}" if of == "data" else of


def findings(lake: Path, **wanted: str) -> list[Json]:
    """What `verify` finds in a lake or a part of it."""
    found: list[Json] = verify(lake, Options(**wanted), again=False, progress=quiet)["findings"]
    return found


def quiet(name: str, done: int, of: int) -> None:
    """Progress that nobody watches."""


def names(found: list[Json], tampered: Path | str) -> bool:
    """Whether any finding's object is a path in the lake, or lies below it."""
    return any(f"{finding['object']}/".startswith(f"{tampered}/") for finding in found)


def put(folder: Path, document: Any) -> Path:
    """A document under the SHA-256 of its canonical bytes."""
    data = canonical(document)
    path = folder / f"{sha256(data).hexdigest()}.json"
    path.write_bytes(data)
    return path


def rewrite_run(path: Path, edit: Callable[[Json], None]) -> Path:
    """Edit a run record, and give it the name that it must have then."""
    document = json.loads(path.read_bytes())
    edit(document)
    path.unlink()
    path = path.with_name(f"{run_id(document)}.json")
    path.write_bytes(canonical(document))
    return path


def accept(lake: Path, asset: str, month: str) -> None:
    """Make a run record say that what lies in the data now is what was written."""
    stored = stored_files(data_of(lake, asset, month))
    rewrite_run(the_only(partition(lake, asset, month) / "runs"), lambda run: run.update(stored=stored))


def forge(lake: Path, asset: str, month: str, edit: Callable[[Path, Json], None]) -> None:
    """Change an asset's data or record, and make every digest, name and downstream record fit again.

    Args:
        lake: A lake whose months have one record each.
        asset: Which asset.
        month: Which month.
        edit: Given the data's folder and the record's document; what it changes in the output and does not follow
            from the data stays as it leaves it.
    """
    replaced: dict[str, str] = {}
    for each in ASSETS[ASSETS.index(asset) :]:
        slot = Slot(lake, Partition(each, TILE, month))
        data, path = data_of(lake, each, month), the_only(slot.folder / "records")
        document = json.loads(path.read_bytes())
        if each == asset:
            edit(data, document)
            say_again(data, document["output"])
        document["inputs"] = {name: _replaced(value, replaced) for name, value in document["inputs"].items()}
        path.unlink()
        made = put(slot.folder / "records", document)
        replaced[path.stem] = made.stem
        data = data.rename(slot.data(digest(document["output"])))
        request = digest({name: value for name, value in document.items() if name != "output"})
        the_only(slot.folder / "requests").unlink()
        slot.request(request).write_bytes(canonical({"record": made.stem}))
        slot.head(1).write_bytes(canonical({"record": made.stem, "previous": None}))
        of = {"record": made.stem, "request": request, "data": data.name, "stored": stored_files(data)}
        rewrite_run(the_only(slot.folder / "runs"), lambda run, of=of: run.update(of))


def _replaced(value: Any, replaced: dict[str, str]) -> Any:
    return replaced.get(value, value) if isinstance(value, str) else value


def say_again(data: Path, output: Json) -> None:
    """Make an output say what its data says now."""
    if "files" in output:
        output["files"] = stored_files(data)
    if "arrays" in output:
        output.update(said_again(data))
    if "rasters" in output:
        output["rasters"] = said_again(data / RASTERS)
    if "table" in output:
        output["table"] = table_content(read_rows(data / TABLE), output["table"]["key"])
    if "decision_sha256" in output:
        output["decision_sha256"] = sha256((data / DECISION).read_bytes()).hexdigest()
    if PREVIEW in output:
        output[PREVIEW] = _said_of_picture(data / PREVIEW)


def _said_of_picture(path: Path) -> Json:
    import numpy as np
    from PIL import Image

    with Image.open(path) as opened:
        pixels = np.asarray(opened)
    return {"shape": list(pixels.shape), "pixels_sha256": values_sha256(pixels)}
