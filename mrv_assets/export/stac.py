"""A static, self-contained STAC catalogue: one item for each month, with its rasters and its table."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pystac
import shapely
import shapely.affinity
from pystac.extensions.file import SCHEMA_URI as FILE
from pystac.extensions.projection import SCHEMA_URI as PROJECTION
from shapely.geometry import mapping

from mrv_assets import __version__
from mrv_assets.export.attribution import attributions
from mrv_assets.export.cog import Raster, write_month
from mrv_assets.export.content import Content
from mrv_assets.export.degrees import outline
from mrv_assets.export.geoparquet import write_geoparquet
from mrv_assets.export.months import Month
from mrv_assets.export.rows import all_rows
from mrv_assets.science.grid import Grid, Window
from mrv_assets.stages.tile_month import month_bounds

PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
PARQUET = "application/vnd.apache.parquet"
TABLE_KEY = "parcels"
"""Key of the STAC asset with the month's table; the keys of rasters are their variables."""
CATALOGUE = "catalog.json"

_PIECES = 8
"""Straight lines of each edge of a footprint, which is for display."""
_DECIMALS = 7
"""Decimals of coordinates in degrees: a centimetre, and the same digits from every version of PROJ."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A month and the files that were written for it."""

    month: Month
    rasters: Sequence[Raster]
    """Empty where the gate is closed."""
    table: Path
    """The month's rows as GeoParquet."""


def write(content: Content, folder: Path, step: Callable[[str], None]) -> None:
    """Write a catalogue with the rasters and the table of each month. Reports one step a month."""
    entries = []
    for month in content.months:
        month_folder = folder_of(folder, month)
        month_folder.mkdir(parents=True)
        table = month_folder / f"{month.name}_parcels.parquet"
        write_geoparquet(all_rows([month], content.indices), table)
        entries.append(Entry(month=month, rasters=write_month(month, content, month_folder, step), table=table))
    write_catalogue(folder, entries)


def folder_of(root: Path, month: Month) -> Path:
    """The folder of a month's files, which is that of its item."""
    return root / month.lake.programme / month.name


def write_catalogue(root: Path, entries: Sequence[Entry]) -> None:
    """Write a catalogue with the programme's collection and one item for each month.

    Args:
        root: The catalogue's folder; the months' files lie in it as :func:`folder_of` says.
        entries: Months of one programme; at least one.
    """
    items = [_item(entry) for entry in entries]
    programme = entries[0].month.lake.programme
    collection = pystac.Collection(
        id=programme,
        title=f"Monthly proxies of {programme}",
        description="Vegetation indices of a programme's parcels, one item for each tile and month. A month that the "
        "gate rejected has no pixels and a table without values.",
        license="other",
        extent=pystac.Extent.from_items(items),
        extra_fields={"mrv:attributions": attributions(scene for entry in entries for scene in entry.month.scenes)},
    )
    catalogue = pystac.Catalog(
        id=f"{programme}-export", title=collection.title, description=f"What was exported of {programme}."
    )
    catalogue.add_child(collection)
    collection.add_items(items)
    catalogue.normalize_hrefs(str(root))
    # Paths of assets are relative to their item, which has a path only now.
    for item, entry in zip(items, entries, strict=True):
        for raster in entry.rasters:
            item.add_asset(raster.variable, _raster_asset(raster))
        item.add_asset(TABLE_KEY, _table_asset(entry.table))
    catalogue.save(catalog_type=pystac.CatalogType.SELF_CONTAINED)


def _item(entry: Entry) -> pystac.Item:
    month = entry.month
    geometry, bbox = footprint(month.grid, month.window)
    start, end = (datetime.fromisoformat(bound) for bound in month_bounds(month.month))
    item = pystac.Item(
        id=month.name,
        geometry=geometry,
        bbox=bbox,
        datetime=None,
        # An interval of STAC includes its end, and a month does not include the first instant of the next.
        start_datetime=start,
        end_datetime=end - timedelta(microseconds=1),
        stac_extensions=[PROJECTION, PROCESSING, FILE],
        properties={
            "title": f"{month.lake.programme}, tile {month.tile}, {month.month}",
            "gsd": month.resolution_m,
            "proj:code": entry.rasters[0].grid.crs if entry.rasters else month.grid.crs,
            "processing:level": "L3",
            "processing:lineage": _lineage(entry),
            "processing:software": {"mrv_assets": __version__},
            "mrv:audit_hash": month.record.audit_hash,
            "mrv:programme": month.lake.programme,
            "mrv:tile": month.tile,
            "mrv:month": month.month,
            "mrv:mission": month.used.mission if month.has_values else None,
            "mrv:missions": list(month.missions),
            "mrv:substituted": month.substituted,
            "mrv:gate": [
                {"mission": decided.mission, "status": decided.status.value, "reasons": list(decided.reasons)}
                for decided in month.decided
            ],
            "mrv:unavailable": month.missing_indices,
            "mrv:attributions": attributions(month.scenes),
            "mrv:scenes": [scene.id for scene in month.scenes],
            **({"mrv:doubts": doubts} if (doubts := {s.id: list(s.doubts) for s in month.scenes if s.doubts}) else {}),
        },
    )
    for scene in month.scenes:
        if scene.href is not None:
            item.add_link(pystac.Link("derived_from", scene.href, pystac.MediaType.GEOJSON, scene.id))
    return item


def _lineage(entry: Entry) -> str:
    month, missions = entry.month, ", ".join(entry.month.missions)
    if not month.has_values:
        return f"No values: {'; '.join(map(str, month.decided))}."
    resampled = any(raster.grid.crs != month.grid.crs for raster in entry.rasters)
    return (
        f"{len(month.scenes)} scenes of {missions} on the grid of MGRS tile {month.tile}; what was not clear "
        f"masked; indices; the gate; per-pixel {month.composite} of the month; parcels by exact pixel fractions. "
        f"{month.record.document['asset']} record {month.record.audit_hash}."
        + (f" Pixels resampled to {entry.rasters[0].grid.crs}: not the audited numbers." if resampled else "")
    )


def footprint(grid: Grid, window: Window) -> tuple[dict[str, Any], list[float]]:
    """The outline of a window as GeoJSON, cut at the antimeridian (RFC 7946), and its bounding box."""
    polygon = shapely.Polygon(outline(grid, window, _PIECES))
    west, south, east, north = (round(edge, _DECIMALS) for edge in polygon.bounds)
    if east <= 180:
        return _rounded(mapping(polygon)), [west, south, east, north]
    parts = [
        shapely.affinity.translate(polygon.intersection(shapely.box(first, -90, first + 360, 90)), xoff=-shift)
        for first, shift in ((-180, 0), (180, 360))
    ]
    return _rounded(mapping(shapely.union_all(parts))), [west, south, round(east - 360, _DECIMALS), north]


def _rounded(geometry: Any) -> Any:
    match geometry:
        case dict():
            return {name: _rounded(part) for name, part in geometry.items()}
        case list() | tuple():
            return [_rounded(part) for part in geometry]
        case float():
            return round(geometry, _DECIMALS)
    return geometry


def _raster_asset(raster: Raster) -> pystac.Asset:
    grid = raster.grid
    nodata = {} if raster.nodata is None else {"nodata": "nan" if math.isnan(raster.nodata) else raster.nodata}
    x0, dx, _, y0, _, dy = grid.gdal_transform
    return pystac.Asset(
        href=f"./{raster.path.name}",
        title=raster.description,
        media_type=pystac.MediaType.COG,
        roles=["data"],
        extra_fields={
            "data_type": raster.dtype,
            **nodata,
            "unit": raster.unit,
            "proj:code": grid.crs,
            "proj:shape": [grid.height, grid.width],
            "proj:transform": [dx, 0.0, x0, 0.0, dy, y0],
            "proj:bbox": list(grid.bounds()),
            **_file(raster.path),
        },
    )


def _table_asset(path: Path) -> pystac.Asset:
    return pystac.Asset(
        href=f"./{path.name}",
        title="One row a parcel, with its outline",
        media_type=PARQUET,
        roles=["data"],
        extra_fields=_file(path),
    )


def _file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # Multihash: sha2-256, 32 bytes.
    return {"file:checksum": f"1220{digest}", "file:size": path.stat().st_size}
