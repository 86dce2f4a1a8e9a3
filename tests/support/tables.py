"""Tables of a lake as pyarrow reads them, without the package's own reader and its checks."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

Json = dict[str, Any]


def read_rows(path: Path) -> list[Json]:
    """The rows of a table, without their geometry; missing is None."""
    names = [name for name in pq.read_schema(path).names if name != "geometry"]
    rows: list[Json] = pq.read_table(path, columns=names).to_pylist()
    return rows


def read_outlines(path: Path) -> NDArray[np.object_]:
    """The parcels' polygons, WGS84 degrees, in the order of the rows."""
    return np.asarray(gpd.read_parquet(path, columns=["geometry"]).geometry.to_numpy(), dtype=object)
