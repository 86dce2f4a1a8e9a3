"""GeoParquet 1.1: all rows with their outlines in one file."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mrv_assets.export.content import Content


def write(content: Content, folder: Path, step: Callable[[str], None]) -> None:
    """Write ``parcels.parquet``."""
    write_geoparquet(content.table, folder / "parcels.parquet")


def write_geoparquet(table: pa.Table, path: Path) -> None:
    """Write a table of :func:`mrv_assets.export.rows.all_rows` as GeoParquet 1.1."""
    pq.write_table(table, path)
