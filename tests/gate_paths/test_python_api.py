"""Stages, lake and exports called by hand: whatever they are given, what the gate rejected stays out."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from block_scenes import TILE
from demo_lake import a_deployment, a_program, rows, run_months
from export_months import exported
from shut_months import (
    GATED,
    IN_OPEN,
    IN_SHUT,
    MISSION_ASSETS,
    OPEN,
    SHUT,
    current,
    leaves_nothing,
    materialized,
    refused,
    republished,
    values,
    without_product,
)
from simulated_patches import COLLECTIONS, MONTH, a_patch, asking

from mrv_assets.audit.canonical import canonical, sha256
from mrv_assets.audit.record import Request
from mrv_assets.deployment import Deployment
from mrv_assets.errors import GateRefused, NotReproducible, StaleUpstream
from mrv_assets.export.months import read_month
from mrv_assets.formats.artifacts import DECISION, PREVIEW, decision_of
from mrv_assets.lake.runs import Run
from mrv_assets.lake.view import open_parcels
from mrv_assets.missions.landsat import LANDSAT
from mrv_assets.missions.mission import Mission
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.simulated.archive import Landsat, Sentinel2
from mrv_assets.simulated.publish import simulate
from mrv_assets.stages.monthly_proxies import monthly_proxies
from mrv_assets.stages.table import PRODUCT


def test_what_the_fixture_has(untouched: Deployment) -> None:
    """One month is REJECTED and has no value; the other is PASSED and has them: nothing here is shut by accident."""
    assert (current(untouched, GATED).output["status"], values(untouched)) == ("REJECTED", {})
    assert current(untouched, GATED, OPEN).output["status"] == "PASSED"
    assert values(untouched, OPEN)["clear ndvi_mean"] == pytest.approx((0.25 - 0.05) / (0.25 + 0.05), abs=1e-4)


# --- plans ----------------------------------------------------------------------------------------------------------


def test_a_plan_with_a_lower_threshold_opens_nothing(deployment: Deployment) -> None:
    """The stage asks for a decision by its plan's own threshold, and the lake has none."""
    plan = without_product(deployment).plan(TILE, SHUT)
    missions = tuple(replace(of, gate=replace(of.gate, min_coverage=0.1)) for of in plan.missions)

    with refused(
        deployment, StaleUpstream, r"sentinel2/gated_tiles 34TER 2018-07: .*another gate .*mrv run --tile 34TER"
    ):
        monthly_proxies(deployment.lake, replace(plan, missions=missions))


def test_a_gate_that_was_lowered_by_hand_is_not_the_programmes(deployment: Deployment) -> None:
    """A decision by another threshold is refused by whoever has the programme's; a run brings REJECTED back."""
    gate = replace(deployment.plan(TILE, SHUT, SENTINEL2).gate, min_coverage=0.1)
    materialized(without_product(deployment), GATED, gate=gate)
    lowered = current(deployment, GATED)

    with refused(deployment, StaleUpstream, "another gate than the programme has now"):
        materialized(deployment, PRODUCT)

    assert (lowered.output["status"], lowered.document["plan"]["gate"]["min_coverage"]) == ("PASSED", 0.1)
    run_months(deployment, [SHUT])
    assert (current(deployment, GATED).output["status"], values(deployment)) == ("REJECTED", {})


# --- missions -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def substituted(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A month of which Sentinel-2 saw a tenth and Landsat everything."""
    folder = tmp_path_factory.mktemp("substituted")
    observers = (Sentinel2(every_days=15, clouds={MONTH: 0.9}), Landsat(every_days=16))
    archive, parcels = asking(a_patch(observers=observers))
    simulate(folder / "catalogue", archive)
    program = a_program(
        folder / "programme",
        parcels=parcels,
        missions={
            name: {"catalog": str(folder / "catalogue"), "collection": COLLECTIONS[name]}
            for name in ("sentinel2", "landsat")
        },
        substitution=["sentinel2", "landsat"],
        months={"start": MONTH, "end": MONTH},
        min_native_pixels=0,
    )
    made = a_deployment(program)
    run_months(made, [MONTH])
    return made


@pytest.mark.parametrize(
    "given",
    [(LANDSAT,), (LANDSAT, SENTINEL2), (SENTINEL2,)],
    ids=["left out", "reordered", "last left out"],
)
def test_a_rejected_mission_cannot_be_left_out(substituted: Deployment, given: tuple[Mission, ...]) -> None:
    """With all of them in their order, what stands in is marked; without the rejected one it would come in unmarked."""
    plan = substituted.plan(TILE, MONTH)

    with refused(substituted, ValueError, r"are not the plan's: sentinel2, landsat\. Give all of them, in this order"):
        replace(plan, missions=tuple(substituted.plan(TILE, MONTH, mission) for mission in given))
    with refused(substituted, ValueError, "at least one mission"):
        replace(plan, missions=())

    marks = {(row["mission"], row["substituted"], row["comparable"]) for row in rows(substituted, MONTH).values()}
    assert marks == {("landsat", True, False)}


# --- decisions made by hand -------------------------------------------------------------------------------------------


def test_another_answer_to_the_gates_request_is_refused(deployment: Deployment) -> None:
    """Who publishes a decision of their own through the lake's own door is told that the gate decided otherwise."""
    rejected = current(deployment, GATED)
    document = {**decision_of(rejected), "status": "PASSED", "reasons": []}
    request = Request(**{name: part for name, part in rejected.document.items() if name not in ("schema", "output")})
    output = {**rejected.output, "status": "PASSED", "reasons": [], "decision_sha256": sha256(canonical(document))}
    now = datetime.now(UTC)
    run = Run(outcome="computed", started=now, finished=now, dagster_run_id=None, workers=1)

    with deployment.lake.staging() as folder:
        (folder / DECISION).write_bytes(canonical(document))
        (folder / PREVIEW).write_bytes((rejected.data / PREVIEW).read_bytes())
        with pytest.raises(NotReproducible, match=rejected.audit_hash[:12]):
            deployment.lake.commit(folder, request.record(output), run)
    materialized(without_product(deployment), PRODUCT)

    assert (current(deployment, GATED), values(deployment)) == (rejected, {})


# --- opening and exporting --------------------------------------------------------------------------------------------


def test_what_was_rejected_is_not_opened(untouched: Deployment) -> None:
    """Neither the gate's view nor the product's has a pixel of it; the error says where measurements can be seen."""
    with refused(untouched, GateRefused, r"REJECTED \(below_tile_coverage\).*opening sentinel2/indices instead"):
        untouched.lake.open(GATED, TILE, SHUT)
    with refused(untouched, GateRefused, "REJECTED"):
        read_month(untouched.lake, TILE, SHUT).pixels()

    assert list(untouched.lake.open(PRODUCT, TILE, SHUT)) == ["n_obs"]
    assert int(untouched.lake.open(PRODUCT, TILE, SHUT)["n_obs"].sum()) == 0


@pytest.mark.parametrize("kind", ["cog", "stac", "geoparquet", "csv", "xlsx"])
def test_what_was_rejected_is_not_exported(untouched: Deployment, kind: str, tmp_path: Path) -> None:
    """No raster of it, no value in a row; the answer says that the gate is closed."""
    with leaves_nothing(untouched):
        answer = exported(untouched, kind, tmp_path / "out", month=SHUT)

    assert [(one["month"], one["because"]) for one in answer["without_values"]] == [(SHUT, "gate_closed")]
    assert not list((tmp_path / "out").rglob("*.tif"))
    assert not (answer["rows"] or {}).get("ok")


def test_a_product_whose_gate_has_closed_since_is_neither_opened_nor_exported(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Values that came in while the gate was open do not leave once it is shut: the month has to be run first."""
    clouded = replace(IN_OPEN, id="reprocessed", scl=IN_SHUT.scl)
    materialized(republished(deployment, IN_SHUT, clouded), *MISSION_ASSETS, month=OPEN)
    says = r"monthly_proxies 34TER 2018-08: .*sentinel2/gated_tiles that has since been replaced.*mrv run --tile 34TER"

    assert (current(deployment, GATED, OPEN).output["status"], bool(values(deployment, OPEN))) == ("REJECTED", True)
    with refused(deployment, StaleUpstream, says):
        deployment.lake.open(PRODUCT, TILE, OPEN)
    with refused(deployment, StaleUpstream, says):
        open_parcels(deployment.lake, TILE, OPEN)
    for kind in ("cog", "csv"):
        with refused(deployment, StaleUpstream, says):
            exported(deployment, kind, tmp_path / kind, month=OPEN)
        assert not (tmp_path / kind).exists()
    materialized(deployment, PRODUCT, month=OPEN)
    assert values(deployment, OPEN) == {}
