"""What a programme has done to pixels: recorded where it counts, asked for by who reads it, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest
from block_scenes import MONTH, PLAIN, TILE, Box, SceneSpec, a_programme_of
from demo_lake import rows, run_months
from tampering import quiet

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import StaleUpstream
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.reports.verify import answer as verify
from mrv_assets.science.blocks import BLOCK
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.verification import Options

PARCEL = Box(row=10 * BLOCK + 300, col=10 * BLOCK + 300, height=10, width=10)
AROUND = Box(row=PARCEL.row - 20, col=PARCEL.col - 20, height=50, width=50)
SNOW = 11


def a_place_of(folder: Path, *, scl: int = 4, **changed: Any) -> Deployment:
    """A programme of one parcel and one scene; nothing is materialized."""
    scenes = [SceneSpec(id="a", box=AROUND, scl=scl)]
    return a_programme_of(folder, scenes, {"p": PARCEL}, tiles={"p": TILE}, **changed)


def materialized(deployment: Deployment) -> Deployment:
    """The programme with its month in the lake."""
    run_months(deployment, [MONTH])
    return deployment


def manifest_of(deployment: Deployment, stage: str) -> dict[str, Any]:
    """A stage's parameters, by its current record."""
    plan: dict[str, Any] = deployment.lake.current(Partition(f"sentinel2/{stage}", TILE, MONTH)).document["plan"]
    return plan


def test_an_adjusted_month_has_the_indices_of_adjusted_reflectance(tmp_path: Path) -> None:
    """NDVI of B8A and red by the printed lines, the parcel's row and the plan say so; the lake alone repeats it."""
    deployment = materialized(a_place_of(tmp_path, bandpass="hls-s2a"))

    nir, red, swir22 = (PLAIN[band] * 1e-4 - 0.1 for band in ("nir08", "red", "swir22"))
    nir, red, swir22 = nir * 0.9983 - 0.0001, red * 0.9765 + 0.0009, swir22 * 1.0030 - 0.0012
    row = rows(deployment, MONTH)["p"]
    assert row["ndvi_mean"] == pytest.approx((nir - red) / (nir + red), abs=1e-4)
    assert row["nbr_mean"] == pytest.approx((nir - swir22) / (nir + swir22), abs=1e-4)
    plan = manifest_of(deployment, "indices")
    assert plan["bands"]["ndvi"] == ["nir08", "red"]
    assert plan["bandpass"]["bands"]["red"] == {"type": "Linear", "slope": 0.9765, "offset": 0.0009}
    answer = verify(deployment.lake_path, Options(), again=True, progress=quiet)
    assert {one["answer"] for one in answer["rerun"]} == {"IDENTICAL"}


def test_without_an_adjustment_the_plan_says_nothing_of_one(tmp_path: Path) -> None:
    """Nor of speckle or direction, which Sentinel-2 does not have: they change no record of it."""
    deployment = materialized(a_place_of(tmp_path))
    before = deployment.current_hashes(TILE, MONTH)

    after = a_place_of(tmp_path, speckle="none", orbit_direction="ascending")

    plan = manifest_of(deployment, "indices")
    assert not {"bandpass", "speckle"} & set(plan)
    assert "orbit_direction" not in manifest_of(deployment, "raw_tiles")
    assert plan["bands"]["ndvi"] == ["nir", "red"]
    assert before is not None
    assert after.current_hashes(TILE, MONTH) == before


@pytest.mark.parametrize(
    ("changed", "stage", "names"),
    [
        ({"bandpass": "hls-s2a"}, "gated_tiles", "bandpass"),
        ({"bandpass": "hls-s2a"}, PRODUCT, "bandpass"),
        ({"snow_is_clear": True}, "indices", "snow_is_clear"),
        ({"snow_is_clear": True}, "gated_tiles", "snow_is_clear"),
        ({"snow_is_clear": True}, PRODUCT, "snow_is_clear"),
    ],
)
def test_what_was_made_under_another_treatment_is_refused(
    changed: dict[str, Any], stage: str, names: str, tmp_path: Path
) -> None:
    """Whatever is run alone after a change of the programme: old masks or indices do not pass for new ones."""
    materialized(a_place_of(tmp_path))
    deployment = a_place_of(tmp_path, **changed)

    with pytest.raises(StaleUpstream, match=f"made with another {names} than the programme has now"):
        deployment.materialize(stage, deployment.plan(TILE, MONTH, None if stage == PRODUCT else SENTINEL2))


def test_snow_is_ground_where_the_programme_says_so(tmp_path: Path) -> None:
    """Sentinel-2's class 11 counts then; by default it does not."""
    without = materialized(a_place_of(tmp_path / "without", scl=SNOW, gate={"min_coverage": 0.0}))

    snow = materialized(a_place_of(tmp_path / "with", scl=SNOW, gate={"min_coverage": 0.0}, snow_is_clear=True))

    assert rows(without, MONTH)["p"]["valid_fraction"] == 0.0
    assert rows(snow, MONTH)["p"]["valid_fraction"] == 1.0
    answer = verify(snow.lake_path, Options(), again=True, progress=quiet)
    assert {one["answer"] for one in answer["rerun"]} == {"IDENTICAL"}
