"""Records of what the gate passed, copied to where it rejected: from another month, tile, mission, lake or time."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from block_scenes import CLOUD, TILE, Box, SceneSpec, a_programme_of, shaded
from demo_lake import run_months
from export_months import exported
from shut_months import (
    GATED,
    IN_OPEN,
    IN_SHUT,
    MISSION_ASSETS,
    OPEN,
    SHUT,
    a_copy,
    checks,
    compared,
    current,
    folder_of,
    materialized,
    refused,
    republished,
    shut_and_open,
    values,
    without_product,
)
from small_month import MIDDLE
from stage_names import PRODUCT, STAGES
from tampering import put

from mrv_assets.audit.canonical import canonical
from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import DamagedLake, StaleUpstream
from mrv_assets.lake.view import open_parcels
from mrv_assets.reports.drift import answer as drift_answer

CLEAR = replace(IN_SHUT, id="clear", scl=4)
"""The month without its cloud."""


def copied(source: Path, target: Path) -> None:
    """Put another partition in the place of one: its data, records, heads, requests and runs."""
    shutil.rmtree(target)
    shutil.copytree(source, target)


# --- another month ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assets", [(GATED,), MISSION_ASSETS], ids=["the gate's", "all of the mission's"])
def test_another_months_record_decides_nothing(deployment: Deployment, assets: Sequence[str], tmp_path: Path) -> None:
    """August passed: neither its decision alone nor everything it was made from makes July's values."""
    for asset in assets:
        copied(folder_of(deployment, asset, OPEN), folder_of(deployment, asset, SHUT))
    says = r"the record is of sentinel2/\w+ 34TER 2018-08, and was copied here"

    with refused(deployment, DamagedLake, says):
        deployment.lake.open(GATED, TILE, SHUT)
    with refused(without_product(deployment), DamagedLake, says):
        materialized(deployment, PRODUCT)
    assert "is of this partition" in checks(deployment)


def test_another_months_product_is_neither_opened_nor_exported(deployment: Deployment, tmp_path: Path) -> None:
    """August's table and rasters under July's name are not July's."""
    copied(folder_of(deployment, PRODUCT, OPEN), folder_of(deployment, PRODUCT, SHUT))
    says = "the record is of monthly_proxies 34TER 2018-08, and was copied here"

    with refused(deployment, DamagedLake, says):
        deployment.lake.open(PRODUCT, TILE, SHUT)
    with refused(deployment, DamagedLake, says):
        open_parcels(deployment.lake, TILE, SHUT)
    with refused(deployment, DamagedLake, says):
        exported(deployment, "csv", tmp_path / "out", month=SHUT)


# --- another tile -----------------------------------------------------------------------------------------------------

CORNER_SEEN = Box(row=MIDDLE - 20, col=MIDDLE - 20, height=40, width=40)
TWO = {
    "clear": Box(row=MIDDLE - 14, col=MIDDLE - 14, height=8, width=8),
    "hidden": Box(row=MIDDLE + 2, col=MIDDLE + 2, height=8, width=8),
}
"""Near the tile's corner, where several tiles hold both."""


def test_another_tiles_record_decides_nothing(tmp_path: Path) -> None:
    """The neighbour's parcel was seen and this tile's was not: the neighbour's decision is none here."""
    scene = SceneSpec(id="s", box=CORNER_SEEN, scl=shaded(CORNER_SEEN, (TWO["hidden"], CLOUD)))
    near = a_programme_of(tmp_path, [scene], TWO)
    [other] = set(near.assigned.tile)
    deployment = a_programme_of(tmp_path, [scene], TWO, tiles={"hidden": TILE})
    for tile in (TILE, other):
        run_months(deployment, [SHUT], tile)
    statuses = {tile: deployment.lake.current(Partition(GATED, tile, SHUT)).output["status"] for tile in (TILE, other)}
    for asset in MISSION_ASSETS:
        copied(
            deployment.lake.slot(Partition(asset, other, SHUT)).folder,
            deployment.lake.slot(Partition(asset, TILE, SHUT)).folder,
        )

    with refused(without_product(deployment), DamagedLake, f"is of {GATED} {other} {SHUT}, and was copied here"):
        materialized(deployment, PRODUCT)

    assert (other != TILE, statuses) == (True, {TILE: "REJECTED", other: "PASSED"})
    assert "is of this partition" in checks(deployment)


# --- another mission --------------------------------------------------------------------------------------------------


def test_another_missions_record_decides_nothing(deployment: Deployment) -> None:
    """A record that says it is of Landsat is none of Sentinel-2's, whatever it decided."""
    document = {**current(deployment, GATED, OPEN).document, "asset": "landsat/gated_tiles", "month": SHUT}
    slot = deployment.lake.slot(Partition(GATED, TILE, SHUT))
    copied(folder_of(deployment, GATED, OPEN), slot.folder)
    made = put(slot.folder / "records", document)
    slot.head(1).write_bytes(canonical({"previous": None, "record": made.stem}))

    with refused(
        without_product(deployment), DamagedLake, "is of landsat/gated_tiles 34TER 2018-07, and was copied here"
    ):
        materialized(deployment, PRODUCT)


# --- another lake -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sunny(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A lake of the same programme, made from another catalogue, in which the gate passed the month."""
    return shut_and_open(tmp_path_factory.mktemp("sunny") / "programme", CLEAR, IN_OPEN, run=[SHUT])


def test_another_lakes_decision_decides_nothing(deployment: Deployment, sunny: Deployment) -> None:
    """It was made from indices that are not this lake's: the product wants those that are."""
    copied(folder_of(sunny, GATED), folder_of(deployment, GATED))

    with refused(without_product(deployment), StaleUpstream, r"sentinel2/indices that has since been replaced"):
        materialized(deployment, PRODUCT)

    assert "upstream of sentinel2/gated_tiles/34TER/2018-07" in checks(deployment)
    run_months(deployment, [SHUT])
    assert (current(deployment, GATED).output["status"], values(deployment)) == ("REJECTED", {})


def test_a_month_that_is_another_lakes_as_a_whole_is_told_by_its_catalogue(
    deployment: Deployment, sunny: Deployment
) -> None:
    """Everything of it is true of scenes that this catalogue does not have: `mrv drift` names them, and a run mends it.

    No digest tells it, and computing again gives the same: docs/audit.md says so.
    """
    for asset in (*MISSION_ASSETS, PRODUCT):
        copied(folder_of(sunny, asset), folder_of(deployment, asset))

    [drifted] = drift_answer(deployment, [TILE], [SHUT], compute=False, progress=lambda *_: None)["scenes"]

    assert (checks(deployment), set(compared(deployment).values())) == (set(), {"IDENTICAL"})
    assert (drifted["appeared"], drifted["withdrawn"]) == ([IN_SHUT.id], [CLEAR.id])
    run_months(deployment, [SHUT])
    assert (current(deployment, GATED).output["status"], values(deployment)) == ("REJECTED", {})


# --- another time -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def replaced(sunny: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A month that passed until its catalogue offered a scene with clouds instead: two records each, the first open."""
    deployment = republished(a_copy(sunny, tmp_path_factory.mktemp("replaced") / "programme"), IN_SHUT, IN_OPEN)
    run_months(deployment, [SHUT])
    assert (current(deployment, GATED).output["status"], values(deployment)) == ("REJECTED", {})
    return deployment


@pytest.fixture
def clouded_since(replaced: Deployment, tmp_path: Path) -> Deployment:
    """A copy of it, to be changed."""
    return a_copy(replaced, tmp_path / "programme")


def current_again(deployment: Deployment, *assets: str) -> None:
    """Make the first record of some assets current again by hand: a third head, which no run tells of."""
    for asset in assets:
        slot = deployment.lake.slot(Partition(asset, TILE, SHUT))
        first, second = (json.loads(slot.head(number).read_bytes())["record"] for number in (1, 2))
        slot.head(3).write_bytes(canonical({"previous": second, "record": first}))


def test_an_older_decision_that_was_made_current_decides_nothing(clouded_since: Deployment) -> None:
    """It passed indices that are no longer the month's; the values it had let in do not come back."""
    current_again(clouded_since, GATED)

    with refused(clouded_since, StaleUpstream, r"gated_tiles 34TER 2018-07: .*sentinel2/indices that has since been"):
        materialized(clouded_since, PRODUCT)
    without_product(clouded_since)
    with refused(clouded_since, StaleUpstream, r"gated_tiles 34TER 2018-07: .*sentinel2/indices that has since been"):
        materialized(clouded_since, PRODUCT)

    run_months(clouded_since, [SHUT])
    assert (current(clouded_since, GATED).output["status"], values(clouded_since)) == ("REJECTED", {})


@pytest.mark.parametrize("first", range(1, len(STAGES)))
def test_an_older_chain_is_whole_or_nothing(clouded_since: Deployment, first: int) -> None:
    """However far back it is made current, short of the raw tiles: what it was made from is another's."""
    current_again(clouded_since, *MISSION_ASSETS[first:])

    with refused(clouded_since, StaleUpstream, f"a record of {MISSION_ASSETS[first - 1]} that has since been replaced"):
        materialized(clouded_since, PRODUCT)


def test_an_older_month_as_a_whole_is_told_by_its_catalogue(clouded_since: Deployment) -> None:
    """All of it was true once, as it is after a run that restores: `mrv drift` says what came since; a run mends it."""
    current_again(clouded_since, *MISSION_ASSETS, PRODUCT)

    [drifted] = drift_answer(clouded_since, [TILE], [SHUT], compute=False, progress=lambda *_: None)["scenes"]

    assert (drifted["appeared"], drifted["withdrawn"], checks(clouded_since)) == ([IN_SHUT.id], [CLEAR.id], set())
    run_months(clouded_since, [SHUT])
    assert (current(clouded_since, GATED).output["status"], values(clouded_since)) == ("REJECTED", {})
