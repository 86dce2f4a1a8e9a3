"""Raw tiles: the publisher's bytes, what was left out and why."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from block_scenes import CORNER, MONTH, TILE, Box, SceneSpec, a_programme_of
from demo_lake import decision, rows, run_months

from mrv_assets.audit.record import Partition
from mrv_assets.errors import HoleError
from mrv_assets.lake.view import open_raw_band

# rioxarray 0.19 multiplies transforms in a way that affine 3.1 is about to deprecate.
affine_is_young = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

PARCEL = Box(row=CORNER - 70, col=CORNER - 70, height=10, width=10)
SCENES = [
    SceneSpec(id="first", when="2018-07-05T09:30:00Z"),
    SceneSpec(id="second", when="2018-07-15T09:30:00Z", dn={"nir": 5500}),
]


def test_a_truncated_file_costs_its_scene_and_not_the_month(tmp_path: Path) -> None:
    """The header promises more bytes than there are: that scene is refused by name, the other one counts."""
    deployment = a_programme_of(tmp_path, SCENES, {"p": PARCEL})
    band = tmp_path / "catalogue" / "items" / "0" / "nir.tif"
    band.write_bytes(band.read_bytes()[: -band.stat().st_size // 3])

    run_months(deployment, [MONTH])

    [refused] = deployment.lake.current(Partition("sentinel2/raw_tiles", TILE, MONTH)).output["refused"]
    assert (refused["id"], refused["code"]) == ("first", "truncated")
    assert "nir" in refused["detail"]
    gate = decision(deployment.lake, MONTH)
    assert (gate["status"], gate["scenes_refused"]) == ("PASSED", [refused])
    assert [o["scenes"] for o in gate["observations"]] == [["second"]]
    assert (gate["completeness"]["kept"], gate["completeness"]["refused"]) == (1, 1)
    row = rows(deployment, MONTH)["p"]
    assert row["n_obs"] == 1
    assert row["ndvi_mean"] == pytest.approx((0.45 - 0.05) / (0.45 + 0.05), abs=1e-4)


@affine_is_young
def test_stored_cog_tiles_are_the_publishers_bytes(tmp_path: Path) -> None:
    """What the sidecar says was fetched stands in the lake, byte for byte, and reads as published."""
    deployment = a_programme_of(tmp_path, SCENES, {"p": PARCEL})
    run_months(deployment, [MONTH])
    raw = deployment.lake.current(Partition("sentinel2/raw_tiles", TILE, MONTH))

    observations = json.loads((raw.data / "scenes.json").read_bytes())

    band = observations[1]["scenes"][0]["bands"]["nir"]
    published = tmp_path / "catalogue" / "items" / "1" / "nir.tif"
    stored = (raw.data / band["file"]).read_bytes()
    assert band["fetched"]
    for offset, length in band["ranges"]:
        assert published.read_bytes()[offset : offset + length] in stored
    opened = open_raw_band(deployment.lake, "sentinel2", TILE, MONTH, "second", "nir")
    with rasterio.open(published) as file:
        np.testing.assert_array_equal(opened[:32, :32], file.read(1)[:32, :32])
        assert opened.rio.crs == file.crs
        assert opened.rio.transform() == file.transform


@affine_is_young
def test_pixels_that_were_never_fetched_are_a_hole_and_no_nodata(tmp_path: Path) -> None:
    """Beyond the active block and its halo nothing was fetched: reading there is an error that says so."""
    deployment = a_programme_of(tmp_path, SCENES, {"p": PARCEL})
    run_months(deployment, [MONTH])

    opened = open_raw_band(deployment.lake, "sentinel2", TILE, MONTH, "second", "nir")

    with pytest.raises(HoleError, match=r"nir\.tif.*were not fetched"):
        opened[-10:, -10:].compute()


def test_every_item_of_the_month_is_accounted_for(tmp_path: Path) -> None:
    """Matched is kept and excluded and refused; what another month's item is, is none of this month's."""
    scenes = [
        *SCENES,
        SceneSpec(id="no-quality", when="2018-07-20T09:30:00Z", without=("scl",)),
        SceneSpec(id="next-month", when="2018-08-01T00:00:00Z"),
        SceneSpec(id="elsewhere", box=Box(row=100, col=100, height=64, width=64)),
    ]
    deployment = a_programme_of(tmp_path, scenes, {"p": PARCEL})

    run_months(deployment, [MONTH])

    record = deployment.lake.current(Partition("sentinel2/raw_tiles", TILE, MONTH))
    completeness = record.output["completeness"]
    assert {name: completeness[name] for name in ("matched", "kept", "excluded", "refused")} == {
        "matched": 3,
        "kept": 2,
        "excluded": 1,
        "refused": 0,
    }
    assert "quality_missing" in json.dumps(record.inputs)
