"""monthly_proxies: the month's composites and one row per parcel, from missions whose gate is open."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import shapely
from dask.delayed import Delayed
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.content import table_content
from mrv_assets.formats.arrays import RASTERS, create_group, group_content
from mrv_assets.formats.artifacts import PREVIEW
from mrv_assets.formats.table import ROW_KEY, TABLE, write_parcels
from mrv_assets.lake.store import Lake
from mrv_assets.missions.mission import Mission
from mrv_assets.science.preview import Canvas, index_picture
from mrv_assets.stages.blocks import as_node, computed, each, once, topology, written
from mrv_assets.stages.materialize import Materialized, materialize
from mrv_assets.stages.month_blocks import BlockResult, MonthJob, reduce_block
from mrv_assets.stages.month_missions import open_missions
from mrv_assets.stages.parcel_rows import METHOD_VERSION, parcel_rows, shares_of_parcels
from mrv_assets.stages.plan import Plan
from mrv_assets.stages.preview import store_preview

ASSET = "monthly_proxies"


def monthly_proxies(lake: Lake, plan: Plan, missions: tuple[Mission, ...]) -> Materialized:
    """Reduce the month to per-pixel composites and per-parcel proxies.

    The first mission in the order of substitution whose gate is open is used; with fusion, those behind it whose gates
    are open too fill its gaps. When none is, the rows say ``no_data`` and no raster holds a value: what the gate
    rejected cannot get in, whoever runs this.

    Args:
        lake: Where the gated tiles are.
        plan: The tile and month; names no mission.
        missions: The programme's missions, in the order of substitution.
    """
    found, gated, read = open_missions(lake, plan, missions)
    job = MonthJob(
        tile=plan.tile,
        month=plan.month,
        grid=plan.grid,
        active=plan.active,
        composite=plan.composite,
        parcels=plan.parcels,
        missions=found,
        fusion=plan.fusion,
        min_native_pixels=plan.min_native_pixels,
        geometries=_geometries(plan),
        canvas=Canvas.over(plan.grid, plan.parcels.projected),
    )
    graph = partial(_graph, job)
    return materialize(
        lake,
        plan,
        ASSET,
        stage=__name__,
        manifest=plan.manifest(
            composite=plan.composite,
            **plan.substitution_rules,
            min_native_pixels=plan.min_native_pixels,
            missions={m.name: {"resolution_m": m.resolution_m, "indices": list(m.indices)} for m in missions},
            method_version=METHOD_VERSION,
            parcels=plan.parcels.identity,
        ),
        graph=topology(graph),
        inputs={f"{name}/gated_tiles": record.audit_hash for name, record in gated.items()},
        reads=read,
        produce=lambda folder: computed(plan, graph(folder)),
    )


def _geometries(plan: Plan) -> NDArray[np.object_]:
    """What is measured: the parcels and, where their shares are counted over all of them, their union."""
    projected = plan.parcels.projected
    return np.array([*projected, shapely.union_all(projected)], dtype=object) if plan.fusion else projected


def _graph(job: MonthJob, folder: Path) -> Delayed:
    whole = as_node(job)
    rasters = once(_create, whole, folder)
    blocks = each(reduce_block, job.active, whole, rasters) if job.missions.sources else ()
    return once(_put_together, whole, folder, rasters, blocks)


def _create(job: MonthJob, folder: Path) -> Path:
    create_group(folder / RASTERS, job.grid, [], job.specs, job.attrs)
    return folder / RASTERS


def _put_together(job: MonthJob, folder: Path, rasters: Path, results: Sequence[BlockResult]) -> Json:
    rows = parcel_rows(job, results)
    write_parcels(folder / TABLE, rows, job.parcels.lonlat)
    picture = index_picture(job.canvas.paste([result.piece for result in results], np.nan), job.canvas)
    found = written(job.specs, [result.leaves for result in results])
    missions = job.missions
    return {
        "mission": missions.sources[0].mission.name if missions.sources else None,
        "decisions": missions.statuses,
        **({"fusion": _fusion(job, results)} if job.fusion else {}),
        "rasters": group_content(job.grid, [], job.specs, job.attrs, found),
        "table": table_content(rows, ROW_KEY),
        PREVIEW: store_preview(folder, picture),
    }


def _fusion(job: MonthJob, results: Sequence[BlockResult]) -> Json:
    """Which missions the pixels are from, with the share of the parcels' area that each gave; what stands beside."""
    beside = job.missions.beside
    sources = [{"mission": name, "share": share} for name, share in shares_of_parcels(job, results).items()]
    return {"sources": sources, "beside": beside.mission.name if beside else None}
