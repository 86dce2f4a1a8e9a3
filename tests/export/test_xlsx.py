"""Excel: openpyxl reads the rows of the lake's own tables, with every text as a text."""

import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
import python_calamine
from block_scenes import TILE
from export_months import NOT_RUN, PASSED, REJECTED, Export, expected_rows

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import ExportError
from mrv_assets.export.rows import meaning
from mrv_assets.export.xlsx import write_workbook
from mrv_assets.stages.table import PRODUCT


def test_a_workbook_has_the_same_values_as_numbers_and_texts(
    deployment: Deployment, export: Export, tmp_path: Path
) -> None:
    """openpyxl reads the lake's values to the last digit; every text is one, also "=1+1" and "007"."""
    export("xlsx")

    book = openpyxl.load_workbook(tmp_path / "out" / "parcels.xlsx")
    header, *rows = book["parcels"].iter_rows()
    names = [cell.value for cell in header]
    assert [dict(zip(names, (cell.value for cell in row), strict=True)) for row in rows] == expected_rows(deployment)
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


IDS = [
    *("plot_x0041", "plot_x0041_", "_x000D_", "_x005F_x0041_", "_x0041_x0042_", "x0041_"),
    *("=1+1", "@a", "+a", "-1", "'a", "#N/A", "NA", "null", "007", "1e5", "é", "e\u0301", "\U0001f332", "a" * 300),
]


def test_every_id_comes_back_from_independent_readers(tmp_path: Path) -> None:
    """openpyxl and calamine, which undo Excel's codes in different ways: what is no code stays as it is."""
    table = pa.table({"parcel_id": pa.array(IDS, pa.string())})

    write_workbook(table, [], tmp_path / "parcels.xlsx")

    book = openpyxl.load_workbook(tmp_path / "parcels.xlsx")["parcels"]
    assert [row[0].value for row in book.iter_rows(min_row=2)] == IDS
    sheet = python_calamine.CalamineWorkbook.from_path(tmp_path / "parcels.xlsx").get_sheet_by_name("parcels")
    assert [row[0] for row in sheet.to_python()[1:]] == IDS
