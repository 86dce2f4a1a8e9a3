"""All parcels and months in one table: rows without values, columns, and indices that only some months have."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
from block_scenes import TILE
from export_months import HIDDEN, NO_NBR, PARCELS, PASSED, REJECTED, Export
from tables import read_rows

from mrv_assets.audit.content import table_content
from mrv_assets.deployment import Deployment
from mrv_assets.export.months import read_month
from mrv_assets.export.rows import all_rows
from mrv_assets.formats.table import ROW_KEY, TABLE, column_meaning

MONTHS = (PASSED, REJECTED, NO_NBR)


def test_rows_without_a_value_say_why(export: Export, tmp_path: Path) -> None:
    """A rejected month, a hidden parcel and a missing band are null, never zero, and have their status."""
    export("geoparquet")

    rows = {
        (row["parcel_id"], row["month"]): row for row in pq.read_table(tmp_path / "out" / "parcels.parquet").to_pylist()
    }
    assert len(rows) == len(PARCELS) * len(MONTHS)
    for (parcel, month), row in rows.items():
        values = [row[f"{index}_mean"] for index in ("ndvi", "evi", "ndmi")]
        closed = month == REJECTED or parcel == HIDDEN
        assert [value is None for value in values] == [closed] * 3
        assert (row["nbr_mean"] is None) == (closed or month == NO_NBR)
        if month == REJECTED:
            assert (row["gate_status"], row["value_status"], row["mission"]) == ("REJECTED", "no_data", None)
        else:
            assert row["value_status"] == ("below_coverage" if parcel == HIDDEN else "ok")


def test_columns_say_unit_and_meaning(export: Export, tmp_path: Path) -> None:
    """As in the lake, for every column but the outline."""
    export("geoparquet")

    for field in pq.read_schema(tmp_path / "out" / "parcels.parquet"):
        if field.name == "geometry":
            continue
        if field.name == "mrv_audit_hash":
            assert b"audit hash" in field.metadata[b"source"]
            continue
        if field.name == "mrv_doubts":
            assert b"doubtful scenes" in field.metadata[b"source"]
            continue
        kind, unit, source = column_meaning(field.name)
        assert (field.type, field.metadata) == (kind, {b"unit": unit.encode(), b"source": source.encode()})


def test_only_the_indices_asked_for_have_columns(export: Export, tmp_path: Path) -> None:
    """In the order asked for, where the indices stand in the lake's table; the rest stays."""
    export("geoparquet", indices=["nbr", "ndvi", "nbr"])

    names = pq.read_schema(tmp_path / "out" / "parcels.parquet").names
    at = names.index("value_status") + 1
    assert names[at : at + 6] == [f"{i}_{kind}" for i in ("nbr", "ndvi") for kind in ("mean", "std", "valid_area_ha")]
    assert names[at + 6 :] == ["method_version", "qa_decision_id", "mrv_audit_hash", "mrv_doubts", "geometry"]


def test_an_index_that_only_some_months_have_is_null_in_the_others(deployment: Deployment, tmp_path: Path) -> None:
    """Columns of another mission's index come in where indices stand, null where a month's table has none."""
    first, second = (read_month(deployment.lake, TILE, month) for month in (PASSED, NO_NBR))
    table = pq.read_table(second.record.data / TABLE)
    renamed = table.rename_columns([name.replace("evi_", "savi_") for name in table.column_names])
    pq.write_table(renamed.replace_schema_metadata(table.schema.metadata), tmp_path / TABLE)
    output = {**second.record.output, "table": table_content(read_rows(tmp_path / TABLE), ROW_KEY)}
    said = {**second.record.document, "output": output}
    other = replace(second, record=replace(second.record, document=said, data=tmp_path))

    whole = all_rows([first, other], ["ndvi", "evi", "savi"])

    names = whole.column_names
    at = names.index("value_status") + 1
    assert [name for name in names[at : at + 9] if name.endswith("_mean")] == ["ndvi_mean", "evi_mean", "savi_mean"]
    for row in whole.to_pylist():
        assert (row["evi_mean"] is None) == (row["month"] == NO_NBR or row["value_status"] != "ok")
        assert (row["savi_mean"] is None) == (row["month"] == PASSED or row["value_status"] != "ok")
