"""`mrv verify --rerun`: what follows from the raw tiles is computed again, and the answer says how far off it is."""

import json
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked
import pytest
import watched_mrv
import yaml
from block_scenes import MONTH, TILE
from demo_lake import mrv, run_months
from rerun_builders import (
    Edit,
    both,
    column,
    decided,
    give_to_mission,
    painted,
    said,
    snapshot,
    stored,
)
from small_month import HOLE, a_small_month
from tampering import ASSETS, flip, forge, quiet
from watched_mrv import CHANGED

from mrv_assets.deployment import Deployment
from mrv_assets.formats.arrays import RASTERS
from mrv_assets.reports.verify import answer as verify
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.verification import Options

RAW, ALIGNED, MASKED, INDICES, GATED, _ = ASSETS
AGAIN = ASSETS[1:]
"""What is computed again."""

Json = dict[str, Any]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A programme of one small month, materialized; nothing changes its lake."""
    made = a_small_month(tmp_path_factory.mktemp("programme"))
    run_months(made, made.months)
    return made


@pytest.fixture
def lake(deployment: Deployment, tmp_path: Path) -> Path:
    """A copy of its lake, in a folder where there is no programme and no catalogue."""
    return shutil.copytree(deployment.lake_path, tmp_path / "elsewhere" / "lake")


def again(lake: Path, **wanted: str) -> Json:
    """The answer of `mrv verify --rerun`."""
    answer: Json = verify(lake, Options(**wanted), again=True, progress=quiet)
    return answer


# The same.


def test_an_untouched_lake_comes_out_identical_and_is_left_as_it_was(lake: Path) -> None:
    """Each asset's every bit, by the lake alone, wherever it lies; no file or folder of it is touched."""
    before = snapshot(lake)

    answer = again(lake)

    assert answer["verified"]
    assert answer["rerun"] == [
        {
            "asset": asset,
            "tile": TILE,
            "month": MONTH,
            "answer": "IDENTICAL",
            "other": (),
            "largest_difference": 0.0,
            "values_that_differ": 0,
            "detail": "",
        }
        for asset in AGAIN
    ]
    assert snapshot(lake) == before


def test_a_lake_that_cannot_be_written_to_is_enough(deployment: Deployment, lake: Path) -> None:
    """No step of the command opens, makes, links, renames or removes anything in it; exit code 0.

    A programme beside it that states other parameters, and parcels that are not there, is not asked.
    """
    program = yaml.safe_load(deployment.program_path.read_text())
    gate = {"min_coverage": 1.0, "cloud_probability": 0.9, "dilation_px": 0, "min_scene_clear": 0.0}
    other = {**program, "program": "another", "composite": "mean", "gate": gate, "parcels": "no-such-file.geojson"}
    (lake.parent / "program.yaml").write_text(yaml.safe_dump(other))
    before = snapshot(lake)
    permissions = {path: path.stat().st_mode for path in (lake, *lake.rglob("*"))}
    for path, mode in permissions.items():
        path.chmod(mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))

    done = forked.run(watched_mrv.run, str(lake), "verify", "--rerun", "--json", cwd=lake.parent)

    for path, mode in permissions.items():
        path.chmod(mode)
    assert done.returncode == 0, done.stderr
    answers = [(one["answer"], one["other"]) for one in json.loads(done.stdout)["rerun"]]
    assert answers == [("IDENTICAL", [])] * len(AGAIN)
    assert snapshot(lake) == before


def test_the_watch_would_have_seen_a_step(lake: Path) -> None:
    """What the test above rests on: where the temporary folder is in the lake, the first step towards it is seen."""
    before = snapshot(lake)

    done = forked.run(watched_mrv.run, str(lake), "verify", str(lake), "--rerun", cwd=lake.parent, TMPDIR=str(lake))

    assert done.returncode == CHANGED
    assert f" {lake}/" in done.stderr.splitlines()[-1]
    assert snapshot(lake) == before


# Something else.


@dataclass(frozen=True, kw_only=True)
class Case:
    """A change that every digest was made to fit, and what computing again says to it."""

    asset: str
    edit: Edit
    answer: str
    largest: float
    """In stored units."""
    count: int
    place: str
    """What differs, as the answer names it."""


def add(by: float) -> Any:
    """A value and that much more."""
    return lambda value: value + by


def decision_number(name: str, by: float) -> Edit:
    """Change one of a decision's numbers."""
    return decided(lambda decision: decision.update({name: decision[name] + by}))


def observed_once_more(decision: Json) -> None:
    """Change a count in a decision."""
    decision["parcels"][0]["n_obs"] += 1


def clear_pixels(output: Json) -> None:
    """Change a count that is in the record only."""
    output["unclear_pixels"][0]["clear"] += 1


def invalid_pixels(output: Json) -> None:
    """Likewise."""
    output["invalid_pixels"]["ndvi"]["denominator"] += 1


RED, NIR = stored("red", add(1)), stored("nir", lambda value: value - 1)
EQUIVALENT, DIFFERENT = "EQUIVALENT", "DIFFERENT"
IN_RASTERS: Json = {"group": RASTERS, "timed": False}
NDVI = stored("ndvi", add(5e-5), **IN_RASTERS)

# fmt: off
CASES = {
    "two digital numbers, up and down":
        Case(asset=ALIGNED, edit=both(RED, NIR), answer=EQUIVALENT, largest=1, count=2, place="nir; red"),
    "a digital number, by 500":
        Case(asset=ALIGNED, edit=both(RED, stored("nir", add(500))), answer=DIFFERENT, largest=500, count=2,
             place="nir; red"),
    "a class, by one":
        Case(asset=ALIGNED, edit=stored("scl", add(1)), answer=DIFFERENT, largest=0, count=1, place="scl"),
    "a digital number that is missing":
        Case(asset=ALIGNED, edit=stored("red", lambda _: 0), answer=DIFFERENT, largest=1500, count=1,
             place="red: gaps; red"),
    "a bit":
        Case(asset=MASKED, edit=stored("unclear_flags", lambda flags: flags ^ 2), answer=DIFFERENT, largest=0,
             count=1, place="unclear_flags"),
    "a count of pixels, by one":
        Case(asset=MASKED, edit=said(clear_pixels), answer=DIFFERENT, largest=0, count=1,
             place="output.unclear_pixels[0].clear"),
    "an index, by one stored unit":
        Case(asset=INDICES, edit=stored("ndvi", add(1)), answer=EQUIVALENT, largest=1, count=1, place="ndvi"),
    "an index, by two":
        Case(asset=INDICES, edit=stored("ndvi", add(-2)), answer=DIFFERENT, largest=2, count=1, place="ndvi"),
    "an index by one where there is none":
        Case(asset=INDICES, edit=stored("nbr", add(1), at=(HOLE.row, HOLE.col)), answer=DIFFERENT, largest=1, count=1,
             place="nbr: gaps; nbr"),
    "a count of invalid pixels, by one":
        Case(asset=INDICES, edit=said(invalid_pixels), answer=DIFFERENT, largest=0, count=1,
             place="output.invalid_pixels.ndvi.denominator"),
    "a coverage":
        Case(asset=GATED, edit=decision_number("coverage", -0.01), answer=DIFFERENT, largest=0.01, count=2,
             place="decision.coverage; output.coverage"),
    "a coverage and a picture, by less than rounding":
        Case(asset=GATED, edit=both(decision_number("coverage", -5e-5), painted(1)), answer=EQUIVALENT, largest=1,
             count=3, place="decision.coverage; preview.png; output.coverage"),
    "a parcel's count of observations, by one":
        Case(asset=GATED, edit=decided(observed_once_more), answer=DIFFERENT, largest=0, count=1,
             place="decision.parcels[0].n_obs"),
    "a picture, by two":
        Case(asset=GATED, edit=painted(2), answer=DIFFERENT, largest=2, count=1, place="preview.png"),
    "a composite":
        Case(asset=PRODUCT, edit=stored("ndvi", add(1e-3), **IN_RASTERS), answer=DIFFERENT, largest=1e-3, count=1,
             place="ndvi"),
    "a composite that is missing":
        Case(asset=PRODUCT, edit=stored("ndvi", lambda _: float("nan"), **IN_RASTERS), answer=DIFFERENT, largest=0,
             count=1, place="ndvi"),
    "a composite, a mean and a picture, by less than rounding":
        Case(asset=PRODUCT, edit=both(NDVI, column("ndvi_mean", add(5e-5)), painted(1)), answer=EQUIVALENT, largest=1,
             count=3, place="ndvi; parcels.parquet[0].ndvi_mean; preview.png"),
    "a pixel's and a row's count of observations, by one":
        Case(asset=PRODUCT, edit=both(stored("n_obs", add(1), **IN_RASTERS), column("n_obs", add(1))),
             answer=DIFFERENT, largest=0, count=2, place="n_obs; parcels.parquet[0].n_obs"),
}
# fmt: on


def in_rounds() -> list[dict[str, Case]]:
    """The cases, spread over as few lakes as will do: in each lake one change an asset."""
    rounds: list[dict[str, Case]] = []
    for name, case in CASES.items():
        free = [one for one in rounds if case.asset not in {other.asset for other in one.values()}]
        if not free:
            rounds.append({})
        (free or rounds[-1:])[0][name] = case
    return rounds


@pytest.fixture(scope="module")
def compared(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """What computing again says to each case; each lake's records and bytes are sound by themselves."""
    found: dict[str, Json] = {}
    for number, cases in enumerate(in_rounds()):
        lake = shutil.copytree(deployment.lake_path, tmp_path_factory.mktemp("forged") / f"lake-{number}")
        for case in sorted(cases.values(), key=lambda one: ASSETS.index(one.asset)):
            forge(lake, case.asset, MONTH, case.edit)
        answer = again(lake)
        assert answer["findings"] == []
        by_asset = {one["asset"]: one for one in answer["rerun"]}
        untouched = set(AGAIN) - {case.asset for case in cases.values()}
        assert {by_asset[asset]["answer"] for asset in untouched} <= {"IDENTICAL"}
        found |= {name: by_asset[case.asset] for name, case in cases.items()}
    return found


@pytest.mark.parametrize("name", CASES)
def test_what_was_forged_consistently_shows_as_large_as_it_is(name: str, compared: dict[str, Json]) -> None:
    """Numbers may be off by a stored unit or rounding; gaps, classes, bits and counts may not be off at all."""
    case = CASES[name]

    found = compared[name]

    assert (found["answer"], found["values_that_differ"], found["detail"]) == (case.answer, case.count, case.place)
    assert found["largest_difference"] == pytest.approx(case.largest, abs=1e-6)


def test_another_parameter_than_it_was_made_with_shows(lake: Path) -> None:
    """A record whose plan was edited afterwards: by that plan something else comes out."""

    def edit(data: Path, document: Json) -> None:
        document["plan"]["gate"]["min_scene_clear"] = 0.0

    forge(lake, GATED, MONTH, edit)

    answer = again(lake, asset=GATED)

    assert [(one["asset"], one["answer"]) for one in answer["rerun"]] == [(GATED, "DIFFERENT")]
    assert not answer["verified"]


# Nothing to compute from.


def test_without_monthly_proxies_nothing_is_computed(lake: Path) -> None:
    """A month that was begun and not finished: it has no parcels to compute for, and that is not a finding."""
    shutil.rmtree(lake / PRODUCT)

    answer = again(lake)

    assert (answer["findings"], answer["verdict"]) == ([], "INCOMPLETE")
    assert [(one["answer"], one["asset"]) for one in answer["rerun"]] == [("NOT_RERUN", min(ASSETS[:-1]))]
    assert "no monthly proxies" in answer["rerun"][0]["detail"]


def test_of_a_mission_that_nobody_knows_nothing_is_computed(lake: Path) -> None:
    """A lake of a later version, or of another installation: its bytes are verified all the same."""
    give_to_mission(lake, "dove")

    answer = again(lake)

    assert answer["findings"] == []
    assert [one["answer"] for one in answer["rerun"]] == ["NOT_RERUN"]
    assert answer["rerun"][0]["detail"] == "this version knows no mission dove"
    assert answer["verdict"] == "INCOMPLETE"
    assert any("knows no mission dove" in reason for reason in answer["incomplete"])


def test_of_a_month_with_findings_nothing_is_computed(lake: Path) -> None:
    """Numbers made from altered bytes would say nothing; the finding is the answer."""
    flip(next(lake.glob(f"{RAW}/{TILE}/{MONTH}/data/*/*/nir.tif")))

    answer = again(lake)

    assert not answer["verified"]
    assert [one["answer"] for one in answer["rerun"]] == ["NOT_RERUN"]
    assert "there are findings" in answer["rerun"][0]["detail"]


def test_raw_tiles_are_not_computed(lake: Path) -> None:
    """They are what the publisher wrote, and all the rest is computed from them."""
    answer = again(lake, asset=RAW)

    assert [(one["asset"], one["answer"]) for one in answer["rerun"]] == [(RAW, "NOT_RERUN")]


# By the command.


@pytest.mark.parametrize(
    ("change", "code", "row", "last"),
    [
        (1, 0, "4 IDENTICAL, 1 EQUIVALENT sentinel2/indices: 1 values, by at most 1 (ndvi)", "VERIFIED"),
        (500, 1, "4 IDENTICAL, 1 DIFFERENT sentinel2/indices: 1 values, by at most 500 (ndvi)", "NOT VERIFIED"),
    ],
)
def test_the_exit_code_says_whether_it_is_different(change: int, code: int, row: str, last: str, lake: Path) -> None:
    """1 for DIFFERENT, 0 for EQUIVALENT, as for IDENTICAL; the page says which asset, and by how much."""
    forge(lake, INDICES, MONTH, stored("ndvi", add(change)))

    done = mrv("verify", str(lake), "--rerun", cwd=lake.parent)

    assert done.returncode == code, done.stderr
    [shown] = [line for line in done.stdout.splitlines() if line.startswith(f"{TILE}  ")]
    assert " ".join(shown.split()) == f"{TILE} {MONTH} {row}"
    assert done.stdout.splitlines()[-1].startswith(last)
