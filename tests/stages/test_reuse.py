"""Reuse: what was answered before is not computed again, whatever was changed in between."""

import shutil
from pathlib import Path

import pytest
from demo_lake import TILE, a_copied_catalogue, a_deployment, a_program, decision, evidence, rows, run_months

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import NotReproducible
from mrv_assets.stages.materialize import Materialized, Outcome

MONTH = "2018-10"
ASSETS = (
    *("sentinel2/raw_tiles", "sentinel2/aligned_tiles", "sentinel2/masked_tiles", "sentinel2/indices"),
    *("sentinel2/gated_tiles", "monthly_proxies"),
)
UPSTREAM_OF_THE_GATE = ASSETS[:4]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A programme's folder with October 2018 in its lake; its catalogue is beside it."""
    folder = tmp_path_factory.mktemp("made")
    a_copied_catalogue(folder / "catalogue", [MONTH])
    run_months(with_gate(folder), [MONTH])
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(made, tmp_path / "programme")


def with_gate(folder: Path, **gate: float) -> Deployment:
    """The programme with another gate, at work on the same lake."""
    return a_deployment(a_program(folder, catalog="catalogue", gate=gate))


def ran(deployment: Deployment, *, force: bool = False) -> dict[str, Materialized]:
    """The month's stages, run."""
    return dict(deployment.run(TILE, MONTH, force=force))


def outcomes(done: dict[str, Materialized]) -> dict[str, Outcome]:
    """What was done for each asset."""
    return {asset: one.outcome for asset, one in done.items()}


def hashes(done: dict[str, Materialized]) -> dict[str, str]:
    """The audit hash of each asset."""
    return {asset: one.audit_hash for asset, one in done.items()}


def runs(deployment: Deployment) -> dict[str, int]:
    """How many runs each asset's partition remembers."""
    return {asset: len(deployment.lake.runs(Partition(asset, TILE, MONTH))) for asset in ASSETS}


def test_what_is_known_is_not_computed_again(folder: Path) -> None:
    """The same request: UNCHANGED everywhere, no run added, no byte written, and no pixel read."""
    deployment = with_gate(folder)
    before = evidence(deployment.lake_path), runs(deployment)
    for band in (folder / "catalogue").rglob("*.tif"):
        # Of the same size, since a catalogue on disk is asked for it; but no pixel could be read from these.
        band.write_bytes(bytes(band.stat().st_size))

    done = ran(deployment)

    assert outcomes(done) == dict.fromkeys(ASSETS, Outcome.UNCHANGED)
    assert (evidence(deployment.lake_path), runs(deployment)) == before


def test_another_threshold_runs_the_gate_and_what_rests_on_it(folder: Path) -> None:
    """Nothing upstream of the gate is touched; the decision and the month's rows change."""
    before = hashes(ran(with_gate(folder)))

    done = ran(with_gate(folder, min_coverage=0.9))

    assert {asset for asset, outcome in outcomes(done).items() if outcome is Outcome.UNCHANGED} == set(
        UPSTREAM_OF_THE_GATE
    )
    assert outcomes(done)["sentinel2/gated_tiles"] is outcomes(done)["monthly_proxies"] is Outcome.COMPUTED
    assert {asset for asset in ASSETS if hashes(done)[asset] != before[asset]} == set(ASSETS[4:])
    found = {row["value_status"] for row in rows(with_gate(folder, min_coverage=0.9), MONTH).values()}
    assert found == {"ok", "below_coverage"}


def test_a_threshold_changed_back_brings_the_old_record_back(folder: Path) -> None:
    """RESTORED: the old audit hashes are current again, and nothing is computed; history tells of all three heads."""
    before = hashes(ran(with_gate(folder)))
    ran(with_gate(folder, min_coverage=0.9))
    deployment = with_gate(folder)
    runs_before = runs(deployment)

    done = ran(deployment)

    assert outcomes(done) == {
        **dict.fromkeys(UPSTREAM_OF_THE_GATE, Outcome.UNCHANGED),
        **dict.fromkeys(ASSETS[4:], Outcome.RESTORED),
    }
    assert hashes(done) == before
    assert runs(deployment) == {**runs_before, **{asset: runs_before[asset] + 1 for asset in ASSETS[4:]}}
    assert deployment.lake.runs(Partition("monthly_proxies", TILE, MONTH))[-1].outcome == "restored"
    head = deployment.lake.head(Partition("monthly_proxies", TILE, MONTH))
    assert head is not None
    assert (head.number, head.record) == (3, before["monthly_proxies"])
    assert decision(deployment.lake, MONTH)["min_coverage"] == 0.65


def test_force_computes_again_and_reproduces(folder: Path) -> None:
    """The same record, and a second run that says when and where it was reproduced."""
    deployment = with_gate(folder)
    before = evidence(deployment.lake_path)

    done = ran(deployment, force=True)

    assert outcomes(done) == dict.fromkeys(ASSETS, Outcome.REPRODUCED)
    assert runs(deployment) == dict.fromkeys(ASSETS, 2)
    assert evidence(deployment.lake_path) == before
    first, second = deployment.lake.runs(Partition("monthly_proxies", TILE, MONTH))
    assert first.record == second.record
    assert first.started < second.started


def test_other_pixels_behind_the_same_items_are_a_finding(folder: Path) -> None:
    """A publisher's file changed without its item: computing again gives another output, and says so."""
    band, another, *_ = sorted((folder / "catalogue").rglob("B4.tif"))

    shutil.copyfile(another, band)

    with pytest.raises(NotReproducible, match="raw_tiles"):
        ran(with_gate(folder), force=True)


def test_another_dilation_leaves_alignment_alone(folder: Path) -> None:
    """Scenes and their alignment have nothing to do with the mask: masked_tiles is the first to change."""
    done = ran(with_gate(folder, dilation_px=1))

    computed = [asset for asset, outcome in outcomes(done).items() if outcome is Outcome.COMPUTED]
    assert computed == list(ASSETS[2:])
