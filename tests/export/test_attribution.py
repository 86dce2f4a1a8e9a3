"""Whose data an export was made of is said in its list, and in every file whose format has a place for it."""

import json
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
import rasterio
from export_months import Export

from mrv_assets.export.attribution import SIMULATED, attributions
from mrv_assets.export.months import SourceScene
from mrv_assets.missions.registry import CREDITS, MISSIONS

COPERNICUS = "Contains modified Copernicus Sentinel data 2018"


def scene(mission: str, year: int, *, simulated: bool = False) -> SourceScene:
    """A scene of a mission and a year."""
    return SourceScene(
        id="s",
        mission=mission,
        collection="c",
        year=year,
        href=None,
        simulated=simulated,
        doubts=(),
    )


def test_each_mission_has_its_publishers_words() -> None:
    """Both Sentinels are one programme's; years are those of the scenes, each once."""
    scenes = [scene("landsat", 2021), scene("sentinel2", 2020), scene("sentinel1", 2019), scene("sentinel2", 2020)]

    assert CREDITS.keys() == MISSIONS.keys()
    assert attributions(scenes) == [
        "Contains modified Copernicus Sentinel data 2019, 2020",
        "Contains modified Landsat Level-2 data 2021 courtesy of the U.S. Geological Survey",
    ]
    assert attributions([]) == []


def test_simulated_scenes_are_nobodys_data() -> None:
    """They pass for no publisher's, beside real ones too."""
    assert attributions([scene("sentinel2", 2018), scene("landsat", 2018, simulated=True)]) == [COPERNICUS, SIMULATED]


@pytest.mark.parametrize("kind", ["cog", "geoparquet", "csv", "xlsx", "stac"])
def test_every_file_says_it(kind: str, export: Export, tmp_path: Path) -> None:
    """In the list beside the files, and in each of them but a CSV, which has its words beside it."""
    answer = export(kind)

    folder = tmp_path / "out"
    assert answer["attributions"] == [COPERNICUS]
    assert json.loads((folder / "mrv-export.json").read_bytes())["attributions"] == [COPERNICUS]
    # What holds no text of ours, and what leads to the collection, which says it.
    silent = (".csv", "catalog.json")
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(silent)]
    said = {path.relative_to(folder).as_posix(): _said(path) for path in files}
    assert len(said) > 1
    assert {name: text for name, text in said.items() if text != [COPERNICUS]} == {}


def _said(path: Path) -> list[str]:
    """What one exported file says."""
    match path.suffix:
        case ".tif":
            with rasterio.open(path) as file:
                return [str(file.tags().get("TIFFTAG_COPYRIGHT"))]
        case ".parquet":
            found: list[str] = json.loads(pq.read_schema(path).metadata[b"mrv_attributions"])
            return found
        case ".xlsx":
            rows = list(openpyxl.load_workbook(path)["months"].iter_rows(values_only=True))
            return sorted({str(row[rows[0].index("attribution")]) for row in rows[1:]})
    document = json.loads(path.read_bytes())
    said: list[str] = (
        document.get("attributions")
        or document.get("dc:rights")
        or document.get("mrv:attributions")
        or document["properties"]["mrv:attributions"]
    )
    return said
