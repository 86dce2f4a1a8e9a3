"""Races: processes that materialize one partition at once leave one head, one record, one folder of data."""

from collections import Counter
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from block_scenes import AROUND, CLOUD, CORNER, MONTH, TILE, Box, SceneSpec, a_programme_of, shaded
from demo_lake import evidence, run_months
from forked import a_server
from racing import ASSETS, GAVE_UP, Racer, race

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment

DECIDED = ("sentinel2/gated_tiles", "monthly_proxies")
"""What another threshold of the gate changes."""
EVERY_NAME = ("lake", "data", "records", "runs", "requests", "heads")
"""Folders in which a process that computes gives names, the lake's own among them."""


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    """Where the processes come from."""
    return a_server()


@pytest.fixture(scope="module")
def alone(server: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A small scene in one block, three quarters of it clear, materialized by one process."""
    deployment = a_small_programme(tmp_path_factory.mktemp("alone"))
    [racer] = race(server, deployment.program_path, deployment.lake_path, processes=1)
    assert racer.error is None
    assert racer.outcomes == dict.fromkeys(ASSETS, "computed")
    return deployment


@pytest.mark.parametrize("in_step", [False, True], ids=["as they come", "in step"])
def test_eight_processes_leave_what_one_leaves(
    in_step: bool, alone: Deployment, server: ForkServerContext, tmp_path: Path
) -> None:
    """One head, one record, one folder of data, the same to the byte; as many runs as computations; no error.

    As they come, the fast ones have answered before the slow ones ask; in step, all compute, and each name in the
    lake is given by all of them at the same moment.
    """
    lake = tmp_path / "lake"

    racers = race(server, alone.program_path, lake, processes=8, force=in_step, in_step=EVERY_NAME if in_step else ())

    check_agreement(racers)
    assert names(lake, "heads") == {asset: ["000001.json"] for asset in ASSETS}
    assert counts(lake, "records") == counts(lake, "data") == counts(lake, "requests") == dict.fromkeys(ASSETS, 1)
    assert evidence(lake) == evidence(alone.lake_path)
    computed = {asset: sum(racer.outcomes[asset] in ("computed", "reproduced") for racer in racers) for asset in ASSETS}
    assert counts(lake, "runs") == computed
    assert min(computed.values()) == 8 if in_step else min(computed.values()) >= 1
    check_nothing_left_over(lake)


@pytest.mark.parametrize("in_step", [False, True], ids=["as they come", "in step"])
def test_processes_that_restore_a_record_at_once_add_one_head(
    in_step: bool, server: ForkServerContext, tmp_path: Path
) -> None:
    """A threshold was changed, and is changed back in four processes: one of them restores, the others find it so.

    The one that restores says so in a run record; the others have nothing to say.
    """
    deployment = a_small_programme(tmp_path)
    before = run_months(deployment, [MONTH])[MONTH]
    run_months(a_small_programme(tmp_path, min_coverage=0.9), [MONTH])
    a_small_programme(tmp_path)
    runs = counts(deployment.lake_path, "runs")

    racers = race(
        server, deployment.program_path, deployment.lake_path, processes=4, in_step=("heads",) if in_step else ()
    )

    check_agreement(racers)
    assert racers[0].hashes == {asset: one.audit_hash for asset, one in before.items()}
    for asset in ASSETS:
        seen = Counter(racer.outcomes[asset] for racer in racers)
        assert seen == ({"restored": 1, "unchanged": 3} if asset in DECIDED else {"unchanged": 4}), asset
    assert counts(deployment.lake_path, "heads") == {asset: 3 if asset in DECIDED else 1 for asset in ASSETS}
    assert counts(deployment.lake_path, "records") == {asset: 2 if asset in DECIDED else 1 for asset in ASSETS}
    assert counts(deployment.lake_path, "runs") == {asset: runs[asset] + (asset in DECIDED) for asset in ASSETS}
    for asset in ASSETS:
        assert deployment.lake.current(Partition(asset, TILE, MONTH)).audit_hash == before[asset].audit_hash
    check_nothing_left_over(deployment.lake_path)


def a_small_programme(folder: Path, **gate: float) -> Deployment:
    """A programme of a parcel with one observation, three quarters of it clear; its lake goes on."""
    cloud = Box(row=CORNER - 40, col=CORNER - 40, height=5, width=10)
    parcel = Box(row=CORNER - 40, col=CORNER - 40, height=20, width=10)
    scene = SceneSpec(id="s", scl=shaded(AROUND, (cloud, CLOUD)))
    return a_programme_of(folder, [scene], {"p": parcel}, gate={"min_coverage": 0.65, **gate})


def check_agreement(racers: tuple[Racer, ...]) -> None:
    """No process had an error, and all ended with the same audit hashes."""
    # What went wrong first, then those whom it stopped.
    errors = sorted((racer.error for racer in racers if racer.error is not None), key=GAVE_UP.__eq__)
    assert errors == [], "\n".join(errors)
    assert all(tuple(racer.hashes) == ASSETS for racer in racers)
    assert all(racer.hashes == racers[0].hashes for racer in racers)


def check_nothing_left_over(lake: Path) -> None:
    """No staging folder, no temporary file."""
    assert list((lake / ".staging").iterdir()) == []
    assert list(lake.rglob(".*.tmp")) == []


def names(lake: Path, kind: str) -> dict[str, list[str]]:
    """What is in each asset's folder of heads, records, requests, runs or data."""
    return {asset: sorted(path.name for path in (lake / asset / TILE / MONTH / kind).iterdir()) for asset in ASSETS}


def counts(lake: Path, kind: str) -> dict[str, int]:
    """How many they are."""
    return {asset: len(found) for asset, found in names(lake, kind).items()}
