"""What a stage is given is what its record says, made under this programme; else it is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from block_scenes import AROUND, CLOUD, CORNER, MONTH, TILE, Box, SceneSpec, a_programme_of, shaded
from demo_lake import rows, run_months
from shut_months import a_copy

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import DamagedLake, GateRefused, StaleUpstream
from mrv_assets.missions.mission import described
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.stages.materialize import Outcome
from mrv_assets.stages.options import RunOptions
from mrv_assets.stages.table import PRODUCT

CLEAR = Box(row=CORNER - 50, col=CORNER - 50, height=10, width=10)
CLOUDED = Box(row=CORNER - 50, col=CORNER - 20, height=10, width=10)
HALF_CLOUD = SceneSpec(id="s", scl=shaded(AROUND, (CLOUDED, CLOUD)))
BOXES = {"a": CLEAR, "b": CLOUDED}


@pytest.fixture(scope="module")
def once_made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Deployment]:
    """A month half under cloud that passes all the same, and a clear one. Nothing changes them."""
    made = {
        name: a_programme_of(tmp_path_factory.mktemp(name), [scene], BOXES, gate={"min_coverage": 0.5})
        for name, scene in (("half", HALF_CLOUD), ("clear", SceneSpec(id="s")))
    }
    for deployment in made.values():
        run_months(deployment, [MONTH])
    return made


@pytest.fixture
def half(once_made: dict[str, Deployment], tmp_path: Path) -> Deployment:
    """A copy of the month half under cloud, to be changed."""
    return a_copy(once_made["half"], tmp_path / "half")


@pytest.fixture
def clear(once_made: dict[str, Deployment], tmp_path: Path) -> Deployment:
    """A copy of the clear month, to be changed."""
    return a_copy(once_made["clear"], tmp_path / "clear")


def the_product_again(deployment: Deployment) -> None:
    """Materialize monthly_proxies alone, as a selection in the UI does."""
    fresh = replace(deployment)
    fresh.materialize(PRODUCT, fresh.plan(TILE, MONTH))


def changed(deployment: Deployment, **fields_of_program: Any) -> Deployment:
    """The same lake under an edited programme file."""
    document = yaml.safe_load(deployment.program_path.read_text())
    deployment.program_path.write_text(yaml.safe_dump({**document, **fields_of_program}))
    return replace(deployment)


def test_an_edited_decision_lets_nothing_in(tmp_path: Path) -> None:
    """A rejected month whose decision file was rewritten to PASSED is damage, not an inventory."""
    deployment = a_programme_of(tmp_path, [HALF_CLOUD], BOXES)
    run_months(deployment, [MONTH])
    path = deployment.lake.current(Partition("sentinel2/gated_tiles", TILE, MONTH)).data / "decision.json"
    path.write_bytes(path.read_bytes().replace(b'"REJECTED"', b'"PASSED"').replace(b'"passed":false', b'"passed":true'))
    shutil.rmtree(deployment.lake_path / PRODUCT)

    with pytest.raises(DamagedLake, match="decision"):
        the_product_again(deployment)
    with pytest.raises((DamagedLake, GateRefused)):
        deployment.lake.open("sentinel2/gated_tiles", TILE, MONTH)


def test_an_edited_list_of_scenes_is_not_read(half: Deployment) -> None:
    """It says how digital numbers are shifted: altered, it would alter reflectance without a trace."""
    path = half.lake.current(Partition("sentinel2/raw_tiles", TILE, MONTH)).data / "scenes.json"
    document = json.loads(path.read_bytes())
    document[0]["scenes"][0]["dn_shift"] += 1
    path.write_text(json.dumps(document))

    with pytest.raises(DamagedLake, match="scenes"):
        half.materialize("aligned_tiles", half.plan(TILE, MONTH, SENTINEL2))


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        ({"gate": {"min_coverage": 0.4}}, "gate"),
        ({"grid": {"crs": "utm", "resolution_m": 20}}, "resolution_m"),
    ],
)
def test_an_older_decision_decides_nothing_under_a_new_programme(
    half: Deployment, edit: dict[str, Any], names: str
) -> None:
    """Running the last asset alone after an edit is refused, and says what to run; running all heals it."""
    edited = changed(half, **edit)

    with pytest.raises(StaleUpstream, match=rf"{names}.*mrv run --tile {TILE} --month {MONTH}"):
        the_product_again(edited)
    run_months(edited, [MONTH])
    the_product_again(edited)


def test_a_parcel_is_never_given_anothers_decision(half: Deployment) -> None:
    """Ids swapped between two geometries: the old decision is refused; run again, each row is its own ground's."""
    text = half.program.parcels_path.read_text()
    swapped = text.replace('"a"', '"?"').replace('"b"', '"a"').replace('"?"', '"b"')
    assert swapped != text
    half.program.parcels_path.write_text(swapped)
    edited = replace(half)

    with pytest.raises(StaleUpstream, match="parcels"):
        the_product_again(edited)
    run_months(edited, [MONTH])

    assert {parcel: row["valid_fraction"] for parcel, row in rows(edited, MONTH).items()} == {"a": 0.0, "b": 1.0}


def test_missing_data_of_a_head_is_damage(half: Deployment) -> None:
    """A record whose data is gone is named, with its cure; it does not look like an empty month."""
    shutil.rmtree(half.lake.current(Partition("sentinel2/indices", TILE, MONTH)).data)

    with pytest.raises(DamagedLake, match=r"sentinel2/indices.*missing"):
        half.materialize("gated_tiles", half.plan(TILE, MONTH, SENTINEL2))


@pytest.mark.parametrize(
    ("asset", "next_stage"),
    [
        ("sentinel2/raw_tiles", "aligned_tiles"),
        ("sentinel2/aligned_tiles", "masked_tiles"),
        ("sentinel2/aligned_tiles", "indices"),
        ("sentinel2/masked_tiles", "gated_tiles"),
        ("sentinel2/indices", "monthly_proxies"),
    ],
)
def test_nothing_is_computed_from_altered_bytes(clear: Deployment, asset: str, next_stage: str) -> None:
    """A flipped byte that still decodes would pass into the inventory: what is read must be what was written."""
    data = clear.lake.current(Partition(asset, TILE, MONTH)).data
    # A pixel of a GeoTIFF, or of the last chunk.
    altered = sorted(path for path in data.rglob("*") if path.suffix == ".tif" or "/c/" in path.as_posix())[-1]
    flip_last_byte(altered)

    mission = None if next_stage == PRODUCT else SENTINEL2
    with pytest.raises(DamagedLake, match=f"{altered.name}.*(must be|its record speaks of)"):
        clear.materialize(next_stage, clear.plan(TILE, MONTH, mission, RunOptions(force=True)))
    run_again = [
        clear.materialize(stage, clear.plan(TILE, MONTH, of, RunOptions(force=True)))
        for stage, of in ((asset.rpartition("/")[2], SENTINEL2), (next_stage, mission))
    ]

    assert [done.outcome for done in run_again] == [Outcome.REPRODUCED] * 2


def flip_last_byte(path: Path) -> None:
    """Alter one byte of a file."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_data_of_which_no_run_tells_is_not_read(clear: Deployment) -> None:
    """Without its run record nothing says which bytes were written."""
    shutil.rmtree(clear.lake_path / "sentinel2" / "masked_tiles" / TILE / MONTH / "runs")

    with pytest.raises(DamagedLake, match="no run record"):
        clear.materialize("gated_tiles", clear.plan(TILE, MONTH, SENTINEL2, RunOptions(force=True)))


def test_ground_of_a_scene_without_a_band_loses_that_band_only(tmp_path: Path) -> None:
    """Two scenes of one pass, the eastern one without swir22: NDVI everywhere, NBR in the west."""
    one_pass = {"platform": "sentinel-2a", "sat:absolute_orbit": 15800}
    west = Box(row=AROUND.row, col=AROUND.col, height=200, width=60)
    east = Box(row=AROUND.row, col=AROUND.col + 60, height=200, width=140)
    scenes = [
        SceneSpec(id="a", box=west, properties=one_pass),
        SceneSpec(id="b", box=east, when="2018-07-10T09:30:24Z", properties=one_pass, without=("swir22",)),
    ]
    deployment = a_programme_of(tmp_path, scenes, {"p": Box(row=CORNER - 50, col=CORNER - 50, height=10, width=20)})

    run_months(deployment, [MONTH])

    row = rows(deployment, MONTH)["p"]
    assert row["valid_fraction"] == 1.0
    assert row["n_obs"] == 1
    assert row["ndvi_valid_area_ha"] == pytest.approx(row["parcel_area_ha"])
    assert row["nbr_valid_area_ha"] == pytest.approx(row["parcel_area_ha"] / 2, rel=1e-3)


def test_scenes_that_were_all_excluded_are_not_no_scenes(tmp_path: Path) -> None:
    """The catalogue had an image; that it could not be used is another reason than that there was none."""
    deployment = a_programme_of(tmp_path, [SceneSpec(id="s", without=("scl",))], BOXES)

    run_months(deployment, [MONTH])

    record = deployment.lake.current(Partition("sentinel2/gated_tiles", TILE, MONTH))
    assert record.output["reasons"] == ["all_scenes_refused"]


def test_all_of_a_mission_is_in_the_requests_made_from_it(half: Deployment) -> None:
    """No field decides an output without being part of the request: the manifest says every value."""

    for stage in ("raw_tiles", "aligned_tiles", "masked_tiles", "indices"):
        manifest = half.lake.current(Partition(f"sentinel2/{stage}", TILE, MONTH)).document["plan"]
        assert manifest["mission"] == described(SENTINEL2)
