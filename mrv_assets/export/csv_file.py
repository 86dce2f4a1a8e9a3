"""CSV, with what its columns mean beside it as W3C's CSV on the Web (CSVW) has it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mrv_assets.export.rows import meaning

_AT_ONCE = 10_000
"""Rows that are held as text at once."""

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a text begins with that a spreadsheet would compute instead of show; full-width signs too."""
GUARD = "'"

_DATATYPES = {"string": "string", "double": "double", "int64": "integer", "bool": "boolean"}


def write_csv(table: pa.Table, path: Path) -> None:
    """Write rows as CSV: UTF-8, commas, texts in quotes, numbers in full, nothing at all where a value is missing.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, and so does one that begins with
    an apostrophe: taking one away gives every text back as it is.
    """
    with path.open("x", encoding="utf-8", newline="") as file:
        file.write(_line(table.column_names))
        for batch in table.to_batches(max_chunksize=_AT_ONCE):
            columns = [column.to_pylist() for column in batch.columns]
            file.writelines(_line(row) for row in zip(*columns, strict=True))


def write_csvw(table: pa.Table, csv: Path, credited: Sequence[str], path: Path) -> None:
    """Write what the columns of a CSV mean: type, unit, source (https://www.w3.org/TR/tabular-metadata/).

    Args:
        table: What the CSV holds.
        csv: Beside which it goes.
        credited: Whose data it was made of.
        path: Where to.
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
        "dc:rights": list(credited),
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
            # Of a double: the shortest text that reads as the same one.
            return repr(value)
