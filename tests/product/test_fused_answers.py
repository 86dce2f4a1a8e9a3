"""What is said of a month that several missions gave: explained, shown in Dagster, exported, proven, decided on."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
import rasterio
from demo_lake import REPOSITORY, python, rows, run_months
from export_months import exported
from fused_months import ORDER, PARTLY, a_changed, product, the_months
from jsonschema import Draft202012Validator
from once import Once
from referencing import Registry, Resource
from simulated_patches import TILE
from stage_names import PRODUCT, STAGES
from tampering import put

from mrv_assets.audit.record import Partition
from mrv_assets.defs.build import build_definitions
from mrv_assets.defs.metadata import metadata_of
from mrv_assets.deployment import Deployment
from mrv_assets.errors import DamagedLake, ProgramError
from mrv_assets.export.attribution import SIMULATED, attributions
from mrv_assets.export.months import read_month
from mrv_assets.formats.artifacts import decision_of
from mrv_assets.programme.file import load_program
from mrv_assets.reports.explain import answer as explain_answer
from mrv_assets.reports.explain import text as explained
from mrv_assets.settings import current
from mrv_assets.stages.materialize import Materialized, Outcome
from mrv_assets.verify.proof import write_proofs

Json = dict[str, Any]
SCHEMAS = {path.name: json.loads(path.read_bytes()) for path in (REPOSITORY / "docs" / "schemas").glob("*.json")}


@pytest.fixture(scope="module")
def deployment(once: Once) -> Deployment:
    """A month that both optical missions see a part of, and the radar all; among others."""
    return the_months(once)


def a_fused_parcel(deployment: Deployment) -> str:
    """A parcel whose pixels are from both."""
    return next(
        name for name, row in rows(deployment, PARTLY).items() if row["sentinel2_share"] and row["landsat_share"]
    )


def test_an_explanation_goes_back_to_the_scenes_of_every_mission(deployment: Deployment) -> None:
    """Shares, scenes and records of all that the month has values of, in the form of the schema."""
    parcel = a_fused_parcel(deployment)
    row = rows(deployment, PARTLY)[parcel]

    answer = explain_answer(deployment, parcel, PARTLY)

    registry: Registry[Any] = Registry().with_resources([(n, Resource.from_contents(s)) for n, s in SCHEMAS.items()])
    assert [
        e.message for e in Draft202012Validator(SCHEMAS["explain.json"], registry=registry).iter_errors(answer)
    ] == []
    [part] = answer["parts"]
    assert [(one["mission"], one["used"], one["share"]) for one in part["missions"]] == [
        ("sentinel2", True, row["sentinel2_share"]),
        ("landsat", True, row["landsat_share"]),
        ("sentinel1", True, None),
    ]
    decisions = {
        name: decision_of(deployment.lake.current(Partition(f"{name}/gated_tiles", TILE, PARTLY))) for name in ORDER
    }
    assert [(scene["mission"], scene["id"]) for scene in part["scenes"]] == [
        (name, scene) for name in ORDER for o in decisions[name]["observations"] for scene in o["scenes"]
    ]
    assert [record["asset"] for record in part["records"]] == [
        PRODUCT,
        *(f"{name}/{stage}" for name in ORDER for stage in reversed(STAGES)),
    ]


def test_an_explanation_reads_on_one_screen(deployment: Deployment) -> None:
    """Which mission gave how much, each gate, and the radar's indices below the optical ones."""
    parcel = a_fused_parcel(deployment)
    row = rows(deployment, PARTLY)[parcel]

    page = explained(explain_answer(deployment, parcel, PARTLY))

    shares = f"sentinel2 {row['sentinel2_share']:.4f}, landsat {row['landsat_share']:.4f}"
    assert f"Pixels of the parcel's area from {shares}\n" in page
    for name in ORDER:
        assert f"Tile gate: PASSED on {name}, clear " in page
    assert f"RVI   {row['rvi_mean']:.4f}, spatial std" in page


def test_dagster_shows_what_each_mission_gave(deployment: Deployment) -> None:
    """Shares of the parcels' area are among the first metadata; they add up to what was seen of it."""
    record = deployment.lake.current(Partition(PRODUCT, TILE, PARTLY))

    shown = metadata_of(Materialized(record=record, outcome=Outcome.COMPUTED), 0)

    assert list(shown)[:5] == ["gate_status", "mission", "sentinel2_share", "landsat_share", "beside"]
    assert 0 < shown["landsat_share"] < shown["sentinel2_share"] < 1
    areas = np.array([row["parcel_area_ha"] for row in rows(deployment, PARTLY).values()])
    seen = np.array([row["valid_fraction"] for row in rows(deployment, PARTLY).values()])
    # The parcels lie apart, so their union is all of them; their areas on the plane are not quite the geodesic ones.
    assert shown["sentinel2_share"] + shown["landsat_share"] == pytest.approx(np.average(seen, weights=areas), abs=1e-4)


@pytest.mark.parametrize(("fusion", "waits"), [(True, []), (False, ["sentinel2/gated_tiles"])])
def test_with_fusion_no_mission_waits_for_anothers_gate(
    deployment: Deployment, tmp_path: Path, fusion: bool, waits: list[str]
) -> None:
    """Without it a search begins when the decision that may spare it is there."""
    program = a_changed(deployment, tmp_path / "programme", fusion=fusion).program_path

    definitions = build_definitions(current({"MRV_PROGRAM": str(program)}, program.parent))

    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    assert [dep.asset_key.to_user_string() for dep in specs["landsat/raw_tiles"].deps] == waits
    assert isinstance(definitions, dg.Definitions)


def test_an_export_says_which_mission_each_pixel_is_from(deployment: Deployment, tmp_path: Path) -> None:
    """The layer of sources is a file of its own, bit for bit, whose tags say what its numbers mean."""
    stored = deployment.lake.open(PRODUCT, TILE, PARTLY)["source"]

    answer = exported(deployment, "cog", tmp_path / "out", month=PARTLY)

    [month] = answer["months"]
    assert (month["mission"], month["missions"]) == ("sentinel2", list(ORDER))
    with rasterio.open(tmp_path / "out" / f"{TILE}_{PARTLY}_source.tif") as file:
        pixels, tags = file.read(1), file.tags()
        columns = slice(int((file.transform.c - float(stored.x[0]) + 5) / 10), None)
        first_row = int((float(stored.y[0]) + 5 - file.transform.f) / 10)
    whole = stored.to_numpy()[first_row : first_row + pixels.shape[0], columns][:, : pixels.shape[1]]
    np.testing.assert_array_equal(pixels, whole)
    assert {1, 2} <= set(np.unique(pixels))
    assert tags["mrv_sources"] == "1 sentinel2, 2 landsat, 3 sentinel1"


def test_an_export_names_the_scenes_of_every_mission(deployment: Deployment) -> None:
    """What a month is derived from is all that gave it a value."""
    month = read_month(deployment.lake, TILE, PARTLY)

    used = {
        (scene, name)
        for name in ORDER
        for o in decision_of(deployment.lake.current(Partition(f"{name}/gated_tiles", TILE, PARTLY)))["observations"]
        for scene in o["scenes"]
    }
    assert {(scene.id, scene.mission) for scene in month.scenes} == used
    # They show no real ground, and pass for nobody's data.
    assert attributions(month.scenes) == [SIMULATED]
    assert month.missions == ORDER


def test_a_month_that_hides_a_mission_is_not_exported(deployment: Deployment, tmp_path: Path) -> None:
    """The gates say who takes part: a record that leaves one out does not fit together with them."""
    copy = a_changed(deployment, tmp_path / "copy")
    record = copy.lake.current(Partition(PRODUCT, TILE, PARTLY))
    folder = copy.lake.slot(Partition(PRODUCT, TILE, PARTLY)).folder
    fusion = {**record.output["fusion"], "beside": None}
    forged = put(folder / "records", {**record.document, "output": {**record.output, "fusion": fusion}})
    (folder / "heads" / "000002.json").write_text(json.dumps({"previous": record.audit_hash, "record": forged.stem}))

    with pytest.raises(DamagedLake):
        read_month(copy.lake, TILE, PARTLY)


def test_a_fused_parcel_has_a_proof(deployment: Deployment, tmp_path: Path) -> None:
    """The checker, which knows nothing of us, follows the records of all missions, and has pixels of every value."""
    parcel = a_fused_parcel(deployment)
    [(file, audit_hash)] = write_proofs(
        deployment.lake, explain_answer(deployment, parcel, PARTLY), tmp_path / "proof.json"
    )

    done = python("-I", str(REPOSITORY / "docs" / "check_proof.py"), str(file), audit_hash, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert all(f"ok   {name}/raw_tiles" in done.stdout for name in ORDER)
    assert done.stdout.endswith("pixels for each value, and for no other: evi, nbr, ndmi, ndvi, rvi, vh_vv\n")


@pytest.mark.parametrize("order", [["sentinel1", "sentinel2", "landsat"], ["sentinel1"]])
def test_a_radar_cannot_come_first_with_fusion(deployment: Deployment, tmp_path: Path, order: list[str]) -> None:
    """There would be no gap to fill; the programme says so, with the cure."""
    missions = {name: {"catalog": "earth-search", "collection": "any"} for name in order}
    changed = a_changed(deployment, tmp_path / "programme", substitution=order, missions=missions)

    with pytest.raises(
        ProgramError, match=r"fusion(.|\n)*sentinel1, is a radar(.|\n)*Begin substitution with an optical"
    ):
        load_program(changed.program_path)


def test_the_option_is_true_or_false(deployment: Deployment, tmp_path: Path) -> None:
    """Anything else is refused, with what to write."""
    changed = a_changed(deployment, tmp_path / "programme", fusion="yes, please")

    with pytest.raises(ProgramError, match=r"fusion(.|\n)*true or false"):
        load_program(changed.program_path)


def test_the_same_month_is_not_computed_twice(deployment: Deployment) -> None:
    """A known request is answered from the lake."""
    assert (
        product(deployment, PARTLY).audit_hash == deployment.lake.current(Partition(PRODUCT, TILE, PARTLY)).audit_hash
    )
    assert {done.outcome for done in run_months(deployment, [PARTLY])[PARTLY].values()} == {Outcome.UNCHANGED}
