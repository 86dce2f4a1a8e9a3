"""Assets: the five of each mission and the monthly proxies, from the programme alone."""

from typing import TYPE_CHECKING

import dagster as dg

from mrv_assets.defs.checks import gate_check, gate_check_result
from mrv_assets.defs.partitions import MONTH, TILE, tile_months
from mrv_assets.defs.resources import MrvResource
from mrv_assets.missions.mission import Mission
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.programme.model import Program
from mrv_assets.stages.materialize import Materialized
from mrv_assets.stages.options import RunOptions
from mrv_assets.stages.source_code import stage_code
from mrv_assets.stages.table import BY_NAME, GATED_TILES, MISSION_STAGES, STAGES, Stage

if TYPE_CHECKING:
    from mrv_assets.deployment import Deployment

OWNERS = ["team:mrv"]
FORCE_TAG = "mrv/force"
"""A run with this tag set to "true" computes known requests again; a backfill hands its tags to its runs."""


def stage_assets(program: Program) -> list[dg.AssetsDefinition]:
    """Every asset of a programme: each mission's, upstream first, in the order of substitution, then the products."""
    missions = [MISSIONS[name] for name in program.substitution]
    of_missions = [_asset(stage, mission, program) for mission in missions for stage in MISSION_STAGES]
    return of_missions + [_asset(stage, None, program) for stage in STAGES if not stage.of_mission]


def _asset(stage: Stage, mission: Mission | None, program: Program) -> dg.AssetsDefinition:
    key = _key(stage.asset("" if mission is None else mission.name))

    @dg.asset(
        key=key,
        deps=[_key(asset) for asset in _upstream(stage, mission, program)],
        partitions_def=tile_months(program),
        group_name="products" if mission is None else mission.name,
        description=stage.description if mission is None else f"{mission.title}. {stage.description}",
        kinds=set(stage.kinds),
        owners=OWNERS,
        code_version=stage_code(stage.module)[:16],
        check_specs=[gate_check(key)] if stage is GATED_TILES else None,
    )
    def asset(context: dg.AssetExecutionContext, mrv: MrvResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        deployment, keys = mrv.deployment(), context.partition_key.keys_by_dimension
        options = RunOptions(force=context.run.tags.get(FORCE_TAG) == "true", dagster_run_id=context.run.run_id)
        tile, month = keys[TILE], keys[MONTH]
        plan = (
            deployment.plan(tile, month, options=options)
            if mission is None
            else deployment.plan(tile, month, mission, options)
        )
        return result_of(deployment, deployment.materialize(stage.name, plan), key)

    return asset


def _upstream(stage: Stage, mission: Mission | None, program: Program) -> list[str]:
    """Paths of the assets that an asset depends on."""
    order = program.substitution
    if mission is None:
        upstream = BY_NAME[stage.upstream or GATED_TILES.name]
        return [upstream.asset(name) for name in order] if upstream.of_mission else [upstream.name]
    if stage.upstream is not None:
        return [f"{mission.name}/{stage.upstream}"]
    # A mission is searched only when the gate of the mission before it is closed, so that has to be decided first.
    # With fusion no mission waits for another.
    before = [] if program.fusion else order[: order.index(mission.name)][-1:]
    return [GATED_TILES.asset(name) for name in before]


def _key(asset: str) -> dg.AssetKey:
    return dg.AssetKey(asset.split("/"))


def result_of(deployment: "Deployment", done: Materialized, key: dg.AssetKey) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The result of a materialization: its audit hash as data version, its metadata, and the gate's check."""
    from mrv_assets.defs.metadata import metadata_of

    metadata = metadata_of(done, deployment.lake.reproductions(done.record))
    _, tile, month = done.record.partition.names
    return dg.MaterializeResult(
        asset_key=key,
        metadata=metadata,
        data_version=dg.DataVersion(done.audit_hash),
        check_results=[gate_check_result(tile, month, metadata)] if key.path[-1] == GATED_TILES.name else [],
    )
