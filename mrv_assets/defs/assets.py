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
from mrv_assets.stages.source_code import stage_code

if TYPE_CHECKING:
    from mrv_assets.deployment import Deployment
    from mrv_assets.stages.plan import Plan

OWNERS = ["team:mrv"]
FORCE_TAG = "mrv/force"
"""A run with this tag set to "true" computes known requests again; a backfill hands its tags to its runs."""

_STAGES: dict[str, tuple[str, set[str]]] = {
    "raw_tiles": (
        "The publisher's own compressed COG tiles, byte for byte, for the blocks that touch a parcel; "
        "searched, deduplicated, and past the header gate.",
        {"stac", "geotiff"},
    ),
    "aligned_tiles": (
        "Every observation of the month on the tile's analysis grid, as digital numbers of one convention; "
        "quality bands undecoded.",
        {"zarr", "numba"},
    ),
    "masked_tiles": (
        "Why each pixel of each observation is unclear, by the product's own quality bits, dilated around "
        "cloud and shadow.",
        {"zarr", "numba"},
    ),
    "indices": ("NDVI, EVI, NBR and NDMI where the ground was seen.", {"zarr", "numba"}),
    "gated_tiles": (
        "The decision whether the tile-month was seen well enough to count, with every number it rests on. "
        "A rejected tile-month materializes too: the decision is the asset.",
        {"zarr", "json"},
    ),
}


def mission_assets(mission: Mission, program: Program) -> list[dg.AssetsDefinition]:
    """The five assets of one mission, upstream first."""
    return [_mission_asset(mission, stage, program) for stage in _STAGES]


def _mission_asset(mission: Mission, stage: str, program: Program) -> dg.AssetsDefinition:
    description, kinds = _STAGES[stage]
    names = list(_STAGES)
    upstream = names[: names.index(stage)][-1:]
    key = dg.AssetKey([mission.name, stage])
    # A mission is searched only when the gate of the mission before it is closed, so that has to be decided first.
    # With fusion no mission waits for another.
    waits = not upstream and not program.fusion
    earlier = program.substitution[: program.substitution.index(mission.name)][-1:] if waits else ()

    @dg.asset(
        key=key,
        deps=[
            *(dg.AssetKey([mission.name, name]) for name in upstream),
            *(dg.AssetKey([name, "gated_tiles"]) for name in earlier),
        ],
        partitions_def=tile_months(program),
        group_name=mission.name,
        description=f"{mission.title}. {description}",
        kinds=kinds,
        owners=OWNERS,
        code_version=stage_code(f"mrv_assets.stages.{stage}")[:16],
        check_specs=[gate_check(key)] if stage == "gated_tiles" else None,
    )
    def asset(context: dg.AssetExecutionContext, mrv: MrvResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        deployment = mrv.deployment()
        return result_of(
            deployment, deployment.materialize(stage, _plan(deployment, context, MISSIONS[mission.name])), key
        )

    return asset


def _plan(deployment: "Deployment", context: dg.AssetExecutionContext, mission: Mission | None) -> "Plan":
    """The plan of a run's tile and month."""
    keys = context.partition_key.keys_by_dimension
    return deployment.plan(
        keys[TILE],
        keys[MONTH],
        mission,
        force=context.run.tags.get(FORCE_TAG) == "true",
        dagster_run_id=context.run.run_id,
    )


def monthly_proxies_asset(program: Program) -> dg.AssetsDefinition:
    """The monthly proxies, from the gated tiles of all missions."""
    key = dg.AssetKey(["monthly_proxies"])

    @dg.asset(
        key=key,
        deps=[dg.AssetKey([name, "gated_tiles"]) for name in program.substitution],
        partitions_def=tile_months(program),
        group_name="products",
        description="Monthly composite of each index and one row per parcel, from the first mission whose gate "
        "is open; with fusion its gaps are filled from the next. What the gate rejected is null here.",
        kinds={"parquet", "zarr"},
        owners=OWNERS,
        code_version=stage_code("mrv_assets.stages.monthly_proxies")[:16],
    )
    def asset(context: dg.AssetExecutionContext, mrv: MrvResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        deployment = mrv.deployment()
        return result_of(deployment, deployment.materialize("monthly_proxies", _plan(deployment, context, None)), key)

    return asset


def result_of(deployment: "Deployment", done: Materialized, key: dg.AssetKey) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The result of a materialization: its audit hash as data version, its metadata, and the gate's check."""
    from mrv_assets.defs.metadata import metadata_of

    metadata = metadata_of(done, deployment.lake.reproductions(done.record))
    tile, month = done.record.document["tile"], done.record.document["month"]
    return dg.MaterializeResult(
        asset_key=key,
        metadata=metadata,
        data_version=dg.DataVersion(done.audit_hash),
        check_results=[gate_check_result(tile, month, metadata)] if key.path[-1] == "gated_tiles" else [],
    )
