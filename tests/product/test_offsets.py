"""Offsets: the same ground opens with the same reflectance, whatever zero point its scene was published with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from demo_lake import TILE, a_copied_catalogue, a_deployment, a_program, items_of, rows, run_months, up_to
from stage_names import STAGES

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment

MONTH = "2018-07"
REFLECTANCE = ("blue", "green", "red", "nir", "nir08", "swir16")
ADDED = 1000

Item = dict[str, Any]
Published = Callable[[Path, int], None]
"""Publishes one of the month's items, by its place in time, in another way."""


def changed(path: Path, *, added: int = 0, properties: Item | None = None, offset: float | None = 0.0) -> None:
    """Publish an item again: digital numbers shifted, properties added, its bands' offset stated or left out."""
    item = json.loads(path.read_bytes())
    item["properties"].pop("earthsearch:boa_offset_applied")
    item["properties"].update(properties or {})
    for key in REFLECTANCE:
        asset = item["assets"][key]
        [band] = asset["raster:bands"]
        del band["offset"]
        if offset is not None:
            band["offset"] = offset
        if added:
            del asset["file:checksum"], asset["file:size"]
            shift(path.parent / asset["href"], added)
    path.write_text(json.dumps(item))


def shift(path: Path, added: int) -> None:
    """Add to every digital number of a COG that is not nodata; GDAL writes it anew."""
    with rasterio.open(path) as file:
        values, profile = file.read(1), file.profile
    # A product that was cut off at DN 1 stays so: what was darker is not known again.
    values = np.where(values > 1, values + np.uint16(added), values).astype(np.uint16)
    names = ("dtype", "crs", "transform", "nodata", "height", "width", "count")
    with rasterio.open(path, "w", driver="COG", compress="deflate", **{name: profile[name] for name in names}) as file:
        file.write(values, 1)


def as_published(path: Path, number: int) -> None:
    """Offset 0 stated, nothing applied: processing before baseline 04.00, as the demo's catalogue has it."""
    del path, number


def stated(path: Path, number: int) -> None:
    """Baseline 04.00 as Earth Search's collection 1 has it: DN + 1000, offset -0.1 stated."""
    changed(path, added=ADDED, properties={"s2:processing_baseline": "04.00"}, offset=-0.1)


def by_baseline(path: Path, number: int) -> None:
    """Baseline 04.00 as Planetary Computer has it: DN + 1000, no offset stated."""
    changed(path, added=ADDED, properties={"s2:processing_baseline": "04.00"}, offset=None)


def applied(path: Path, number: int) -> None:
    """Baseline 04.00 as Earth Search's first collection has it: shifted back already, and -0.1 stated all the same."""
    properties = {"s2:processing_baseline": "04.00", "earthsearch:boa_offset_applied": True}
    changed(path, properties=properties, offset=-0.1)


def old_baseline(path: Path, number: int) -> None:
    """Baseline 03.01: nothing stated, nothing shifted."""
    changed(path, properties={"s2:processing_baseline": "03.01"}, offset=None)


def mixed(path: Path, number: int) -> None:
    """03.01, 04.00 and applied items in one month, as January 2022 has them."""
    (old_baseline, stated, applied, by_baseline, as_published)[number](path, number)


def published(folder: Path, publish: Published) -> Deployment:
    """The demo's July from a catalogue whose items are published another way, not yet materialized."""
    catalogue = a_copied_catalogue(folder / "catalogue", [MONTH])
    for number, path in enumerate(items_of(catalogue, MONTH)):
        publish(path, number)
    return a_deployment(a_program(folder, catalog="catalogue", months={"start": MONTH, "end": MONTH}))


def a_month(folder: Path, publish: Published) -> Deployment:
    """The same, with every asset materialized."""
    deployment = published(folder, publish)
    run_months(deployment, [MONTH])
    return deployment


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """July as the demo's catalogue publishes it."""
    return a_month(tmp_path_factory.mktemp("original"), as_published)


@pytest.mark.parametrize("publish", [stated, by_baseline, applied, old_baseline, mixed])
def test_the_same_ground_gives_the_same_month(publish: Published, original: Deployment, tmp_path: Path) -> None:
    """Reflectance is identical bit for bit, and so is every parcel's row."""
    deployment = a_month(tmp_path, publish)

    expected, found = (parcels_of(p.lake.open("sentinel2/aligned_tiles", TILE, MONTH)) for p in (original, deployment))
    xr.testing.assert_identical(found, expected)
    assert int(found.red.notnull().sum()) > 1000
    assert rows(deployment, MONTH) == rows(original, MONTH)
    for stage in STAGES[1:]:
        # Beyond raw_tiles nothing that is stored knows how it was published.
        one, other = (p.lake.current(Partition(f"sentinel2/{stage}", TILE, MONTH)) for p in (original, deployment))
        assert one.data.name == other.data.name, stage


def parcels_of(month: xr.Dataset) -> xr.Dataset:
    """The part of the tile that the demo's scenes cover, loaded, without what names the record."""
    part = month.isel(y=slice(9300, 9450), x=slice(8950, 9120)).load()
    part.attrs.pop("mrv_audit_hash")
    return part


def test_the_record_says_what_settled_each_offset(tmp_path: Path) -> None:
    """Scene by scene: the rule, and how far digital numbers were moved to the mission's convention."""
    deployment = up_to("raw_tiles", published(tmp_path, mixed))

    record = deployment.lake.current(Partition("sentinel2/raw_tiles", TILE, MONTH))

    scenes = [s for o in json.loads((record.data / "scenes.json").read_bytes()) for s in o["scenes"]]
    assert [(scene["offset_rule"], scene["dn_shift"]) for scene in scenes] == [
        ("baseline", 1000),
        ("stated", 0),
        ("boa_offset_applied", 1000),
        ("baseline", 0),
        ("stated", 1000),
    ]


def test_an_offset_left_out_would_show(original: Deployment, tmp_path: Path) -> None:
    """The comparison has teeth: shifted pixels that claim offset 0 give other reflectance."""
    deployment = up_to(
        "aligned_tiles", published(tmp_path, lambda path, number: changed(path, added=ADDED, offset=0.0))
    )

    expected, found = (parcels_of(p.lake.open("sentinel2/aligned_tiles", TILE, MONTH)) for p in (original, deployment))
    np.testing.assert_allclose((found.red - expected.red).max(), 0.1, atol=1e-6)
