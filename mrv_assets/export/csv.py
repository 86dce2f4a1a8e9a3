"""CSV, with a description of its columns beside it: W3C's CSV on the Web (CSVW)."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mrv_assets.export.content import Content
from mrv_assets.export.rows import meaning, without_geometry

_AT_ONCE = 10_000
"""Rows that are converted to text at a time."""

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Beginnings of a text that a spreadsheet would compute instead of show; full-width signs too."""
GUARD = "'"

_DATATYPES = {"string": "string", "double": "double", "int64": "integer", "bool": "boolean"}


def write(content: Content, folder: Path, step: Callable[[str], None]) -> None:
    """Write ``parcels.csv`` and ``parcels.csv-metadata.json``."""
    table, path = without_geometry(content.table), folder / "parcels.csv"
    write_csv(table, path)
    write_csvw(table, path, content.attributions, folder / "parcels.csv-metadata.json")


def write_csv(table: pa.Table, path: Path) -> None:
    """Write rows as CSV: UTF-8, commas, texts in quotes, numbers in full, an empty cell where a value is missing.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, and so does one that begins with
    an apostrophe: removing one apostrophe gives every text back as it is.
    """
    with path.open("x", encoding="utf-8", newline="") as file:
        file.write(_line(table.column_names))
        for batch in table.to_batches(max_chunksize=_AT_ONCE):
            columns = [column.to_pylist() for column in batch.columns]
            file.writelines(_line(row) for row in zip(*columns, strict=True))


def write_csvw(table: pa.Table, csv: Path, credits: Sequence[str], path: Path) -> None:
    """Write the meaning of a CSV's columns: type, unit, source (https://www.w3.org/TR/tabular-metadata/).

    Args:
        table: The rows of the CSV.
        csv: The CSV's path.
        credits: Attributions of the scenes that the rows were made from.
        path: The new file.
    """
    columns = []
    for name in table.column_names:
        kind, unit, source = meaning(name)
        described: dict[str, Any] = {"name": name, "titles": name, "datatype": _DATATYPES[str(kind)], "null": ""}
        columns.append({**described, "dc:description": source, **({"schema:unitText": unit} if unit else {})})
    document = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": csv.name,
        "dc:description": "One row a parcel and month. A text that begins with an apostrophe has one more than it has "
        "in the lake.",
        "dc:rights": list(credits),
        "dialect": {"encoding": "utf-8", "header": True, "lineTerminators": ["\n"]},
        "tableSchema": {"columns": columns, "primaryKey": ["parcel_id", "month", "tile"]},
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def _line(values: Sequence[object]) -> str:
    return ",".join(map(_cell, values)) + "\n"


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            guarded = GUARD + value if value.startswith((GUARD, *STARTS_A_FORMULA)) else value
            return '"' + guarded.replace('"', '""') + '"'
        case _:
            # The shortest text that reads as the same double.
            return repr(value)
