"""The table of formats: every row has its file, and documents and schema name the same formats."""

import json
import re
from pathlib import Path

import pytest
from demo_lake import REPOSITORY

import mrv_assets.export
from mrv_assets.export.build import writer_of
from mrv_assets.export.formats import FORMATS, Format, format_named

DOCS = REPOSITORY / "docs"
NAMES = [format.name for format in FORMATS]


@pytest.mark.parametrize("format", FORMATS, ids=NAMES)
def test_a_format_is_a_row_and_a_file_of_its_name(format: Format) -> None:
    """The file has the function that writes the format; nothing else names it."""
    writer = writer_of(format)

    assert Path(writer.__code__.co_filename).stem == format.name
    assert format_named(format.name) is format
    assert format.has_rasters or format.has_rows


def test_no_other_file_of_the_package_names_them_all() -> None:
    """A new format is a row and a file: nothing else has to be changed."""
    package = Path(mrv_assets.export.__file__).parents[1]

    listing = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if all(f'"{name}"' in path.read_text() for name in NAMES)
    ]

    assert listing == ["export/formats.py"]


def test_documents_and_schema_name_the_same_formats() -> None:
    """The page on exports has a line for each, the page on the command lists them, the schema allows them."""
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "export.md").read_text(), re.MULTILINE)
    [option] = re.findall(r"^- `--as FORMAT`: (.*); required$", (DOCS / "cli.md").read_text(), re.MULTILINE)
    schema = json.loads((DOCS / "schemas" / "export.json").read_bytes())

    assert rows == NAMES
    assert re.findall(r"`(\w+)`", option) == NAMES
    assert schema["properties"]["format"]["enum"] == NAMES


def test_an_unknown_format_is_refused() -> None:
    """The command refuses it before; a caller in Python gets the name back."""
    with pytest.raises(ValueError, match="'shapefile' is not an export format"):
        format_named("shapefile")
