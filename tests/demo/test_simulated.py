"""The demo's simulated months: each decided another way, near the truth, and the same in every folder."""

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from demo_lake import BIN, GOLDEN_SIMULATED, PICTURE, TILE, Demo, a_deployment, golden_of_simulated, rows, run_months
from PIL import Image

from mrv_assets.audit.record import Partition
from mrv_assets.demo.ground import APPROVED, CASES, PASSED, REFUSED, SUBSTITUTED, ground
from mrv_assets.demo.inputs import make_inputs
from mrv_assets.demo.reviewers import review
from mrv_assets.deployment import Deployment
from mrv_assets.reports.verify import answer as verify
from mrv_assets.simulated.truth import truth
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.verification import Options

MONTHS = tuple(case.month for case in CASES)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The same programme, made in another folder and run there without Dagster, before anybody decides."""
    folder = tmp_path_factory.mktemp("elsewhere") / "simulated"
    make_inputs(folder)
    deployment = a_deployment(folder / "program.yaml")
    run_months(deployment, MONTHS)
    return deployment


def statuses(deployment: Deployment, month: str) -> dict[str, str]:
    """The decision on each mission that a month rests on."""
    upstream = deployment.lake.current(Partition(PRODUCT, TILE, month)).upstream
    return {
        asset: deployment.lake.record(Partition(asset, TILE, month), upstream[asset]).output["status"]
        for asset in upstream
    }


def hashes(deployment: Deployment, month: str) -> dict[str, str]:
    """The current record of each asset of a month."""
    assets = [f"{mission.name}/{stage}" for mission in deployment.missions for stage in ("raw_tiles", "gated_tiles")]
    return {asset: deployment.lake.current(Partition(asset, TILE, month)).audit_hash for asset in (*assets, PRODUCT)}


# --- what becomes of each month -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("month", "sentinel2", "landsat", "mission", "gate", "value"),
    [
        (PASSED.month, "PASSED", "NOT_EVALUATED", "sentinel2", "PASSED", "ok"),
        (SUBSTITUTED.month, "REJECTED", "PASSED", "landsat", "PASSED", "ok"),
        (
            APPROVED.month,
            "APPROVED_MANUAL",
            "NOT_EVALUATED",
            "sentinel2",
            "APPROVED_MANUAL",
            "approved_below_coverage, ok",
        ),
        (REFUSED.month, "REJECTED", "REJECTED", None, "REJECTED", "gate_closed, no_data"),
    ],
)
def test_each_month_is_decided_another_way(
    month: str, sentinel2: str, landsat: str, mission: str | None, gate: str, value: str, demo: Demo
) -> None:
    """Sentinel-2 is enough; Landsat stands in; two reviewers approve; nobody does."""
    found = rows(demo.simulated, month).values()

    assert statuses(demo.simulated, month) == {"sentinel2/gated_tiles": sentinel2, "landsat/gated_tiles": landsat}
    assert {(row["mission"], row["gate_status"]) for row in found} == {(mission, gate)}
    assert {row["value_status"] for row in found} == set(value.split(", "))


def test_before_reviewers_approve_both_missions_are_rejected(elsewhere: Deployment) -> None:
    """The month that they approve is no other's: without them it has no value."""
    found = rows(elsewhere, APPROVED.month).values()

    assert set(statuses(elsewhere, APPROVED.month).values()) == {"REJECTED"}
    assert {(row["value_status"], row["ndvi_mean"]) for row in found} == {("gate_closed", None)}


def test_without_the_approvals_the_month_is_rejected(demo: Demo, tmp_path: Path) -> None:
    """The decisions taken away, the month is refused again when it is next materialized."""
    shutil.copytree(demo.folder / "simulated", tmp_path / "simulated")
    deployment = a_deployment(tmp_path / "simulated" / "program.yaml")
    shutil.rmtree(deployment.lake.slot(Partition("sentinel2/gated_tiles", TILE, APPROVED.month)).folder / "decisions")

    run_months(deployment, [APPROVED.month])

    assert statuses(deployment, APPROVED.month)["sentinel2/gated_tiles"] == "REJECTED"
    assert {row["ndvi_mean"] for row in rows(deployment, APPROVED.month).values()} == {None}


@pytest.mark.parametrize("month", [PASSED.month, SUBSTITUTED.month, APPROVED.month])
def test_means_are_near_the_truth(month: str, demo: Demo) -> None:
    """Every index of every parcel within 0.02 of what the ground is, whoever saw it."""
    archive, parcels = ground()

    expected = truth(archive, parcels, [month]).set_index("parcel_id")

    found = rows(demo.simulated, month)
    assert sorted(found) == sorted(expected.index)
    for name, row in found.items():
        for index in ("ndvi", "evi", "nbr", "ndmi"):
            assert row[f"{index}_mean"] == pytest.approx(expected[index][name], abs=0.02), (name, index)


def test_a_substitute_is_marked(demo: Demo) -> None:
    """Landsat's pixels are three times as wide as Sentinel-2's, and its values are not to be compared with theirs."""
    marks = [
        {(row["substituted"], row["comparable"], row["uncertainty_factor"]) for row in rows(demo.simulated, m).values()}
        for m in (PASSED.month, SUBSTITUTED.month)
    ]

    assert marks == [{(False, True, 1.0)}, {(True, False, 3.0)}]


def test_numbers_and_decisions_are_the_golden_ones(demo: Demo) -> None:
    """Values to 1e-4, decisions, reasons and counts of every parcel and month.

    The file is rewritten by ``python tests/support/demo_lake.py --write-golden``; the commit says why they moved.
    """
    golden = json.loads(GOLDEN_SIMULATED.read_bytes())

    found = json.loads(json.dumps(golden_of_simulated(demo)))

    assert found == golden


# --- the same everywhere ------------------------------------------------------------------------------------------


def test_another_folder_gives_the_same_hashes(elsewhere: Deployment, demo: Demo) -> None:
    """To the bit, in three months of four; before anybody decides, the fourth is another one."""
    same = [hashes(elsewhere, case.month) == hashes(demo.simulated, case.month) for case in CASES]

    assert dict(zip(MONTHS, same, strict=True)) == {case.month: case != APPROVED for case in CASES}


def test_what_somebody_decided_has_a_hash_of_its_own(elsewhere: Deployment, demo: Demo, tmp_path: Path) -> None:
    """It holds who approved, with which keys, and when; the values are the same."""
    folder = shutil.copytree(elsewhere.program_path.parent, tmp_path / "simulated")
    deployment = a_deployment(folder / "program.yaml")

    assert review(deployment, folder, TILE, APPROVED.month)[-1] == PRODUCT
    run_months(deployment, [APPROVED.month])

    mine, theirs = (rows(one, APPROVED.month) for one in (deployment, demo.simulated))
    assert hashes(deployment, APPROVED.month)[PRODUCT] != hashes(demo.simulated, APPROVED.month)[PRODUCT]
    assert [row["ndvi_mean"] for row in mine.values()] == [row["ndvi_mean"] for row in theirs.values()]


# --- the lake, and who signed -------------------------------------------------------------------------------------


def test_the_simulated_lake_is_what_it_says(demo: Demo) -> None:
    """Every byte, record, decision and signature."""
    answer = verify(demo.simulated.lake_path, Options(), again=False, progress=lambda *_: None)

    assert answer["findings"] == []
    assert answer["verified"]
    decisions = list(demo.simulated.lake_path.glob("sentinel2/gated_tiles/*/*/decisions/*.json"))
    assert [path.parents[1].name for path in decisions] == [APPROVED.month] * 2


def test_private_keys_are_for_their_owner_alone_and_say_whose_they_are(demo: Demo) -> None:
    """Mode 0600, in a folder that nobody else may enter, with a note that they are the demo's own."""
    keys = demo.folder / "simulated" / "keys"

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.glob("*.pem")}

    assert modes == {"simulated-a.pem": 0o600, "simulated-b.pem": 0o600}
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert "the demo's own" in (keys / "ABOUT.txt").read_text()


def test_everything_says_that_it_is_simulated(demo: Demo) -> None:
    """Collections, items, the programme, its parcels, the truth and the keys; a file that is copied away too."""
    folder = demo.folder / "simulated"
    documents = [*folder.glob("catalogue/**/*.json"), folder / "parcels.geojson", folder / "truth.json"]

    silent = [
        path.relative_to(folder).as_posix()
        for path in (*documents, folder / "program.yaml", folder / "made_by.json", folder / "keys" / "ABOUT.txt")
        if "simulated" not in path.read_text().lower()
    ]

    assert silent == []
    catalogue = [json.loads(path.read_bytes()) for path in folder.glob("catalogue/**/*.json")]
    titles = [one["properties"]["title"] if one["type"] == "Feature" else one["title"] for one in catalogue]
    assert {title.split()[0] for title in titles} == {"Simulated"}
    assert all(name.startswith("simulated-") for name in rows(demo.simulated, PASSED.month))


def test_each_programme_has_a_dagster_home_of_its_own(demo: Demo) -> None:
    """Both have assets of the same names: neither's UI shows the other's months."""
    with dg.DagsterInstance.from_config(str(demo.home)) as real:
        in_real = real.get_materialized_partitions(dg.AssetKey(PRODUCT))
    with dg.DagsterInstance.from_config(str(demo.folder / "simulated" / "dagster")) as simulated:
        in_simulated = simulated.get_materialized_partitions(dg.AssetKey(PRODUCT))

    assert {key.partition("-")[0] for key in in_real} == {"2018"}
    assert {key.partition("|")[0] for key in in_simulated} == set(MONTHS)


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_shows_what_decided_each_month(demo: Demo) -> None:
    """A line a month, which says that it is simulated: coverages, gate, value, NDVI and the truth; and its hash."""
    section = demo.page.partition("Simulated: when Sentinel-2 is not enough\n")[2]

    rest = r" +simulated (.+?)  +(.+?)  +(.+?)  +(\w+) +(\w+(?:, \w+)*) +(\S+) +(\S+)$"
    lines = {month: re.search(rf"^{month}{rest}", section, re.MULTILINE) for month in MONTHS}

    shown = {month: line.groups() for month, line in lines.items() if line}
    assert [shown[month][0] for month in MONTHS] == [
        "sentinel2",
        "landsat stands in",
        "reviewers, on sentinel2",
        "nobody: refused",
    ]
    assert [shown[month][2] == "not needed" for month in MONTHS] == [True, False, True, False]
    assert shown[REFUSED.month][5] == "-"
    for case in CASES[:3]:
        assert float(shown[case.month][5]) == pytest.approx(float(shown[case.month][6]), abs=0.02)
        assert 0.7 < float(shown[case.month][5]) < 0.95
    for month in MONTHS:
        audit_hash = demo.simulated.lake.current(Partition(PRODUCT, TILE, month)).audit_hash
        assert re.search(rf"^{month} +simulated +\w+ +{audit_hash}$", section, re.MULTILINE)


def test_the_next_commands_work_as_they_are_printed(demo: Demo, tmp_path: Path) -> None:
    """What waits, one number, and the whole lake: each from the project's folder, on the simulated lake."""
    (tmp_path / ".venv").symlink_to(BIN.parent)
    text = demo.page.partition("Next, on the simulated programme\n")[2].partition("\n\n")[0]
    commands = re.findall(r"^  (\S.*)$", text, re.MULTILINE)

    printed = {}
    for command in commands[:3]:
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed[command.split("mrv ")[1].split()[0]] = done.stdout

    assert re.findall(rf"^{TILE} (\S+),", printed["qa"], re.MULTILINE) == [REFUSED.month]
    assert demo.simulated.lake.current(Partition(PRODUCT, TILE, APPROVED.month)).audit_hash in printed["explain"]
    assert "VERIFIED" in printed["verify"]
    assert commands[3].endswith(" .venv/bin/mrv ui")


def test_the_picture_is_the_one_in_the_readme(demo: Demo) -> None:
    """Four months side by side; copy the demo's, or run ``python tests/support/demo_lake.py --write-golden``."""
    drawn, shown = (
        np.asarray(Image.open(path).convert("RGB")) for path in (demo.folder / "simulated" / "months.png", PICTURE)
    )

    np.testing.assert_array_equal(drawn, shown)
    assert PICTURE.stat().st_size < 150_000
