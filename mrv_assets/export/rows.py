"""All parcels and months as one table. Values are the lake's, and each row names its record."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from mrv_assets.export.attribution import attributions
from mrv_assets.export.months import Month
from mrv_assets.formats.stored_table import StoredTable
from mrv_assets.formats.table import GEO, GEOMETRY, column_meaning, index_names

AUDIT_HASH = "mrv_audit_hash"
DOUBTS = "mrv_doubts"
ORDER = ("parcel_id", "month", "part")
"""Rows are in this order, so that a parcel's months stand below one another."""
ATTRIBUTIONS = b"mrv_attributions"
"""Key in the file's metadata: the attributions, a JSON list."""


def meaning(column: str) -> tuple[pa.DataType, str, str]:
    """Type, unit and source of a column of an exported table.

    Raises:
        KeyError: When the table has no such column.
    """
    if column == AUDIT_HASH:
        return pa.string(), "", "audit hash of the record of monthly_proxies that the row is of"
    if column == DOUBTS:
        return pa.string(), "", "doubtful scenes of the month, each with the codes of its findings; empty where none is"
    return column_meaning(column)


def all_rows(months: Sequence[Month], indices: Sequence[str]) -> pa.Table:
    """Every parcel's row of every month, sorted.

    Args:
        months: Verified months; at least one.
        indices: Indices whose columns are kept, in this order.

    Returns:
        The columns of the lake's tables, ``mrv_audit_hash``, ``mrv_doubts``, and ``geometry`` in WKB, longitude and
        latitude; each column's metadata says unit and source, the table's metadata the attributions. A column that a
        month's table does not have is null in its rows.
    """
    tables = [_month_table(month) for month in months]
    names = _columns([table.column_names for table in tables], indices)
    rows = pa.concat_tables([_with_all(table, names) for table in tables])
    rows = rows.sort_by([(name, "ascending") for name in ORDER])
    fields = [_field(name, rows.schema.field(name)) for name in names]
    metadata = {
        GEO: _geo([table.schema.metadata[GEO] for table in tables]),
        ATTRIBUTIONS: json.dumps(attributions(scene for month in months for scene in month.scenes)).encode(),
    }
    return rows.cast(pa.schema(fields, metadata=metadata))


def counts_by_status(table: pa.Table) -> dict[str, int]:
    """The number of rows of each ``value_status``."""
    counts = table.column("value_status").value_counts().to_pylist()
    return dict(sorted((count["values"], count["counts"]) for count in counts))


def without_geometry(table: pa.Table) -> pa.Table:
    """A table's rows without their outlines, for formats that have no geometry."""
    return table.drop_columns([GEOMETRY])


def _month_table(month: Month) -> pa.Table:
    table = StoredTable(month.record).table
    doubts = "; ".join(
        f"{scene.id} {','.join(doubt.partition(':')[0] for doubt in scene.doubts)}"
        for scene in month.scenes
        if scene.doubts
    )
    for name, text in ((AUDIT_HASH, month.record.audit_hash), (DOUBTS, doubts or None)):
        table = table.append_column(name, pa.array([text] * table.num_rows, pa.string()))
    return table


def _columns(tables: Sequence[Sequence[str]], indices: Sequence[str]) -> list[str]:
    """Columns of all tables in the order of the lake's: an index's columns stand together, geometry last."""
    names = list(dict.fromkeys(name for table in tables for name in table))
    index_of = {name: _index_of(name, index_names(names)) for name in names}
    first = next((position for position, name in enumerate(names) if index_of[name]), len(names))
    before = [name for name in names[:first] if not index_of[name]]
    after = [name for name in names[first:] if not index_of[name] and name not in (GEOMETRY, AUDIT_HASH, DOUBTS)]
    kept = [name for index in indices for name in names if index_of[name] == index]
    return [*before, *kept, *after, AUDIT_HASH, DOUBTS, GEOMETRY]


def _index_of(column: str, indices: Sequence[str]) -> str | None:
    """The index whose value a column holds, None for other columns; of several names that fit, the longest."""
    fitting = [name for name in indices if column in (f"{name}_mean", f"{name}_std", f"{name}_valid_area_ha")]
    return max(fitting, key=len, default=None)


def _with_all(table: pa.Table, names: Sequence[str]) -> pa.Table:
    columns = {
        name: table.column(name) if name in table.column_names else pa.nulls(table.num_rows, meaning(name)[0])
        for name in names
    }
    return pa.table(columns)


def _field(name: str, field: pa.Field) -> pa.Field:
    if name == GEOMETRY:
        return pa.field(name, field.type)
    kind, unit, source = meaning(name)
    return pa.field(name, kind, metadata={"unit": unit, "source": source})


def _geo(stated: Sequence[bytes]) -> bytes:
    """GeoParquet's metadata of several tables joined into one: the first one's, with the box around all."""
    documents: list[dict[str, Any]] = [json.loads(metadata) for metadata in stated]
    columns = [document["columns"][GEOMETRY] for document in documents]
    boxes = list(zip(*(column["bbox"] for column in columns), strict=True))
    first = documents[0]
    first["columns"] = {
        GEOMETRY: {
            **columns[0],
            "geometry_types": sorted({kind for column in columns for kind in column["geometry_types"]}),
            "bbox": [*map(min, boxes[:2]), *map(max, boxes[2:])],
        }
    }
    return json.dumps(first, sort_keys=True).encode()
