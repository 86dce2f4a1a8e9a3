"""Missions stand in for one another: in the order the programme states, marked everywhere, and only where needed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shapely
import yaml
from demo_lake import REPOSITORY, a_deployment, a_program, python, rows, run_months
from shut_months import a_copy
from simulated_patches import COLLECTIONS, TILE, a_patch, asking
from stage_names import STAGES
from tampering import findings, put

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import NotEvaluated, StaleUpstream
from mrv_assets.formats.artifacts import decision_of
from mrv_assets.lake.view import open_view
from mrv_assets.reports.explain import answer as explain_answer
from mrv_assets.reports.explain import text as explained
from mrv_assets.reports.verify import answer as verify
from mrv_assets.simulated.archive import Archive, Landsat, Sentinel1, Sentinel2
from mrv_assets.simulated.publish import simulate
from mrv_assets.simulated.truth import truth
from mrv_assets.verify.proof import write_proofs
from mrv_assets.verify.verification import Options

Json = dict[str, Any]

CLEAR, CLOUDED, DARK = "2023-06", "2023-07", "2023-08"
"""All missions see the ground; Sentinel-2 sees a tenth of it; no optical mission sees any of it."""
ORDER = ("sentinel2", "landsat", "sentinel1")
CHOSEN = {CLEAR: "sentinel2", CLOUDED: "landsat", DARK: "sentinel1"}
INDICES = {
    "sentinel2": ("ndvi", "evi", "nbr", "ndmi"),
    "landsat": ("ndvi", "evi", "nbr", "ndmi"),
    "sentinel1": ("vh_vv", "rvi"),
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Archive, Json]:
    """Three months of three missions over forest."""
    folder = tmp_path_factory.mktemp("archive") / "catalogue"
    observers = (
        Sentinel2(every_days=15, clouds={CLOUDED: 0.9, DARK: 1.0}),
        Landsat(every_days=16, clouds={DARK: 1.0}),
        Sentinel1(every_days=12),
    )
    archive, parcels = asking(a_patch(months=tuple(CHOSEN), observers=observers))
    simulate(folder, archive)
    return folder, archive, parcels


def a_programme(
    folder: Path, archive: tuple[Path, Archive, Json], missions: tuple[str, ...] = ORDER, **changed: Any
) -> Deployment:
    """A programme of some of the missions, each standing in for those before it."""
    catalogue, _, parcels = archive
    program = a_program(
        folder,
        parcels=changed.pop("parcels", parcels),
        missions={name: {"catalog": str(catalogue), "collection": COLLECTIONS[name]} for name in missions},
        substitution=list(missions),
        months={"start": CLEAR, "end": DARK},
        **changed,
    )
    return a_deployment(program)


@pytest.fixture(scope="module")
def ran(archive: tuple[Path, Archive, Json], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The three months after all stages of all missions, with a radar allowed."""
    deployment = a_programme(tmp_path_factory.mktemp("ran"), archive, allow_sar=True)
    run_months(deployment, list(CHOSEN))
    return deployment


def statuses(deployment: Deployment, month: str) -> list[str]:
    """The gate's decision on each mission."""
    gated = [
        deployment.lake.current(Partition(f"{mission.name}/gated_tiles", TILE, month))
        for mission in deployment.missions
    ]
    return [decision_of(record)["status"] for record in gated]


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        (CLEAR, ["PASSED", "NOT_EVALUATED", "NOT_EVALUATED"]),
        (CLOUDED, ["REJECTED", "PASSED", "NOT_EVALUATED"]),
        (DARK, ["REJECTED", "REJECTED", "PASSED"]),
    ],
)
def test_a_later_mission_is_looked_at_only_where_it_is_needed(ran: Deployment, month: str, expected: list[str]) -> None:
    """The first that was seen well enough ends the search; those behind it say so, by the decision that ended it."""
    assert statuses(ran, month) == expected

    for mission, status in zip(ORDER, expected, strict=True):
        raw = ran.lake.current(Partition(f"{mission}/raw_tiles", TILE, month))
        if status == "NOT_EVALUATED":
            opened = ran.lake.current(Partition(f"{CHOSEN[month]}/gated_tiles", TILE, month))
            assert raw.output["earlier"] == {
                "mission": CHOSEN[month],
                "status": "PASSED",
                "audit_hash": opened.audit_hash,
            }
            assert [path.name for path in raw.data.iterdir()] == ["decision.json"]
        else:
            assert raw.output["completeness"]["kept"] > 0


def test_a_month_is_explained_by_its_own_missions(
    ran: Deployment, archive: tuple[Path, Archive, Json], tmp_path: Path
) -> None:
    """The programme has since let Landsat go: what it gave is explained all the same, with its gate."""
    today = replace(ran, program_path=a_programme(tmp_path, archive, ("sentinel2",)).program_path)
    [parcel, *_] = rows(ran, CLOUDED)

    answer = explain_answer(today, parcel, CLOUDED)

    assert [one["mission"] for one in answer["parts"][0]["missions"]] == list(ORDER)
    page = explained(answer)
    assert "Tile gate: PASSED on landsat, clear" in page
    assert f"NDVI  {rows(ran, CLOUDED)[parcel]['ndvi_mean']:.4f}" in page


@pytest.mark.parametrize("month", list(CHOSEN))
def test_a_substitute_is_marked_in_every_row(ran: Deployment, month: str) -> None:
    """Which mission, that it stands in, that it cannot be compared, how coarse it is, and how much less certain."""
    marks = (
        "mission",
        "substituted",
        "comparable",
        "resolution_m",
        "uncertainty_factor",
        "gate_status",
        "value_status",
    )
    found = {tuple(row[name] for name in marks) for row in rows(ran, month).values()}

    mission = CHOSEN[month]
    coarse = {"sentinel2": (10.0, 1.0), "landsat": (30.0, 3.0), "sentinel1": (10.0, 1.0)}[mission]
    assert found == {(mission, mission != "sentinel2", mission == "sentinel2", *coarse, "PASSED", "ok")}
    record = ran.lake.current(Partition("monthly_proxies", TILE, month))
    assert record.output["decisions"] == dict(zip(ORDER, statuses(ran, month), strict=True))
    assert sorted(record.inputs) == sorted(f"{name}/gated_tiles" for name in ORDER)


@pytest.mark.parametrize("month", list(CHOSEN))
def test_every_missions_means_are_near_the_truth(
    ran: Deployment, archive: tuple[Path, Archive, Json], month: str
) -> None:
    """Within 0.02 of the ground, whichever mission saw it; what it cannot measure is null."""
    _, made, parcels = archive
    expected = truth(made, parcels, [month]).set_index("parcel_id")

    for name, row in rows(ran, month).items():
        for index in {index for indices in INDICES.values() for index in indices}:
            if index in INDICES[CHOSEN[month]]:
                assert row[f"{index}_mean"] == pytest.approx(expected[index][name], abs=0.02), (name, index)
            else:
                assert row[f"{index}_mean"] is None


def test_a_month_of_substitutes_verifies_and_computes_again_identically(ran: Deployment) -> None:
    """Records of missions that were not needed are evidence as all others are."""
    found = verify(ran.lake_path, Options(), again=True, progress=lambda *_: None)

    assert found["findings"] == []
    assert {one["answer"] for one in found["rerun"]} == {"IDENTICAL"}
    assert len(found["rerun"]) == len(CHOSEN) * (len(ORDER) * (len(STAGES) - 1) + 1)


def test_running_again_computes_nothing(ran: Deployment) -> None:
    """A mission that was not needed is known not to be."""
    again = run_months(ran, list(CHOSEN))

    assert {done.outcome.value for month in again.values() for done in month.values()} == {"unchanged"}


def test_a_mission_that_was_not_needed_cannot_be_opened(ran: Deployment) -> None:
    """There is nothing of it; the error says why and what to open instead."""
    with pytest.raises(NotEvaluated, match=r"earlier_mission_open.*monthly_proxies"):
        open_view(ran.lake, "landsat/indices", TILE, CLEAR)


def test_an_explanation_names_the_decision_on_every_mission(ran: Deployment) -> None:
    """A number of a substitute goes back to the substitute's scenes, and says what became of the others."""
    parcel = next(iter(rows(ran, CLOUDED)))

    [part] = explain_answer(ran, parcel, CLOUDED)["parts"]

    assert [(one["mission"], one["status"]) for one in part["missions"]] == list(
        zip(ORDER, ["REJECTED", "PASSED", "NOT_EVALUATED"], strict=True)
    )
    assert part["gate"]["mission"] == "landsat"
    assert part["scenes"]


@pytest.mark.parametrize("month", list(CHOSEN))
def test_a_number_of_a_month_with_missions_not_needed_has_a_proof(ran: Deployment, tmp_path: Path, month: str) -> None:
    """The checker follows the decision that excused a mission as it follows all others."""
    [(file, audit_hash)] = write_proofs(
        ran.lake, explain_answer(ran, next(iter(rows(ran, month))), month), tmp_path / "proof.json"
    )

    done = python("-I", str(REPOSITORY / "docs" / "check_proof.py"), str(file), audit_hash, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "ok   pixels for each value, and for no other" in done.stdout


def test_with_nothing_there_is_no_data(archive: tuple[Path, Archive, Json], tmp_path: Path) -> None:
    """Every mission was looked at, none saw enough: no value, and no mission named."""
    deployment = a_programme(tmp_path, archive, missions=("sentinel2", "landsat"))

    run_months(deployment, [DARK])

    assert statuses(deployment, DARK) == ["REJECTED", "REJECTED"]
    assert {(row["value_status"], row["mission"]) for row in rows(deployment, DARK).values()} == {("no_data", None)}
    assert {row["uncertainty_factor"] for row in rows(deployment, DARK).values()} == {None}


def test_a_parcel_of_few_native_pixels_gets_nothing_from_a_substitute(ran: Deployment, tmp_path: Path) -> None:
    """A parcel smaller than so many of Landsat's pixels is refused; the programme's own first mission is not."""
    area_ha = {row["parcel_area_ha"] for row in rows(ran, CLOUDED).values()}
    strict = a_changed(a_copy(ran, tmp_path / "strict"), min_native_pixels=int(max(area_ha) * 10_000 / 900) + 1)

    run_months(strict, [CLOUDED, CLEAR])

    found = rows(strict, CLOUDED)
    assert {row["value_status"] for row in rows(ran, CLOUDED).values()} == {"ok"}
    assert {row["value_status"] for row in found.values()} == {"below_native_pixels"}
    assert {row["ndvi_mean"] for row in found.values()} == {None}
    assert {row["value_status"] for row in rows(strict, CLEAR).values()} == {"ok"}


def test_a_decision_that_was_replaced_excuses_nobody(archive: tuple[Path, Archive, Json], tmp_path: Path) -> None:
    """Sentinel-2 is decided anew on other scenes; Landsat, which the old decision excused, has to run again first."""
    _, made, parcels = archive
    moving = tmp_path / "catalogue"
    simulate(moving, replace(made, months=(CLEAR,)))
    deployment = a_programme(tmp_path, (moving, made, parcels), missions=("sentinel2", "landsat"))
    run_months(deployment, [CLEAR])
    shutil.rmtree(moving)
    simulate(moving, replace(made, months=(CLEAR,), observers=(Sentinel2(every_days=20), *made.observers[1:])))
    for stage in STAGES:
        deployment.materialize(stage, deployment.plan(TILE, CLEAR, deployment.missions[0]))

    with pytest.raises(StaleUpstream, match=r"landsat/gated_tiles.*has since been replaced"):
        deployment.materialize("monthly_proxies", deployment.plan(TILE, CLEAR))

    run_months(deployment, [CLEAR])
    assert statuses(deployment, CLEAR) == ["PASSED", "NOT_EVALUATED"]


def a_changed(deployment: Deployment, **fields: Any) -> Deployment:
    """The same lake under a programme with other fields."""
    document = yaml.safe_load(deployment.program_path.read_text())
    deployment.program_path.write_text(yaml.safe_dump({**document, **fields}))
    return replace(deployment)


def test_leave_that_was_taken_back_lets_no_radar_in(ran: Deployment, tmp_path: Path) -> None:
    """The lake still holds a radar's open gate: the product alone does not take it.

    Run again, the radar is not even searched, and the month waits.
    """
    strict = a_changed(a_copy(ran, tmp_path / "strict"), allow_sar=False)

    with pytest.raises(StaleUpstream, match=r"sentinel1/gated_tiles.*no longer allows"):
        strict.materialize("monthly_proxies", strict.plan(TILE, DARK))

    run_months(strict, [DARK])
    assert statuses(strict, DARK) == ["REJECTED", "REJECTED", "NOT_EVALUATED"]
    assert strict.lake.current(Partition("sentinel1/raw_tiles", TILE, DARK)).output["reasons"] == ["sar_not_allowed"]
    assert {(row["value_status"], row["mission"]) for row in rows(strict, DARK).values()} == {("pending", None)}
    answer = verify(strict.lake_path, Options(month=DARK), again=True, progress=lambda *_: None)
    assert answer["findings"] == []
    assert {one["answer"] for one in answer["rerun"]} == {"IDENTICAL"}


def test_another_order_of_missions_excuses_nobody(ran: Deployment, tmp_path: Path) -> None:
    """Landsat was not needed behind Sentinel-2; in front of it it is, whichever asset is materialized alone."""
    turned = a_changed(a_copy(ran, tmp_path / "turned"), substitution=["landsat", "sentinel2", "sentinel1"])

    for stage, mission in (("aligned_tiles", turned.missions[0]), ("monthly_proxies", None)):
        with pytest.raises(StaleUpstream, match=r"another substitution"):
            turned.materialize(stage, turned.plan(TILE, CLEAR, mission))

    run_months(turned, [CLEAR])
    assert statuses(turned, CLEAR) == ["PASSED", "NOT_EVALUATED", "NOT_EVALUATED"]


def test_a_record_of_nothing_is_found_though_it_says_it_was_not_needed(ran: Deployment, tmp_path: Path) -> None:
    """Only raw tiles may be made from no record; a later asset that names none was made by no stage."""
    shutil.copytree(ran.lake_path, tmp_path / "lake")
    lake = replace(ran, lake_path=tmp_path / "lake").lake
    record = lake.current(Partition("landsat/indices", TILE, CLEAR))
    records = lake.slot(Partition("landsat/indices", TILE, CLEAR)).folder / "records"
    put(records, {**record.document, "inputs": {}})

    found = findings(tmp_path / "lake", asset="landsat/indices", month=CLEAR)

    assert "was made from" in {one["check"] for one in found}


def test_an_edited_not_evaluated_decision_decides_nothing(ran: Deployment, tmp_path: Path) -> None:
    """A mission that was not needed cannot be made to pass by an editor."""
    shutil.copytree(ran.lake_path, tmp_path / "lake")
    deployment = replace(ran, lake_path=tmp_path / "lake")
    path = deployment.lake.current(Partition("landsat/gated_tiles", TILE, CLEAR)).data / "decision.json"
    decision = json.loads(path.read_bytes())
    path.write_text(json.dumps({**decision, "status": "PASSED"}))

    found = verify(deployment.lake_path, Options(), again=False, progress=lambda *_: None)

    assert any("landsat/gated_tiles" in one["object"] and "decision.json" in one["object"] for one in found["findings"])


def test_what_a_later_mission_saw_is_told_where_every_gate_is_closed(
    archive: tuple[Path, Archive, Json], tmp_path: Path
) -> None:
    """A parcel that Landsat saw whole is not one without data: larger ones that nobody saw close both gates."""
    *_, parcels = archive
    [seen, *_] = parcels["features"]
    west, south, east, north = shapely.from_geojson(json.dumps(seen["geometry"])).bounds
    unseen = shapely.geometry.mapping(shapely.box(west + 0.2, south, east + 0.25, north + 0.05))
    both = {**parcels, "features": [seen, {**seen, "properties": {"parcel_id": "unseen"}, "geometry": unseen}]}
    name, order = seen["properties"]["parcel_id"], ("sentinel2", "landsat")
    deployment = a_programme(tmp_path, archive, order, parcels=both, tiles={name: TILE, "unseen": TILE})
    run_months(deployment, [CLOUDED])
    shares = {
        mission: {
            parcel["parcel_id"]: parcel["valid_fraction"]
            for parcel in decision_of(deployment.lake.current(Partition(f"{mission}/gated_tiles", TILE, CLOUDED)))[
                "parcels"
            ]
        }
        for mission in order
    }
    assert shares["sentinel2"][name] < 0.3 < shares["landsat"][name]

    found = rows(deployment, CLOUDED, TILE)

    assert {parcel: row["value_status"] for parcel, row in found.items()} == {name: "gate_closed", "unseen": "no_data"}
    assert found[name]["valid_fraction"] == shares["landsat"][name]
    assert found[name]["mission"] is None
    page = explained(explain_answer(deployment, name, CLOUDED))
    for mission in order:
        assert f"Tile gate: REJECTED on {mission}" in page
