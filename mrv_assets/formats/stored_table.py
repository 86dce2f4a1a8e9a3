"""The month's table as it is stored, read by everyone through here: no row that the record does not say."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.content import table_content
from mrv_assets.audit.record import Record
from mrv_assets.errors import DamagedLake
from mrv_assets.formats.files import damaged, file_bytes
from mrv_assets.formats.table import GEO, GEOMETRY, TABLE, parcels_schema
from mrv_assets.science.tiles import geom_sha256

MAX_TABLE_BYTES = 1 << 29
"""Size of the largest table that is read, stored or decoded: 50,000 parcels of 300 corners take half of it."""


@dataclass(frozen=True, eq=False)
class StoredTable:
    """The table of a record of monthly proxies, compared with the record before anything of it is given."""

    monthly: Record

    @cached_property
    def table(self) -> pa.Table:
        """All columns, outlines in WKB.

        Raises:
            DamagedLake: When schema, metadata, rows or outlines are not what the record says.
        """
        said = self.monthly.output["table"]
        data, _ = file_bytes(self.monthly.data, TABLE, MAX_TABLE_BYTES)
        try:
            file = pq.ParquetFile(pa.BufferReader(data))
            self._check_size(file.metadata, said)
            table = file.read()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(f"it cannot be read ({type(error).__name__})") from None
        names = [name for name in table.column_names if name != GEOMETRY]
        if sorted(table.column_names) != sorted([*said["columns"], GEOMETRY]) or table.num_rows != said["rows"]:
            raise self._damaged("its columns or its number of rows are not the record's")
        outlines = shapely.from_wkb(np.asarray(table.column(GEOMETRY).to_pylist(), dtype=object), on_invalid="ignore")
        if not all(isinstance(outline, shapely.Geometry) for outline in outlines):
            raise self._damaged("an outline cannot be read")
        try:
            meant = parcels_schema(names, outlines)
        except KeyError as error:
            raise self._damaged(f"no table has a column {error}") from None
        if not file.schema_arrow.equals(meant, check_metadata=True) or not _as_written(file.schema, meant):
            raise self._damaged("its schema or its metadata are not those that the lake writes")
        if set(file.metadata.metadata or ()) != {GEO, b"ARROW:schema"}:
            raise self._damaged("it has metadata that the lake does not write")
        rows = table.drop_columns([GEOMETRY]).to_pylist()
        if table_content(rows, said["key"]) != said:
            raise self._damaged("its rows are not those of the record")
        if [geom_sha256(outline) for outline in outlines] != [row.get("geom_sha256") for row in rows]:
            raise self._damaged("its outlines are not those that its rows name")
        return table

    @cached_property
    def rows(self) -> list[Json]:
        """The rows without their outlines; missing is None."""
        rows: list[Json] = self.table.drop_columns([GEOMETRY]).to_pylist()
        return rows

    @property
    def outlines(self) -> NDArray[np.object_]:
        """The parcels' polygons, WGS84 degrees, in the order of the rows."""
        return np.asarray(shapely.from_wkb(self.table.column(GEOMETRY).to_pylist()), dtype=object)

    def _check_size(self, metadata: pq.FileMetaData, said: Json) -> None:
        """Hold what the footer says against the record, before anything is decoded."""
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        if metadata.num_rows != said["rows"] or sum(group.num_rows for group in groups) != said["rows"]:
            raise self._damaged(f"it has {metadata.num_rows} rows, and its record {said['rows']}")
        if size > MAX_TABLE_BYTES:
            raise self._damaged(f"it would take {size} bytes, and at most {MAX_TABLE_BYTES} are expected")

    def _damaged(self, reason: str) -> DamagedLake:
        return damaged(self.monthly.data, TABLE, reason)


def _as_written(stored: pq.ParquetSchema, meant: pa.Schema) -> bool:
    """Whether a file's own schema is the one that is written for these columns."""
    sink = pa.BufferOutputStream()
    pq.write_table(meant.empty_table(), sink)
    return bool(stored.equals(pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema))
