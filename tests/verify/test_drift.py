"""Drift: what came, changed or went upstream, what is stale, and every value that moved or would."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from block_scenes import CORNER, MONTH, PLAIN, TILE, Box, SceneSpec, a_programme_of, publish
from demo_lake import evidence, mrv, rows, run_months
from jsonschema import Draft202012Validator

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.reports.drift import answer as drift_answer
from mrv_assets.reports.drift import text

Json = dict[str, Any]

PARCEL = {"p": Box(row=CORNER - 40, col=CORNER - 40, height=20, width=20)}
FIRST = SceneSpec(id="first", when="2018-07-10T09:30:00Z")
SECOND = SceneSpec(id="second", when="2018-07-20T09:30:00Z")
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "drift.json").read_bytes())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A programme of one month with two scenes, in its lake."""
    folder = tmp_path_factory.mktemp("made")
    run_months(a_programme_of(folder, [FIRST, SECOND], PARCEL), [MONTH])
    return folder


@pytest.fixture
def deployment(made: Path, tmp_path: Path) -> Deployment:
    """A copy of it, to be changed."""
    return a_programme_of(shutil.copytree(made, tmp_path / "programme"), [], PARCEL)


def republish(deployment: Deployment, *scenes: SceneSpec) -> None:
    """Let the catalogue offer other scenes."""
    shutil.rmtree(deployment.program_path.parent / "catalogue")
    publish(deployment.program_path.parent / "catalogue", scenes)


def answer(deployment: Deployment, *, compute: bool = False) -> Json:
    """What drifted; it is as its schema says."""
    found = drift_answer(
        deployment, deployment.tiles, deployment.months, compute=compute, progress=lambda name, done, of: None
    )
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(found)] == []
    return found


def test_nothing_drifts_by_itself(deployment: Deployment) -> None:
    """The same catalogue, programme and lake: nothing to report, however often it is asked."""
    found = answer(deployment, compute=True)

    assert (found["partitions"], found["scenes"], found["stale"], found["values"]) == (1, [], [], [])


def test_scenes_that_came_changed_and_went_are_named(deployment: Deployment) -> None:
    """By their ids, each under what became of it; the month is stale from its raw tiles."""
    republish(
        deployment, SceneSpec(id="first", properties={"view:off_nadir": 3}), SceneSpec(id="third", when=SECOND.when)
    )

    found = answer(deployment)

    [scenes] = found["scenes"]
    assert (scenes["appeared"], scenes["reprocessed"], scenes["withdrawn"]) == (["third"], ["first"], ["second"])
    [stale] = found["stale"]
    assert (stale["asset"], stale["because"]) == ("sentinel2/raw_tiles", ["inputs"])


def test_a_terminal_is_shown_no_commands(deployment: Deployment) -> None:
    """Ids of what came and went are text on one line, and so is what an error quotes of a catalogue."""
    republish(deployment, SceneSpec(id="\x1b[2J\rVERIFIED\nVERIFIED: everything"))
    page = text(answer(deployment))
    for path in (deployment.program_path.parent / "catalogue").rglob("*.json"):
        path.write_text(path.read_text().replace('"sentinel-2"', '"\\u001b[2J"'))

    error = mrv("drift", cwd=deployment.program_path.parent).stderr

    assert "VERIFIED: everything" in page
    assert [line for line in page.split("\n") if line.startswith("VERIFIED") or not line.isprintable()] == []
    assert "\\x1b[2J" in error
    assert "\x1b" not in error


def test_a_reprocessed_copy_supersedes_the_scene_of_the_lake(deployment: Deployment) -> None:
    """The newer baseline counts: the old id is named with the new one, and is not called withdrawn."""
    datatake = {
        "platform": "sentinel-2a",
        "s2:datatake_id": "GS2A_20180720T093041_016064_N04.00",
        "s2:mgrs_tile": TILE,
        "sat:relative_orbit": 36,
    }
    strip = "S2A_OPER_MSI_L2A_DS_{}_S20180720T093040_N{}"
    old = {**datatake, "s2:datastrip_id": strip.format("EPAE_20180720T120000", "04.00")}
    new = {**datatake, "s2:datastrip_id": strip.format("S2RP_20230101T120000", "05.00")}
    copies = [
        SceneSpec(id="old", when=SECOND.when, properties={**old, "s2:processing_baseline": "04.00"}),
        SceneSpec(id="new", when=SECOND.when, properties={**new, "s2:processing_baseline": "05.00"}),
    ]
    republish(deployment, FIRST, copies[0])
    run_months(deployment, [MONTH])
    republish(deployment, FIRST, *copies)

    [scenes] = answer(deployment)["scenes"]

    assert scenes["superseded"] == [{"id": "old", "by": "new"}]
    assert (scenes["appeared"], scenes["withdrawn"]) == (["new"], [])


def test_every_value_that_would_move_is_listed_before_it_does(deployment: Deployment) -> None:
    """Old and new, and the lake stays as it is; after the run the same values are those that moved."""
    before, lake = rows(deployment, MONTH)["p"], evidence(deployment.lake_path)
    republish(deployment, FIRST, SceneSpec(id="second", when=SECOND.when, dn={"nir": PLAIN["nir"] + 500}))

    to_come = answer(deployment, compute=True)["values"]
    left = evidence(deployment.lake_path)
    run_months(deployment, [MONTH])
    after = rows(deployment, MONTH)["p"]
    moved = answer(deployment)["values"]

    assert left == lake
    expected = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
    assert {"ndvi_mean", "evi_mean"} <= set(expected)
    assert {v["column"]: (v["old"], v["new"]) for v in to_come} == expected
    assert {v["column"]: (v["old"], v["new"]) for v in moved} == expected
    assert {v["new_record"] for v in to_come} == {None}
    current = deployment.lake.current(Partition("monthly_proxies", TILE, MONTH))
    assert {v["new_record"] for v in moved} == {current.audit_hash}


def test_another_threshold_makes_a_month_stale_from_the_gate(deployment: Deployment) -> None:
    """Without any change upstream; the plan is what differs."""
    changed = a_programme_of(deployment.program_path.parent, [], PARCEL, gate={"min_coverage": 0.9})

    found = answer(changed)

    [stale] = found["stale"]
    assert found["scenes"] == []
    assert (stale["asset"], stale["because"][0]) == ("sentinel2/gated_tiles", "plan")


def test_the_verb_says_it_and_exits_with_1(deployment: Deployment) -> None:
    """A finding for whoever runs it at night; 0 where nothing drifted."""
    folder = deployment.program_path.parent
    quiet = mrv("drift", cwd=folder)
    republish(deployment, FIRST)

    done = mrv("drift", "--compute", cwd=folder)

    assert (quiet.returncode, done.returncode) == (0, 1), quiet.stderr + done.stderr
    assert "withdrawn   second" in done.stdout
    assert f"mrv run --tile {TILE} --month {MONTH}" in done.stdout
    assert "n_obs" in done.stdout
