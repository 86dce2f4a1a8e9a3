"""CSV: pandas reads the rows of the lake's own tables, and a spreadsheet computes nothing."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from demo_lake import REPOSITORY, Json
from export_months import HIDDEN, Export, expected_rows

from mrv_assets.deployment import Deployment
from mrv_assets.export.csv import STARTS_A_FORMULA, write_csv


def test_csv_has_the_same_numbers_to_the_last_digit(deployment: Deployment, export: Export, tmp_path: Path) -> None:
    """Read as its CSVW metadata says, by pandas, values and nulls are those of the lake."""
    export("csv")

    path = tmp_path / "out" / "parcels.csv"
    described = json.loads((tmp_path / "out" / "parcels.csv-metadata.json").read_bytes())
    types = {c["name"]: c["datatype"] for c in described["tableSchema"]["columns"]}
    texts = {name: str for name, kind in types.items() if kind == "string"}
    frame = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    assert [unguarded(row) for row in rows] == expected_rows(deployment)
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


def test_the_page_s_line_keeps_ids_that_pandas_would_take_for_missing(tmp_path: Path) -> None:
    """NA and null are parcels; the line is the one that docs/export.md shows."""
    ids = ["NA", "null", "nan", "None", "007", "1e5", "N/A"]
    table = pa.table({"parcel_id": pa.array(ids, pa.string()), "ndvi_mean": pa.array([0.5] * 6 + [None])})
    write_csv(table, tmp_path / "parcels.csv")
    [line] = [text for text in (REPOSITORY / "docs" / "export.md").read_text().splitlines() if "pd.read_csv(" in text]

    rows = eval(line.partition("= ")[2].replace("exported/table/parcels.csv", str(tmp_path / "parcels.csv")))

    assert list(rows.parcel_id) == ids
    assert rows.ndvi_mean.isna().tolist() == [False] * 6 + [True]
