"""Edits of an asset's data: each changes one thing that a reader would take for true, or nothing that any would see."""

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from PIL import Image
from pyproj import CRS
from tampering import BLOCK_COLS, BLOCK_ROWS, Json, flip


def chunk_of(data: Path, variable: str) -> Path:
    """A chunk of a variable."""
    return sorted(data.glob(f"{variable}/c/**/[0-9]*"))[-1]


def described(data: Path, variable: str, edit: Callable[[Json], None]) -> None:
    """Edit the description of an array or, without a name, of the group."""
    path = data / variable / "zarr.json"
    document = json.loads(path.read_bytes())
    edit(document)
    path.write_text(json.dumps(document))


def another_value(data: Path) -> None:
    """Add one unit to one pixel."""
    array = zarr.open_group(data, mode="r+")["ndvi"]
    values = array[:, BLOCK_ROWS, BLOCK_COLS]
    seen = np.argwhere(values != -32768)
    values[tuple(seen[len(seen) // 2])] += 1
    array[:, BLOCK_ROWS, BLOCK_COLS] = values


def no_chunk(data: Path) -> None:
    """Lose a chunk: it reads as fill."""
    chunk_of(data, "ndvi").unlink()


def a_chunk_elsewhere(data: Path) -> None:
    """Write a chunk where there was none."""
    target = data / "ndvi" / "c" / "0" / "0" / "0"
    target.parent.mkdir(parents=True)
    shutil.copy(chunk_of(data, "ndvi"), target)


def another_scale(data: Path) -> None:
    """Halve every index."""
    described(data, "ndvi", lambda one: one["attributes"].update(scale_factor=0.00005))


def another_fill(data: Path) -> None:
    """Let gaps read as values."""
    described(data, "ndvi", lambda one: one.update(fill_value=5000))


def another_type(data: Path) -> None:
    """Read the same bytes as another type."""
    described(data, "ndvi", lambda one: one.update(data_type="uint16", fill_value=32768))


def dims_swapped(data: Path) -> None:
    """Turn the map over its diagonal."""
    described(data, "ndvi", lambda one: one.update(dimension_names=["time", "x", "y"]))


def an_endless_coordinate(data: Path) -> None:
    """Ask whoever reads it for terabytes."""
    described(data, "time", lambda one: one.update(shape=[10**12]))


def another_time(data: Path) -> None:
    """Move the first observation by a day."""
    array = zarr.open_group(data, mode="r+")["time"]
    array[0] = array[0] + 86_400_000_000


def another_column(data: Path) -> None:
    """Move the map by a pixel."""
    array = zarr.open_group(data, mode="r+")["x"]
    array[:] = array[:] + 10


def another_unit(data: Path) -> None:
    """Call metres kilometres."""
    described(data, "x", lambda one: one["attributes"].update(units="km"))


def another_crs(data: Path) -> None:
    """Move the map to another zone."""
    described(data, "spatial_ref", lambda one: one["attributes"].update(crs_wkt=_utm(35)))


def a_second_crs(data: Path) -> None:
    """Say another CRS in the words that some readers look for first."""
    described(data, "spatial_ref", lambda one: one["attributes"].update(spatial_ref=_utm(35)))


def _utm(zone: int) -> str:
    return str(CRS.from_epsg(32600 + zone).to_wkt())


def another_corner(data: Path) -> None:
    """Move the map's corner."""
    described(data, "spatial_ref", lambda one: one["attributes"].update(GeoTransform="0.0 10.0 0.0 0.0 0.0 -10.0"))


def another_mission(data: Path) -> None:
    """Edit an attribute of the group."""
    described(data, "", lambda one: one["attributes"].update(mission="landsat"))


def a_variable_too_many(data: Path) -> None:
    """Add an index that nobody computed."""
    shutil.copytree(data / "ndvi", data / "evi2")


def a_variable_too_few(data: Path) -> None:
    """Take an index away."""
    shutil.rmtree(data / "evi")


def no_group(data: Path) -> None:
    """Leave arrays without the group that they are in."""
    (data / "zarr.json").write_text("{}")


def a_broken_chunk(data: Path) -> None:
    """Make a chunk that no codec reads."""
    chunk_of(data, "ndvi").write_bytes(b"no blosc")


def table(data: Path, edit: Callable[[pa.Table], pa.Table]) -> None:
    """Edit the table."""
    pq.write_table(edit(pq.read_table(data / "parcels.parquet")), data / "parcels.parquet")


def another_mean(data: Path) -> None:
    """Raise a parcel's NDVI by 0.01."""

    def edit(rows: pa.Table) -> pa.Table:
        values = rows["ndvi_mean"].to_pylist()
        at = rows.column_names.index("ndvi_mean")
        return rows.set_column(at, rows.field(at), pa.array([values[0] + 0.01, *values[1:]], pa.float64()))

    table(data, edit)


def a_row_less(data: Path) -> None:
    """Drop a parcel."""
    table(data, lambda rows: rows.slice(1))


def outlines_changed(data: Path) -> None:
    """Move the parcels, and keep their rows."""
    frame = gpd.read_parquet(data / "parcels.parquet")
    frame["geometry"] = frame.geometry.translate(0.001, 0)
    frame.to_parquet(data / "parcels.parquet", index=False, schema_version="1.1.0")


def outlines_in_another_crs(data: Path) -> None:
    """Say that degrees are metres."""
    frame = gpd.read_parquet(data / "parcels.parquet").set_crs("EPSG:3857", allow_override=True)
    frame.to_parquet(data / "parcels.parquet", index=False, schema_version="1.1.0")


def another_composite(data: Path) -> None:
    """Change the last bit of a pixel of the month."""
    array = zarr.open_group(data / "rasters.zarr", mode="r+")["ndvi"]
    values = array[BLOCK_ROWS, BLOCK_COLS]
    place = tuple(np.argwhere(~np.isnan(values))[0])
    values[place] = np.nextafter(values[place], np.float32(2))
    array[BLOCK_ROWS, BLOCK_COLS] = values


def another_picture(data: Path) -> None:
    """Colour a pixel."""
    with Image.open(data / "preview.png") as opened:
        pixels = np.array(opened)
    pixels[0, 0] = 0
    Image.fromarray(pixels).save(data / "preview.png")


def another_decision(data: Path) -> None:
    """Say that the threshold was another."""
    text = (data / "decision.json").read_text()
    (data / "decision.json").write_text(text.replace('"min_coverage":0.65', '"min_coverage":0.05'))


def another_scene(data: Path) -> None:
    """Change a published byte."""
    flip(sorted(data.glob("*/red.tif"))[0])


def another_file(data: Path) -> None:
    """Add a scene that was not published."""
    folder = sorted(path for path in data.iterdir() if path.is_dir())[0]
    shutil.copytree(folder, folder.with_name("S2_made_up"))


def in_another_codec(data: Path) -> None:
    """Store the same values in smaller chunks and without compression."""
    group = zarr.open_group(data, mode="r+")
    old = group["ndvi"]
    values, shape, attrs = old[:, BLOCK_ROWS, BLOCK_COLS], old.shape, dict(old.attrs)
    shutil.rmtree(data / "ndvi")
    array = group.create_array(
        "ndvi",
        shape=shape,
        dtype=values.dtype,
        chunks=(shape[0], 512, 512),
        fill_value=-32768,
        compressors=None,
        dimension_names=("time", "y", "x"),
        attributes=attrs,
    )
    array[:, BLOCK_ROWS, BLOCK_COLS] = values


def as_another_png(data: Path) -> None:
    """Store the same pixels in other bytes."""
    with Image.open(data / "preview.png") as opened:
        pixels = np.array(opened)
    Image.fromarray(pixels).save(data / "preview.png", compress_level=0)


def consolidated(data: Path) -> None:
    """Put metadata into the group that some readers take for those of the arrays, with a tenth of the scale."""
    described(data, "", lambda group: group.update(consolidated_metadata=_consolidated(data)))


def consolidated_rasters(data: Path) -> None:
    """The same in the month's rasters."""
    consolidated(data / "rasters.zarr")


def _consolidated(data: Path) -> Json:
    array = json.loads((data / "ndvi" / "zarr.json").read_bytes())
    array["fill_value"] = 0
    array["attributes"]["scale_factor"] = 0.00001
    return {"kind": "inline", "must_understand": False, "metadata": {"ndvi": array}}


def a_chunk_under_another_key(data: Path) -> None:
    """Write a chunk where an older version of Zarr looks."""
    shutil.copy(chunk_of(data, "ndvi"), data / "ndvi" / "0.0.0")


def a_chunk_bomb(data: Path) -> None:
    """Let a chunk's header ask for gigabytes."""
    path = chunk_of(data, "ndvi")
    stored = bytearray(path.read_bytes())
    stored[4:8] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(stored)


def a_linked_chunk(data: Path) -> None:
    """Replace a chunk by a link to its copy."""
    path = chunk_of(data, "ndvi")
    aside = data.parents[5] / "aside"
    shutil.move(path, aside)
    path.symlink_to(aside)


def another_leaf(data: Path) -> None:
    """Change a digest in the list of leaves."""
    path = data / "ndvi" / "leaves.json"
    listed = json.loads(path.read_bytes())
    listed[next(iter(listed))] = "00" * 32
    path.write_text(json.dumps(listed, separators=(",", ":")))


def leaves_with_a_blank(data: Path) -> None:
    """Say the same in other words."""
    path = data / "ndvi" / "leaves.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()), separators=(", ", ": ")))


def variables_swapped(data: Path) -> None:
    """Give two indices each other's place."""
    (data / "ndvi").rename(data / "aside")
    (data / "evi").rename(data / "ndvi")
    (data / "aside").rename(data / "evi")


def swapped_by_pandas(data: Path) -> None:
    """Let pandas take one column for another."""

    def edit(rows: pa.Table) -> pa.Table:
        columns = [
            {"name": {"ndvi_mean": "evi_mean", "evi_mean": "ndvi_mean"}.get(name, name), "field_name": name,
             "pandas_type": "float64", "numpy_type": "float64", "metadata": None}
            for name in rows.column_names
        ]  # fmt: skip
        words = {"index_columns": [], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
        return rows.replace_schema_metadata({**rows.schema.metadata, b"pandas": json.dumps(words).encode()})

    table(data, edit)


def another_unit_of_a_column(data: Path) -> None:
    """Call a mean of NDVI tonnes."""

    def edit(rows: pa.Table) -> pa.Table:
        at = rows.column_names.index("ndvi_mean")
        field = rows.field(at).with_metadata({"unit": "tCO2e", "source": "mean"})
        return rows.set_column(at, field, rows.column(at))

    table(data, edit)


def a_word_in_the_table(data: Path) -> None:
    """Say something about the table that no stage says."""
    table(data, lambda rows: rows.replace_schema_metadata({**rows.schema.metadata, b"note": b"verified by nobody"}))


def another_type_of_a_column(data: Path) -> None:
    """Count in integers of half the size, which changes no number."""

    def edit(rows: pa.Table) -> pa.Table:
        at = rows.column_names.index("n_obs")
        field = rows.field(at).with_type(pa.int32())
        return rows.set_column(at, field, rows.column(at).cast(pa.int32()))

    table(data, edit)


def png_with(data: Path, kind: bytes, body: bytes) -> None:
    """Put a chunk into the picture, after its header."""
    path = data / "preview.png"
    stored = path.read_bytes()
    chunk = len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    path.write_bytes(stored[:33] + chunk + stored[33:])


def a_second_frame(data: Path) -> None:
    """Make the picture an animation."""
    png_with(data, b"acTL", (2).to_bytes(4, "big") + bytes(4))


def another_gamma(data: Path) -> None:
    """Let viewers brighten the picture."""
    png_with(data, b"gAMA", (20_000).to_bytes(4, "big"))


def bytes_after_the_end(data: Path) -> None:
    """Hide something behind the picture."""
    with (data / "preview.png").open("ab") as file:
        file.write(b"%!PS")


def a_file_of_nobody(data: Path) -> None:
    """Put a file beside the table."""
    (data / "notes.txt").write_text("verified")
