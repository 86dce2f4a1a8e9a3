"""Small programmes as people really have them, from reports of faults: tests/data/field and tests/data/field_parcels.

A folder of ``field`` holds a programme, its parcels and a catalogue of few pixels. The ground of its Sentinel-2 scenes
has a reflectance of blue .03, red .04, nir .36, nir08 .37, swir16 .18 and swir22 .09, so that NDVI is .8000, EVI .5818,
NBR .6087 and NDMI .3455; docs of each test say what is peculiar.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rasterio
from demo_lake import CATALOGUE, a_deployment
from numpy.typing import NDArray
from servers import RangeServer, range_server
from stac_servers import StacServer, Twist, as_it_is, stac_server
from tables import read_rows

from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.stac import open as opening

Json = dict[str, Any]

DATA = Path(__file__).parents[1] / "data"
SCENES, PARCELS = DATA / "field", DATA / "field_parcels"
TABLE = "parcels.parquet"
NDVI = 0.8
"""Of the ground of all Sentinel-2 scenes of ``field``."""


@dataclass(frozen=True, kw_only=True)
class FieldMonth:
    """What a month of a case came to, tile by tile."""

    deployment: Deployment
    month: str

    def record(self, asset: str, tile: str | None = None) -> Record:
        """The current record of an asset, such as ``sentinel2/raw_tiles``."""
        return self.deployment.lake.current(Partition(asset, tile or self.deployment.tiles[0], self.month))

    @property
    def rows(self) -> dict[str, Json]:
        """The rows of all tiles' parcels by parcel id, without geometry."""
        return {
            row["parcel_id"]: row
            for tile in self.deployment.tiles
            for row in read_rows(self.record("monthly_proxies", tile).data / TABLE)
        }

    def decision(self, mission: str = "sentinel2", tile: str | None = None) -> Json:
        """The gate's decision of a mission."""
        path = self.record(f"{mission}/gated_tiles", tile).data / "decision.json"
        found: Json = json.loads(path.read_bytes())
        return found

    def used(self, mission: str = "sentinel2", tile: str | None = None) -> list[str]:
        """Ids of the scenes that count."""
        return [item["id"] for item in self.record(f"{mission}/raw_tiles", tile).inputs["items"]]

    def excluded(self, mission: str = "sentinel2", tile: str | None = None) -> dict[str, tuple[str, str]]:
        """Code and detail of each item that was left out before any pixel was read, by id."""
        found = self.record(f"{mission}/raw_tiles", tile).inputs["excluded"]
        return {item_id: (code, detail) for item_id, code, detail in found}


def a_field_case(name: str, folder: Path) -> Deployment:
    """A case with its catalogue on disk, copied into a folder; nothing is run."""
    shutil.copytree(SCENES / name, folder / name)
    return a_deployment(folder / name / "program.yaml")


def a_parcels_case(name: str, folder: Path) -> Deployment:
    """A case of parcels over the demo's catalogue, copied into a folder; nothing is run."""
    shutil.copytree(PARCELS / name, folder / name, symlinks=True)
    program = folder / name / "program.yaml"
    program.write_text(program.read_text().replace("DEMO_CATALOGUE", json.dumps(str(CATALOGUE))))
    return a_deployment(program)


def run_all(deployment: Deployment, month: str | None = None) -> FieldMonth:
    """Every stage of a month, by default the programme's first, in all its tiles."""
    month = month or deployment.months[0]
    for tile in deployment.tiles:
        for _ in deployment.run(tile, month):
            pass
    return FieldMonth(deployment=deployment, month=month)


def field_month(name: str, folder: Path) -> FieldMonth:
    """A case with its catalogue on disk, run."""
    return run_all(a_field_case(name, folder))


Edit = Callable[[list[Json], Path], None]
"""A change of a case's items, in place, and of the files in its catalogue's folder."""


def an_edited_case(name: str, folder: Path, edit: Edit) -> FieldMonth:
    """A case on disk, run after its items and files were changed."""
    deployment = a_field_case(name, folder)
    catalogue = folder / name / "catalogue"
    paths = sorted(path for path in catalogue.glob("*.json") if path.name != "collection.json")
    items = [json.loads(path.read_bytes()) for path in paths]
    edit(items, catalogue)
    for path, item in zip(paths, items, strict=True):
        path.write_text(json.dumps(item))
    return run_all(deployment)


def rewrite(path: Path, change: Callable[[NDArray[Any]], NDArray[Any]], **tags: object) -> None:
    """Write a file again with other pixels, or with another ``nodata``, ``units`` or (``image_``)``description``."""
    with rasterio.open(path) as source:
        pixels, profile = source.read(1), source.profile
    kept = {key: profile[key] for key in ("dtype", "crs", "transform", "nodata", "height", "width", "count")}
    described = {key: tags.pop(key) for key in ("units", "description", "image_description") if key in tags}
    with rasterio.open(path, "w", driver="GTiff", tiled=True, blockxsize=64, blockysize=64, **{**kept, **tags}) as out:
        out.write(change(pixels).astype(kept["dtype"]), 1)
        if "units" in described:
            out.units = [described["units"]]
        if "description" in described:
            out.set_band_description(1, described["description"])
        if "image_description" in described:
            out.update_tags(TIFFTAG_IMAGEDESCRIPTION=described["image_description"])


def items_of(name: str) -> list[Json]:
    """The items of a case as its catalogue links them."""
    folder = SCENES / name / "catalogue"
    links = json.loads((folder / "collection.json").read_bytes())["links"]
    return [json.loads((folder / link["href"]).read_bytes()) for link in links if link["rel"] == "item"]


@contextmanager
def a_case_served(
    name: str, folder: Path, twist: Twist = as_it_is
) -> Iterator[tuple[Deployment, StacServer, RangeServer]]:
    """A case whose items are given out by an API and whose files lie on a server of ranges, both on this machine.

    Args:
        name: The case.
        folder: Where its programme is copied to.
        twist: What the API does otherwise.
    """
    with range_server() as files:
        items = items_of(name)
        for item in items:
            for asset in item["assets"].values():
                path = SCENES / name / "catalogue" / asset["href"]
                asset["href"] = files.put(asset["href"].removeprefix("./"), path.read_bytes())
        with stac_server(items, twist=twist) as api:
            deployment = a_field_case(name, folder)
            program = deployment.program_path
            program.write_text(program.read_text().replace("API", api.root))
            yield replace(deployment, loopback=True), api, files
    opening.forget_connections()
