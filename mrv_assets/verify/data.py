"""Data against what its record says of it, whatever bytes say it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mrv_assets.audit.canonical import Json, sha256
from mrv_assets.audit.content import table_content, values_sha256
from mrv_assets.audit.record import Record
from mrv_assets.formats.artifacts import DECISION, PREVIEW
from mrv_assets.lake.runs import stored_files
from mrv_assets.verify.finding import text_of

LONLAT = "OGC:CRS84"
"""CRS of the outlines in a table."""

_Compared = Iterator[tuple[str, str, object, object]]
"""Place below the data, what is compared, expected, found."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that data does not say as its record has it."""

    path: str
    """Path below the data, with a leading slash; empty for all of it."""
    what: str
    expected: str
    found: str


def differences(record: Record) -> Iterator[Difference]:
    """Compare what a record's data says with what the record says of it."""
    output, plan = record.output, record.document["plan"]
    compared: dict[str, Callable[[], _Compared]] = {
        "files": lambda: _files(record.data, output["files"]),
        "arrays": lambda: _group(record.data, "", output, plan),
        "rasters": lambda: _rasters(record.data, output["rasters"], plan),
        "table": lambda: _table(record.data, output["table"]),
        "decision_sha256": lambda: _decision(record.data, output),
        PREVIEW: lambda: _picture(record.data, output[PREVIEW]),
    }
    said = [compare for part, compare in compared.items() if part in output]
    if not said:
        yield Difference(path="", what="its record says what it is", expected="digests", found="none")
    for compare in said:
        try:
            for path, what, expected, found in compare():
                if expected != found:
                    yield Difference(path=path, what=what, expected=text_of(expected), found=text_of(found))
        except Exception as error:
            # Decoders of damaged files raise whatever they like, and what a forged record says has any shape.
            failure = text_of(f"{type(error).__name__}: {error}")
            yield Difference(path="", what="can be read", expected="whole data", found=failure)


def _files(data: Path, files: Json) -> _Compared:
    stored = stored_files(data)
    for path in sorted({*files, *stored}):
        yield f"/{path}", "bytes", files.get(path), stored.get(path)


def _rasters(data: Path, content: Json, plan: Json) -> _Compared:
    from mrv_assets.formats.arrays import RASTERS

    yield from _group(data / RASTERS, f"/{RASTERS}", content, plan)


def _group(folder: Path, path: str, content: Json, plan: Json) -> _Compared:
    from mrv_assets.formats.arrays import BlockArrays

    arrays = BlockArrays(folder)
    meant, described = _meant(content, plan), _described(folder)
    for variable in sorted({*meant, *described}):
        yield f"{path}/{variable}", "type, shape and dims", meant.get(variable), described.get(variable)
    if meant != described:
        # What was given another shape may ask for any amount of memory.
        return
    stored = arrays.content()
    for part in ("attrs", "times_us", "coordinates"):
        yield path, part, content[part], stored[part]
    for variable, expected in sorted(content["arrays"].items()):
        for part in sorted({*expected, *stored["arrays"][variable]}):
            yield f"{path}/{variable}", part, expected.get(part), stored["arrays"][variable].get(part)
    wkt, transform = arrays.georeference()
    x0, y0, *_ = plan["grid"]
    step = plan["resolution_m"]
    yield f"{path}/spatial_ref", "CRS", plan["crs"], plan["crs"] if _means(wkt, plan["crs"]) else wkt
    corner = [float(value) for value in (x0, step, 0, y0, 0, -step)]
    yield f"{path}/spatial_ref", "GeoTransform", corner, [float(value) for value in transform.split()]


def _meant(content: Json, plan: Json) -> Json:
    """Type, shape and dims of every array that a group must have, and of nothing else."""
    _, _, width, height = plan["grid"]
    sizes = {"time": ("int64", len(content["times_us"])), "y": ("float64", height), "x": ("float64", width)}
    coordinates = {name: [dtype, [size], [name]] for name, (dtype, size) in sizes.items()}
    variables = {
        name: [said["dtype"], said["shape"], ["time", "y", "x"][-len(said["shape"]) :]]
        for name, said in content["arrays"].items()
    }
    return {**coordinates, **variables, "spatial_ref": ["int64", [], [], ["GeoTransform", "crs_wkt"]]}


def _described(folder: Path) -> Json:
    """The same as the group's own description has it; nothing is decoded for it."""
    import zarr

    described: Json = {}
    for name, array in zarr.open_group(folder, mode="r").members():
        if not isinstance(array, zarr.Array):
            described[name] = "a group"
            continue
        dims = getattr(array.metadata, "dimension_names", None)
        described[name] = [str(array.dtype), list(array.shape), list(dims or ())]
        if name == "spatial_ref":
            # Readers prefer other spellings of the CRS where there are some.
            described[name].append(sorted(array.attrs))
    return described


@lru_cache(maxsize=64)
def _means(wkt: str, crs: str) -> bool:
    """Whether a CRS, as one version of PROJ words it, is the one of a name."""
    from pyproj import CRS

    return bool(CRS.from_wkt(wkt) == CRS.from_user_input(crs))


def _table(data: Path, content: Json) -> _Compared:
    import geopandas as gpd

    from mrv_assets.formats.table import TABLE, read_rows
    from mrv_assets.science.tiles import geom_sha256

    rows = read_rows(data / TABLE)
    stored = table_content(rows, content["key"])
    for part in sorted({*content, *stored}):
        yield f"/{TABLE}", part, content.get(part), stored.get(part)
    outlines = gpd.read_parquet(data / TABLE, columns=["geometry"]).geometry
    digests = [geom_sha256(outline) for outline in outlines]
    yield f"/{TABLE}", "outlines", [row["geom_sha256"] for row in rows], digests
    crs = outlines.crs.to_wkt() if outlines.crs else "none"
    yield f"/{TABLE}", "CRS of the outlines", LONLAT, LONLAT if _means(crs, LONLAT) else crs


def _decision(data: Path, output: Json) -> _Compared:
    stored = (data / DECISION).read_bytes()
    yield f"/{DECISION}", "bytes", output["decision_sha256"], sha256(stored)
    if sha256(stored) == output["decision_sha256"]:
        decision = json.loads(stored)
        for part in sorted({*output} & {*decision}):
            yield f"/{DECISION}", f"{part} as in the record", output[part], decision[part]


def _picture(data: Path, content: Json) -> _Compared:
    import numpy as np
    from PIL import Image

    with Image.open(data / PREVIEW) as opened:
        pixels = np.asarray(opened)
    yield f"/{PREVIEW}", "shape", content["shape"], list(pixels.shape)
    yield f"/{PREVIEW}", "pixels", content["pixels_sha256"], values_sha256(pixels)
