"""GeoParquet: geopandas and pyarrow read the rows of the lake's own tables."""

import json
from pathlib import Path

import geopandas as gpd
import pyarrow.parquet as pq
import pytest
from block_scenes import TILE
from export_months import NO_NBR, Export, expected_rows

from mrv_assets.deployment import Deployment
from mrv_assets.lake.view import open_parcels


def test_geoparquet_has_every_row_of_every_month_exactly(
    deployment: Deployment, export: Export, tmp_path: Path
) -> None:
    """Values, nulls, outlines and CRS are the lake's; each row says of which record it is."""
    answer = export("geoparquet")

    table = pq.read_table(tmp_path / "out" / "parcels.parquet")
    frame = gpd.read_parquet(tmp_path / "out" / "parcels.parquet")
    assert table.drop_columns(["geometry"]).to_pylist() == expected_rows(deployment)
    assert frame.crs.equals("OGC:CRS84")
    assert json.loads(table.schema.metadata[b"geo"])["version"] == "1.1.0"
    of_lake = open_parcels(deployment.lake, TILE, NO_NBR).set_index("parcel_id").geometry
    for parcel, outline in frame.set_index("parcel_id").geometry.items():
        assert outline.equals_exact(of_lake[parcel], 0)
    box = json.loads(table.schema.metadata[b"geo"])["columns"]["geometry"]["bbox"]
    assert box == pytest.approx(list(frame.total_bounds), abs=1e-12)
    assert answer["rows"] == {"below_coverage": 2, "no_data": 4, "ok": 6}
