"""monthly_proxies: the month's composites and one row per parcel, from missions whose gate is open."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.content import table_content
from mrv_assets.audit.graph import STAGING, Node, task
from mrv_assets.formats.arrays import RASTERS
from mrv_assets.formats.artifacts import PREVIEW
from mrv_assets.formats.table import ROW_KEY, TABLE, write_parcels
from mrv_assets.lake.store import Lake
from mrv_assets.science.preview import Canvas, index_picture
from mrv_assets.stages.blocks import materialize_blocks, merged
from mrv_assets.stages.materialize import Materialized
from mrv_assets.stages.month_blocks import BlockResult, MonthJob, reduce_block
from mrv_assets.stages.month_missions import month_missions
from mrv_assets.stages.month_plan import MonthPlan
from mrv_assets.stages.parcel_rows import METHOD_VERSION, parcel_rows, shares_of_parcels
from mrv_assets.stages.preview import store_preview
from mrv_assets.stages.tile_month import TileParcels


def monthly_proxies(lake: Lake, plan: MonthPlan) -> Materialized:
    """Reduce the month to per-pixel composites and per-parcel proxies.

    The first mission in the order of substitution whose gate is open is used; with fusion, later missions whose gates
    are open too fill its gaps. When none is open, the rows say ``gate_closed`` or ``no_data``
    and no raster holds a value: data that the gate rejected cannot enter, however the stage is run.

    Args:
        lake: The lake that holds the gated tiles.
        plan: The tile and month, with a plan for each mission of the programme.
    """
    missions, gated, read = month_missions(lake, plan)
    at, fusion = plan.at, plan.substitution.fusion
    job = MonthJob(
        at=at,
        composite=plan.composite,
        missions=missions,
        fusion=fusion,
        min_native_pixels=plan.min_native_pixels,
        optical=plan.optical,
        geometries=_geometries(at.parcels, fusion=fusion),
        canvas=Canvas.over(at.grid, at.parcels.projected),
    )
    return materialize_blocks(
        lake,
        plan,
        __name__,
        graph=_graph(job),
        manifest=at.manifest(
            **plan.product_rules,
            missions={m.name: {"resolution_m": m.resolution_m, "indices": list(m.indices)} for m in missions.order},
            method_version=METHOD_VERSION,
            parcels=at.parcels.identity,
        ),
        made_from=gated,
        reads=read,
    )


def _geometries(parcels: TileParcels, *, fusion: bool) -> NDArray[np.object_]:
    """The geometries to measure: the parcels and, with fusion, their union last, over which shares are counted."""
    projected = parcels.projected
    return np.array([*projected, shapely.union_all(projected)], dtype=object) if fusion else projected


def _graph(job: MonthJob) -> Node:
    rasters = task(_create, job, STAGING)
    active = job.at.active if job.missions.sources else ()
    results = [task(reduce_block, job, rasters, block) for block in active]
    return task(_put_together, job, STAGING, rasters, results)


def _create(job: MonthJob, folder: Path) -> Path:
    job.rasters.create(folder / RASTERS)
    return folder / RASTERS


def _put_together(job: MonthJob, folder: Path, rasters: Path, results: Sequence[BlockResult]) -> Json:
    rows = parcel_rows(job, results)
    write_parcels(folder / TABLE, rows, job.at.parcels.lonlat)
    picture = index_picture(job.canvas.paste([result.piece for result in results], np.nan), job.canvas)
    missions, leaves = job.missions, merged([result.leaves for result in results])
    job.rasters.finish(rasters, leaves)
    return {
        "mission": missions.sources[0].mission.name if missions.sources else None,
        "decisions": missions.statuses,
        **({"fusion": _fusion(job, results)} if job.fusion else {}),
        "rasters": job.rasters.content(leaves),
        "table": table_content(rows, ROW_KEY),
        PREVIEW: store_preview(folder, picture),
    }


def _fusion(job: MonthJob, results: Sequence[BlockResult]) -> Json:
    """The missions that pixels are from, each with its share of the parcels' area; the radar that stands beside."""
    beside = job.missions.beside
    sources = [{"mission": name, "share": share} for name, share in shares_of_parcels(job, results).items()]
    return {"sources": sources, "beside": beside.mission.name if beside else None}
