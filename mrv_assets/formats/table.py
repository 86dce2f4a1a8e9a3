"""parcels.parquet: one row per parcel and month, as GeoParquet 1.1 whose columns say their unit and source."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json, canonical

TABLE = "parcels.parquet"
"""Table of monthly_proxies: one row per parcel."""
ROW_KEY = ("parcel_id", "part")
GEOMETRY = "geometry"
GEO = b"geo"
"""Key of GeoParquet's own metadata."""

_FIXED: dict[str, tuple[pa.DataType, str, str]] = {
    "parcel_id": (pa.string(), "", "programme's parcels file"),
    "geom_sha256": (pa.string(), "", "SHA-256 of the parcel's canonical WKB, longitude and latitude"),
    "month": (pa.string(), "", "UTC calendar month"),
    "tile": (pa.string(), "", "MGRS tile that owns the parcel"),
    "part": (pa.string(), "", "tile of this piece of a parcel too large for one tile; null when whole"),
    "parcel_area_ha": (pa.float64(), "ha", "geodesic area on WGS84"),
    "observed_area_ha": (pa.float64(), "ha", "valid_fraction x parcel_area_ha"),
    "valid_fraction": (pa.float64(), "1", "area with at least one clear observation / parcel area"),
    "n_obs": (pa.int64(), "1", "observations with any clear pixel in the parcel"),
    "max_gap_days": (pa.float64(), "d", "longest interval without one, month start and end included"),
    "mission": (pa.string(), "", "the month's mission, which the values come from; null when the gate is closed"),
    "substituted": (pa.bool_(), "", "true when not the programme's first mission"),
    "comparable": (pa.bool_(), "", "true when from the programme's first mission and no other"),
    "resolution_m": (pa.float64(), "m", "finest native pixel size of the mission, the coarsest of several"),
    "uncertainty_factor": (
        pa.float64(),
        "1",
        "by how much to widen the uncertainty of a mean: native pixel size over the first mission's, 1 at least",
    ),
    "fused": (pa.bool_(), "", "true when another than the month's mission gave the parcel pixels"),
    "gate_status": (pa.string(), "", "decision on the tile-month"),
    "value_status": (
        pa.string(),
        "",
        "ok, approved_below_coverage, below_coverage, below_native_pixels, gate_closed, no_data, pending, unavailable",
    ),
    "method_version": (pa.string(), "", "changes when a column's meaning does"),
    "qa_decision_id": (pa.string(), "", "manual decision that let the values in; null without one"),
}

_SHARE = "_share"
"""End of the columns that say how much of a parcel each optical mission gave."""
_INDEX_SUFFIXES: dict[str, tuple[str, str]] = {
    "_mean": ("1", "mean of the month's composite over the parcel, weighted by exact pixel fractions"),
    "_std": ("1", "population standard deviation of the month's composite over the parcel, same weights"),
    "_valid_area_ha": ("ha", "area with a valid value of this index"),
}


def column_meaning(name: str) -> tuple[pa.DataType, str, str]:
    """Type, unit and source of a column of the table.

    Raises:
        KeyError: For a column the table does not have.
    """
    if name in _FIXED:
        return _FIXED[name]
    if name.endswith(_SHARE):
        mission = name.removesuffix(_SHARE)
        meaning = f"area whose pixels are from {mission} / parcel area; null where its pixels could not be taken"
        return pa.float64(), "1", meaning
    for suffix, (unit, source) in _INDEX_SUFFIXES.items():
        if name.endswith(suffix):
            return pa.float64(), unit, source
    raise KeyError(name)


def index_names(columns: Sequence[str]) -> tuple[str, ...]:
    """Indices that a table has columns of, in its order."""
    return tuple(name.removesuffix("_mean") for name in columns if name not in _FIXED and name.endswith("_mean"))


def parcels_schema(names: Sequence[str], lonlat: NDArray[np.object_]) -> pa.Schema:
    """The schema of a table with these columns, which ends with the outlines; nothing else stands in its metadata.

    GeoParquet 1.1 without a CRS means longitude and latitude on WGS84.

    Args:
        names: Columns but for ``geometry``, in order.
        lonlat: The parcels' polygons, WGS84 degrees.
    """
    fields = []
    for name in names:
        kind, unit, source = column_meaning(name)
        fields.append(pa.field(name, kind, metadata={"unit": unit, "source": source}))
    kinds = sorted({shape.geom_type for shape in lonlat})
    outlines = {
        "encoding": "WKB",
        "geometry_types": kinds,
        "bbox": [float(edge) for edge in shapely.total_bounds(lonlat)],
    }
    geo = {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: outlines}}
    return pa.schema([*fields, pa.field(GEOMETRY, pa.binary())], metadata={GEO: canonical(geo)})


def write_parcels(path: Path, rows: Sequence[Json], lonlat: NDArray[np.object_]) -> None:
    """Write the table.

    Args:
        path: Where to; must not exist.
        rows: One object per parcel, all with the same columns in the same order; missing is None.
        lonlat: The parcels' polygons, WGS84 degrees, in the order of the rows.
    """
    names = list(rows[0])
    schema = parcels_schema(names, lonlat)
    columns = [pa.array([row[name] for row in rows], schema.field(name).type) for name in names]
    table = pa.table([*columns, pa.array(shapely.to_wkb(lonlat), pa.binary())], schema=schema)
    pq.write_table(table, path)
