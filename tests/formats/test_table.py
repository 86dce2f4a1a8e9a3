"""parcels.parquet: typed, documented columns; missing is null."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely

from mrv_assets.formats.table import column_meaning, write_parcels

ROW = {"parcel_id": "a", "part": None, "parcel_area_ha": 1.0, "n_obs": 3, "substituted": False, "ndvi_mean": 0.5}


def test_any_reader_sees_types_units_sources_and_nulls(tmp_path: Path) -> None:
    """A column that is missing everywhere keeps its type; units and sources travel with the file."""
    path = tmp_path / "parcels.parquet"
    rows = [ROW, {**ROW, "parcel_id": "b", "ndvi_mean": None}]

    write_parcels(path, rows, np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 1, 2, 2)], dtype=object))

    schema = pq.read_schema(path)
    table = pq.read_table(path)
    assert str(schema.field("part").type) == "string"
    assert table["part"].null_count == 2
    assert table["ndvi_mean"].to_pylist() == [0.5, None]
    assert schema.field("parcel_area_ha").metadata[b"unit"] == b"ha"
    assert all(field.name == "geometry" or field.metadata[b"source"] for field in schema)
    assert b'"version":"1.1.0"' in schema.metadata[b"geo"].replace(b" ", b"")
    assert gpd.read_parquet(path).crs == "OGC:CRS84"


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of when or where is written."""
    polygons = np.array([shapely.box(0, 0, 1, 1)], dtype=object)

    write_parcels(tmp_path / "a", [ROW], polygons)
    write_parcels(tmp_path / "b", [ROW], polygons)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_column_without_a_meaning_is_refused() -> None:
    """Every column of the table is documented."""
    with pytest.raises(KeyError, match="mood"):
        column_meaning("mood")
