"""All parcels and months in one table: geopandas, pandas and openpyxl read what the lake's own tables say."""

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from block_scenes import TILE
from demo_lake import Json
from export_months import HIDDEN, NO_NBR, NOT_RUN, PARCELS, PASSED, REJECTED, Export

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import ExportError
from mrv_assets.export.csv_file import STARTS_A_FORMULA, write_csv
from mrv_assets.export.rows import all_rows, meaning
from mrv_assets.export.workbook import write_workbook
from mrv_assets.formats.table import column_meaning
from mrv_assets.lake.view import open_parcels
from mrv_assets.reports.answers import table_rows
from mrv_assets.stages.table import PRODUCT

MONTHS = (PASSED, REJECTED, NO_NBR)


def expected(deployment: Deployment) -> list[Json]:
    """The rows of the lake's tables in the order of an export, each with its record's audit hash."""
    found = []
    for month in MONTHS:
        record = deployment.lake.current(Partition(PRODUCT, TILE, month))
        found += [{**row, "mrv_audit_hash": record.audit_hash} for row in table_rows(record)]
    return sorted(found, key=lambda row: (row["parcel_id"].encode(), row["month"]))


def test_geoparquet_has_every_row_of_every_month_exactly(
    deployment: Deployment, export: Export, tmp_path: Path
) -> None:
    """Values, nulls, outlines and CRS are the lake's; each row says of which record it is."""
    answer = export("geoparquet")

    table = pq.read_table(tmp_path / "out" / "parcels.parquet")
    frame = gpd.read_parquet(tmp_path / "out" / "parcels.parquet")
    assert table.drop_columns(["geometry"]).to_pylist() == expected(deployment)
    assert frame.crs.equals("OGC:CRS84")
    assert json.loads(table.schema.metadata[b"geo"])["version"] == "1.1.0"
    of_lake = open_parcels(deployment.lake, TILE, NO_NBR).set_index("parcel_id").geometry
    for parcel, outline in frame.set_index("parcel_id").geometry.items():
        assert outline.equals_exact(of_lake[parcel], 0)
    box = json.loads(table.schema.metadata[b"geo"])["columns"]["geometry"]["bbox"]
    assert box == pytest.approx(list(frame.total_bounds), abs=1e-12)
    assert answer["rows"] == {"below_coverage": 2, "no_data": 4, "ok": 6}


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
        kind, unit, source = column_meaning(field.name)
        assert (field.type, field.metadata) == (kind, {b"unit": unit.encode(), b"source": source.encode()})


def test_only_the_indices_asked_for_have_columns(export: Export, tmp_path: Path) -> None:
    """In the order asked for, where the indices stand in the lake's table; the rest stays."""
    export("geoparquet", indices=["nbr", "ndvi", "nbr"])

    names = pq.read_schema(tmp_path / "out" / "parcels.parquet").names
    at = names.index("value_status") + 1
    assert names[at : at + 6] == [f"{i}_{kind}" for i in ("nbr", "ndvi") for kind in ("mean", "std", "valid_area_ha")]
    assert names[at + 6 :] == ["method_version", "qa_decision_id", "mrv_audit_hash", "geometry"]


def test_csv_has_the_same_numbers_to_the_last_digit(deployment: Deployment, export: Export, tmp_path: Path) -> None:
    """Read as its CSVW metadata says, by pandas, values and nulls are those of the lake."""
    export("csv")

    path = tmp_path / "out" / "parcels.csv"
    described = json.loads((tmp_path / "out" / "parcels.csv-metadata.json").read_bytes())
    types = {c["name"]: c["datatype"] for c in described["tableSchema"]["columns"]}
    texts = {name: str for name, kind in types.items() if kind == "string"}
    frame = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    assert [unguarded(row) for row in rows] == expected(deployment)
    assert list(types) == list(frame.columns)
    assert described["url"] == path.name


def unguarded(row: dict[Any, Any]) -> Json:
    """A row with the apostrophes taken away that keep texts from being formulas; by the page's own rule."""
    return {
        str(name): value.removeprefix("'") if isinstance(value, str) and value.startswith("'") else value
        for name, value in row.items()
    }


def test_no_text_of_a_csv_can_be_a_formula(export: Export, tmp_path: Path) -> None:
    """A spreadsheet that opens the file computes nothing; an id that looks like a number is in quotes."""
    export("csv")

    text = (tmp_path / "out" / "parcels.csv").read_text()
    with (tmp_path / "out" / "parcels.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert "'=1+1" in cells
    assert f"'{HIDDEN}" in cells
    assert not [cell for cell in cells if cell.startswith(STARTS_A_FORMULA) and not is_number(cell)]
    assert '\n"007",' in text
    assert '\n"O\'Neil ""north"", 2",' in text


def is_number(cell: str) -> bool:
    """Whether a cell is one; a negative number is no formula."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("text", [*(f"{sign}cmd" for sign in STARTS_A_FORMULA), "'quoted", "''", "plain", "a=b"])
def test_a_guarded_text_comes_back_as_it_was(text: str, deployment: Deployment, tmp_path: Path) -> None:
    """Taking one apostrophe away gives back every text, whatever it began with."""
    write_csv(pa.table({"parcel_id": [text]}), tmp_path / "one.csv")

    with (tmp_path / "one.csv").open(newline="", encoding="utf-8") as file:
        [_, [cell]] = csv.reader(file)
    assert cell.removeprefix("'") == text
    assert not cell.startswith(STARTS_A_FORMULA)


def test_a_workbook_has_the_same_values_as_numbers_and_texts(
    deployment: Deployment, export: Export, tmp_path: Path
) -> None:
    """openpyxl reads the lake's values to the last digit; every text is one, also "=1+1" and "007"."""
    export("xlsx")

    book = openpyxl.load_workbook(tmp_path / "out" / "parcels.xlsx")
    header, *rows = book["parcels"].iter_rows()
    names = [cell.value for cell in header]
    assert [dict(zip(names, (cell.value for cell in row), strict=True)) for row in rows] == expected(deployment)
    assert {cell.data_type for row in rows for cell in row} <= {"s", "n", "b"}
    for row in rows:
        for name, cell in zip(names, row, strict=True):
            if isinstance(cell.value, str):
                assert (cell.data_type, cell.number_format) == ("s", "@")
            elif str(name).endswith(("_mean", "_std", "_ha")) and cell.value is not None:
                assert cell.number_format == "0.0000"
    assert book["parcels"].freeze_panes == "B2"
    assert [cell.value for cell in next(book["columns"].iter_rows())] == ["column", "type", "unit", "meaning"]


def test_a_workbook_says_what_its_columns_mean_and_what_was_decided(
    deployment: Deployment, export: Export, tmp_path: Path
) -> None:
    """One sheet has unit and meaning of each column, one the gate's decision on each month with its reason."""
    export("xlsx")

    book = openpyxl.load_workbook(tmp_path / "out" / "parcels.xlsx")
    columns = {row[0]: row[1:] for row in book["columns"].iter_rows(min_row=2, values_only=True)}
    assert list(columns) == [cell.value for cell in next(book["parcels"].iter_rows())]
    for name, (kind, unit, source) in columns.items():
        assert (kind, unit or "", source) == (str(meaning(str(name))[0]), *meaning(str(name))[1:])
    months = {row[1]: row for row in book["months"].iter_rows(min_row=2, values_only=True)}
    rejected = deployment.lake.current(Partition(PRODUCT, TILE, REJECTED)).audit_hash
    decided, seen = "sentinel2 REJECTED (below_tile_coverage)", "Contains modified Copernicus Sentinel data 2018"
    assert months[REJECTED] == (TILE, REJECTED, None, decided, seen, rejected)
    assert months[PASSED][2:4] == ("sentinel2", "sentinel2 PASSED")
    assert NOT_RUN not in months


def test_a_workbook_states_no_time(export: Export, tmp_path: Path) -> None:
    """Neither its properties nor the files in it say when it was made."""
    export("xlsx")

    with zipfile.ZipFile(tmp_path / "out" / "parcels.xlsx") as book:
        core = book.read("docProps/core.xml").decode()
        times = {entry.date_time for entry in book.infolist()}
    assert times == {(1980, 1, 1, 0, 0, 0)}
    assert core.count("1980-01-01T00:00:00Z") == 2


def test_more_rows_than_a_sheet_can_have_are_refused(tmp_path: Path) -> None:
    """Nothing is cut off: the message says what to do instead."""
    many = pa.table({"tile": pa.repeat("34TER", 1_048_576)})

    with pytest.raises(ExportError, match=r"1048576 rows are more than the 1048575.*csv or geoparquet"):
        write_workbook(many, [], tmp_path / "parcels.xlsx")


def test_a_text_longer_than_a_cell_is_refused(tmp_path: Path) -> None:
    """Excel's cells end at 32,767 characters, and a cut id is another parcel's."""
    with pytest.raises(ExportError, match="a text of 40000 characters is longer"):
        write_workbook(pa.table({"parcel_id": ["x" * 40_000]}), [], tmp_path / "parcels.xlsx")


def test_an_index_that_only_some_months_have_is_null_in_the_others(deployment: Deployment, tmp_path: Path) -> None:
    """Columns of another mission's index come in where indices stand, null where a month's table has none."""
    from dataclasses import replace

    from mrv_assets.export.months import read_month
    from mrv_assets.formats.table import TABLE

    first, second = (read_month(deployment.lake, TILE, month) for month in (PASSED, NO_NBR))
    table = pq.read_table(second.record.data / TABLE)
    renamed = table.rename_columns([name.replace("evi_", "savi_") for name in table.column_names])
    pq.write_table(renamed.replace_schema_metadata(table.schema.metadata), tmp_path / TABLE)
    other = replace(second, record=replace(second.record, data=tmp_path))

    whole = all_rows([first, other], ["ndvi", "evi", "savi"])

    names = whole.column_names
    at = names.index("value_status") + 1
    assert [name for name in names[at : at + 9] if name.endswith("_mean")] == ["ndvi_mean", "evi_mean", "savi_mean"]
    for row in whole.to_pylist():
        assert (row["evi_mean"] is None) == (row["month"] == NO_NBR or row["value_status"] != "ok")
        assert (row["savi_mean"] is None) == (row["month"] == PASSED or row["value_status"] != "ok")
