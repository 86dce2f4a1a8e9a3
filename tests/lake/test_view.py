"""Opening: each asset as the whole view its readers expect, and the table as anyone reads it."""

import json
import math
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr
from demo_lake import MONTHS, TILE, Demo

from mrv_assets.audit.record import Partition
from mrv_assets.errors import GateRefused, NotMaterialized
from mrv_assets.lake.view import open_parcels

PASSED, REJECTED = "2018-07", "2018-06"
SEEN = {"y": slice(9300, 9450), "x": slice(8950, 9120)}
"""The demo's ground on the tile's grid."""


def table_of(demo: Demo, month: str) -> Path:
    """The month's parcels.parquet."""
    return demo.lake.current(Partition("monthly_proxies", TILE, month)).data / "parcels.parquet"


def loaded(demo: Demo, asset: str, month: str = PASSED) -> xr.Dataset:
    """An opened asset over the demo's ground."""
    return demo.lake.open(asset, TILE, month).isel(SEEN).load()


@pytest.mark.parametrize(
    ("asset", "dims"),
    [
        ("sentinel2/aligned_tiles", ("time", "y", "x")),
        ("sentinel2/masked_tiles", ("time", "y", "x")),
        ("sentinel2/indices", ("time", "y", "x")),
        ("sentinel2/gated_tiles", ("time", "y", "x")),
        ("monthly_proxies", ("y", "x")),
    ],
)
def test_an_asset_opens_lazily_as_float32_on_the_tiles_grid(asset: str, dims: tuple[str, ...], demo: Demo) -> None:
    """Physical quantities are float32 and lazy, with the tile's coordinates, its CRS and the record's hash."""
    opened = demo.lake.open(asset, TILE, PASSED)

    physical = [name for name, values in opened.data_vars.items() if values.dtype.kind == "f"]
    assert physical
    for name, values in opened.data_vars.items():
        assert values.dims == dims, name
        assert values.chunks is not None, name
    assert {str(opened[name].dtype) for name in physical} == {"float32"}
    assert float(opened.x[0]) == 499985.0
    assert float(opened.y[0]) == 5099995.0
    assert "32634" in opened.spatial_ref.attrs["crs_wkt"]
    head = demo.lake.head(Partition(asset, TILE, PASSED))
    assert head is not None
    assert opened.attrs["mrv_audit_hash"] == head.record


def test_masking_takes_away_and_changes_nothing(demo: Demo) -> None:
    """Masked is aligned where every flag is off, missing elsewhere; both happen in the demo."""
    aligned, masked = (loaded(demo, f"sentinel2/{stage}") for stage in ("aligned_tiles", "masked_tiles"))

    clear = masked.unclear_flags == 0

    assert 0 < int(clear.sum()) < clear.size
    xr.testing.assert_identical(masked.nir, aligned.nir.where(clear))


def test_quality_is_as_published(demo: Demo) -> None:
    """Classes keep their integers: SCL 0 is a class too, and no missing value."""
    aligned = loaded(demo, "sentinel2/aligned_tiles")

    assert aligned.scl.dtype == np.uint8
    assert {4, 5} <= set(np.unique(aligned.scl)) <= set(range(12))


def test_reflectance_and_indices_are_in_their_range(demo: Demo) -> None:
    """Units are right: forest reflects a few percent in the red, and its NDVI is high in July."""
    aligned, indices = (loaded(demo, f"sentinel2/{stage}") for stage in ("masked_tiles", "indices"))

    assert 0.0 < float(aligned.red.median()) < 0.1
    assert 0.6 < float(indices.ndvi.median()) < 1.0
    assert float(abs(indices.ndvi).max()) <= 1.0


def test_gated_tiles_that_passed_are_the_indices(demo: Demo) -> None:
    """The gate adds a decision and no pixel."""
    gated, indices = (loaded(demo, f"sentinel2/{stage}") for stage in ("gated_tiles", "indices"))

    for name in indices.data_vars:
        xr.testing.assert_identical(gated[name], indices[name])


def test_a_rejected_month_opens_as_a_refusal(demo: Demo) -> None:
    """The error names the tile-month, the reason and what can be opened instead."""
    with pytest.raises(GateRefused, match=r"34TER 2018-06.*below_tile_coverage.*sentinel2/indices"):
        demo.lake.open("sentinel2/gated_tiles", TILE, REJECTED)


def test_a_month_without_scenes_opens_empty(demo: Demo) -> None:
    """December's aligned tiles exist and have no observation; the products have no value."""
    aligned = demo.lake.open("sentinel2/aligned_tiles", TILE, "2018-12")
    month = demo.lake.open("monthly_proxies", TILE, "2018-12")

    assert aligned.sizes["time"] == 0
    assert int(month.n_obs.isel(SEEN).max()) == 0


def test_a_month_that_was_never_run_says_how_to_run_it(demo: Demo) -> None:
    """The cure is in the message."""
    with pytest.raises(NotMaterialized, match=r"mrv run --tile 34TER --month 2017-01"):
        demo.lake.open("monthly_proxies", TILE, "2017-01")


def test_raw_tiles_have_no_common_grid(demo: Demo) -> None:
    """Every scene has its own: the error names what opens one band."""
    with pytest.raises(ValueError, match="open_raw_band"):
        demo.lake.open("sentinel2/raw_tiles", TILE, PASSED)


# --- the table ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("month", MONTHS)
def test_missing_is_null_and_never_nan(month: str, demo: Demo) -> None:
    """Twelve months, most of them with something missing: no cell holds NaN, and no value is zero for want of one."""
    table = pq.read_table(table_of(demo, month))

    for row in table.drop(["geometry"]).to_pylist():
        assert not [name for name, value in row.items() if isinstance(value, float) and math.isnan(value)]
        if row["value_status"] != "ok":
            assert {value for name, value in row.items() if name.endswith(("_mean", "_std"))} == {None}


def test_the_table_is_geoparquet(demo: Demo) -> None:
    """GeoParquet 1.1, which without a CRS is in CRS84: geopandas and whatever else reads it needs nothing of ours."""
    geo = json.loads(pq.read_schema(table_of(demo, PASSED)).metadata[b"geo"])

    assert geo["version"] == "1.1.0"
    assert geo["primary_column"] == "geometry"
    assert "crs" not in geo["columns"]["geometry"]
    assert gpd.read_parquet(table_of(demo, PASSED)).crs == "OGC:CRS84"
    frame = gpd.read_parquet(table_of(demo, PASSED))
    assert len(frame) == 6
    # A hectare each, in an equal-area projection.
    np.testing.assert_allclose(frame.to_crs("EPSG:3035").area, 1e4, rtol=1e-3)


def test_every_column_says_its_unit_and_source(demo: Demo) -> None:
    """A column's meaning travels with it; areas are hectares, fractions and indices have unit 1."""
    schema = pq.read_schema(table_of(demo, PASSED))

    said = {field.name: field.metadata for field in schema if field.name != "geometry"}
    assert all(meta is not None and meta[b"source"] for meta in said.values())
    units = {name: meta[b"unit"].decode() for name, meta in said.items()}
    assert {units[name] for name in ("parcel_area_ha", "observed_area_ha", "ndvi_valid_area_ha")} == {"ha"}
    assert {units[name] for name in ("valid_fraction", "ndvi_mean", "evi_std", "n_obs")} == {"1"}
    assert units["max_gap_days"] == "d"


def test_columns_and_types_are_the_same_in_every_month(demo: Demo) -> None:
    """A year is a plain concatenation, whether a month passed or not."""
    schemas = [pq.read_schema(table_of(demo, month)).remove_metadata() for month in MONTHS]

    assert all(schema.equals(schemas[0]) for schema in schemas)


def test_the_lake_opens_its_parcels(demo: Demo) -> None:
    """The rows are the programme's parcels of the month, with their geometry."""
    frame = open_parcels(demo.lake, TILE, PASSED)

    assert sorted(frame.parcel_id) == sorted(demo.deployment.assigned.parcel_id)
    assert set(frame.month) == {PASSED}
    assert frame.geometry.is_valid.all()
