"""An Excel workbook: the rows, the meaning of their columns, and the decisions on each tile and month."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.rich_text import CellRichText
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from mrv_assets.errors import ExportError
from mrv_assets.export.attribution import attributions
from mrv_assets.export.content import Content
from mrv_assets.export.months import Month
from mrv_assets.export.rows import meaning, without_geometry

MOST_ROWS = 1_048_576
"""Most rows of a sheet, its header included; Excel's own limit."""
LONGEST_TEXT = 32_767
"""Most characters of a cell; Excel's own limit."""
ROWS, COLUMNS, MONTHS = "parcels", "columns", "months"
"""Names of the sheets."""

_NO_TIME = datetime(1980, 1, 1)
"""Stated as the time of making of a workbook and of each file in it, so that the same values give the same bytes."""
_ESCAPED = re.compile(r"(?<=_)(?=x[0-9A-Fa-f]{4}_)")
"""The place within what Excel would read as a character's code, such as _x0041_ for A (ECMA-376, ST_Xstring)."""
_TEXT = "@"
_NUMBERS = {"ha": "0.0000", "1": "0.0000", "d": "0.00", "m": "0"}
"""Excel's number format by unit; the stored numbers keep all their digits."""
_AT_ONCE = 10_000
"""Rows that are converted to Python at a time."""


def write(content: Content, folder: Path, step: Callable[[str], None]) -> None:
    """Write ``parcels.xlsx``.

    Raises:
        ExportError: When there are more rows, or longer texts, than Excel's sheets can have.
    """
    write_workbook(without_geometry(content.table), content.months, folder / "parcels.xlsx")


def write_workbook(table: pa.Table, months: Sequence[Month], path: Path) -> None:
    """Write rows as an Excel workbook. Every text is a text cell, also one that looks like a formula or a number.

    Raises:
        ExportError: When there are more rows, or longer texts, than Excel's sheets can have.
    """
    if table.num_rows >= MOST_ROWS:
        reason = f"{table.num_rows} rows are more than the {MOST_ROWS - 1} of an Excel sheet"
        raise ExportError("--as", "xlsx", reason, "Name a --tile or --month, or export as csv or geoparquet")
    # Checked before a sheet is begun: openpyxl leaves an unfinished sheet to the garbage collector.
    _require_texts_fit(table)
    book = Workbook(write_only=True)
    book.properties.creator = "mrv_assets"
    book.properties.created = _NO_TIME
    names = table.column_names
    _sheet(book, ROWS, names, [_width(name) for name in names], _rows(table), [_format(name) for name in names])
    columns = [(name, str(meaning(name)[0]), meaning(name)[1] or None, meaning(name)[2]) for name in names]
    _sheet(book, COLUMNS, ("column", "type", "unit", "meaning"), (24, 10, 8, 90), iter(columns))
    decided = [
        (
            *(m.tile, m.month, ", ".join(m.missions) or None, "; ".join(map(str, m.decided))),
            *("; ".join(attributions(m.scenes)) or None, m.record.audit_hash),
        )
        for m in months
    ]
    headers = ("tile", "month", "values from", "gate", "attribution", "audit hash of monthly_proxies")
    _sheet(book, MONTHS, headers, (8, 10, 14, 50, 50, 70), iter(decided))
    buffer = io.BytesIO()
    book.save(buffer)
    path.write_bytes(_without_times(buffer))


def _require_texts_fit(table: pa.Table) -> None:
    texts = [column for column in table.columns if pa.types.is_string(column.type)]
    longest = max((pc.max(pc.utf8_length(column)).as_py() or 0 for column in texts), default=0)
    if longest > LONGEST_TEXT:
        reason = f"a text of {longest} characters is longer than the {LONGEST_TEXT} of an Excel cell"
        raise ExportError("--as", "xlsx", reason, "Give the parcel a shorter id, or export as csv or geoparquet")


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches(max_chunksize=_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _sheet(
    book: Workbook,
    title: str,
    headers: Sequence[str],
    widths: Sequence[int],
    rows: Iterator[tuple[Any, ...]],
    formats: Sequence[str] = (),
) -> None:
    sheet = book.create_sheet(title)
    # Set before any row: a write-only sheet is streamed.
    sheet.freeze_panes = "B2"
    for number, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.append([_cell(sheet, header, _TEXT, bold=True) for header in headers])
    count = 1
    for row in rows:
        cell_formats = formats or [_TEXT] * len(row)
        sheet.append([_cell(sheet, value, format) for value, format in zip(row, cell_formats, strict=True)])
        count += 1
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(headers))}{count}"


def _cell(sheet: Any, value: Any, number_format: str, *, bold: bool = False) -> Any:
    if isinstance(value, float):
        # openpyxl writes sixteen digits, and a double may need seventeen to be read back unchanged.
        cell = WriteOnlyCell(sheet, repr(value))
        cell.data_type = "n"
    else:
        cell = WriteOnlyCell(sheet, _in_runs(value) if isinstance(value, str) else value)
        if isinstance(value, str):
            # openpyxl takes "=..." for a formula and "#N/A" for an error.
            cell.data_type = "s"
    cell.number_format = number_format
    if bold:
        cell.font = Font(bold=True)
    return cell


def _in_runs(text: str) -> str | CellRichText:
    """A text that every reader gives back as it is: one that holds a code is cut into runs within the code.

    The standard's own way, _x005F_ before the code, is not undone by openpyxl.
    """
    parts = _ESCAPED.split(text)
    return text if len(parts) == 1 else CellRichText(*parts)


def _format(column: str) -> str:
    kind, unit, _ = meaning(column)
    if kind == pa.int64():
        return "0"
    return _NUMBERS[unit] if kind == pa.float64() else _TEXT if kind == pa.string() else "General"


def _width(column: str) -> int:
    return max(12, len(column) + 4)


def _without_times(buffer: io.BytesIO) -> bytes:
    """A workbook's bytes with every time of making replaced by a constant."""
    moment = f"{_NO_TIME:%Y-%m-%dT%H:%M:%SZ}".encode()
    out = io.BytesIO()
    with zipfile.ZipFile(buffer) as book, zipfile.ZipFile(out, "w") as timeless:
        for entry in book.infolist():
            data = book.read(entry)
            if entry.filename == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + moment, data)
            copy = zipfile.ZipInfo(entry.filename, _NO_TIME.timetuple()[:6])
            copy.compress_type = zipfile.ZIP_DEFLATED
            copy.external_attr = 0o644 << 16
            timeless.writestr(copy, data, compresslevel=6)
    return out.getvalue()
