"""raw_tiles: the publisher's own bytes, for the active blocks: searched, selected, checked, copied byte for byte."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.graph import Step, steps_digest
from mrv_assets.cog.header import check_header, tiles_for
from mrv_assets.cog.sparse_tiff import sparse_tiff
from mrv_assets.errors import HeaderRefused
from mrv_assets.formats.artifacts import SCENES
from mrv_assets.lake.store import Lake
from mrv_assets.missions.mission import described
from mrv_assets.scenes.select import Scene, SceneBand, Selection, select
from mrv_assets.science.blocks import HALO_PX
from mrv_assets.stac.open import opened, resumed
from mrv_assets.stac.source import Published
from mrv_assets.stages.materialize import Materialized, materialize
from mrv_assets.stages.mission_plan import MissionPlan, SceneSource
from mrv_assets.stages.scene_files import stored_scenes
from mrv_assets.stages.scene_link import link_of
from mrv_assets.stages.source_code import source as source_of
from mrv_assets.stages.tile_month import lonlat_bounds, month_bounds

STEPS = (
    Step(name="select", function=select, reads=("items",)),
    Step(name="header gate", function=check_header, reads=("select",)),
    Step(name="COG tiles", function=tiles_for, reads=("header gate",)),
    Step(name="sparse GeoTIFF", function=sparse_tiff, reads=("COG tiles",)),
)


def raw_tiles(lake: Lake, plan: MissionPlan) -> Materialized:
    """Open the mission's catalogue, and keep the COG tiles that the active blocks need: see :func:`copy_scenes`.

    Raises:
        CatalogueError: When the catalogue cannot be used.
        SceneReadError: When a published file cannot be read.
    """
    # What a killed run had read is not read again; once the record is there, it is not needed.
    unfinished = lake.unfinished(plan.at.partition(plan.asset("raw_tiles")))
    with resumed(published_for(plan), unfinished) as published:
        return copy_scenes(lake, plan, published)


def published_for(plan: MissionPlan) -> Published:
    """Where a plan's scenes are published, opened.

    Raises:
        CatalogueError: When the catalogue cannot be used.
    """
    source = _source(plan)
    return opened(source.catalogue, hosts=source.hosts, buckets=source.buckets, loopback=source.loopback)


def copy_scenes(lake: Lake, plan: MissionPlan, published: Published) -> Materialized:
    """Search an opened catalogue for the month and keep the COG tiles the active blocks need.

    The lake's data: per scene and band a sparse GeoTIFF, the item's JSON, and ``scenes.json``, which says
    which scenes form which observation and which COG tiles of each file were fetched.

    Raises:
        CatalogueError: When the catalogue cannot be used.
        SceneReadError: When a published file cannot be read.
    """
    mission, source = plan.mission, _source(plan)
    selection = _searched(plan, published, [plan.at.month])[plan.at.month]
    return materialize(
        lake,
        plan,
        plan.asset("raw_tiles"),
        stage=__name__,
        manifest=plan.at.manifest(
            catalogue=published.name,
            collection=source.collection,
            integrity=source.integrity,
            halo_px=HALO_PX,
            mission=described(mission),
            **({"orbit_direction": plan.treatment.orbit_direction} if mission.one_orbit_direction else {}),
        ),
        graph=_graph(),
        inputs=_inputs(plan, selection, published),
        produce=lambda folder: _produced(plan, selection, published, folder),
        reopens=reopens,
    )


@cache
def _graph() -> str:
    # The same for every partition, and reading sources holds up every other thread.
    return steps_digest(STEPS, source_of)


def _produced(plan: MissionPlan, selection: Selection, published: Published, folder: Path) -> Json:
    """Fetch the month's scenes into a folder; gives the record's output."""
    files, observations, refused = stored_scenes(plan, selection, published, _source(plan).integrity, folder)
    return {
        "files": files,
        "refused": refused,
        "completeness": {
            "matched": selection.matched,
            "returned": selection.returned,
            "kept": sum(len(observation["scenes"]) for observation in observations),
            "excluded": len(selection.excluded),
            "refused": len(refused),
        },
    }


def reopens(before: Json, now: Json) -> bool:
    """Whether an output differs from one before it only in scenes or bands that were refused and came back.

    A refused scene is in the output, and not what refused it in the request: over the network nobody knows that before
    it is read. What was stored before is there byte for byte, or this is no reopening.
    """
    kept = all(now["files"].get(name) == file for name, file in before["files"].items() if name != SCENES)
    return kept and (now["files"].keys() != before["files"].keys() or now["refused"] != before["refused"])


def forecast(plan: MissionPlan, published: Published) -> Json:
    """What raw_tiles of a tile and month would take, before any pixel is read.

    Returns:
        Scenes and observations that count, items excluded, and bytes: the whole files', so at most that; None where
        the catalogue does not say how large they are.
    """
    selection = _searched(plan, published, [plan.at.month])[plan.at.month]
    scenes = [scene for observation in selection.observations for scene in observation.scenes]
    sizes = [_size(scene, band, plan, published) for scene in scenes for band in scene.bands.values()]
    return {
        "scenes": len(scenes),
        "observations": len(selection.observations),
        "excluded": len(selection.excluded),
        "bytes": None if None in sizes else sum(size for size in sizes if size is not None),
    }


def _size(scene: Scene, band: SceneBand, plan: MissionPlan, published: Published) -> int | None:
    """A file's size, without asking the network for it."""
    if band.size is None and published.named_by_bytes:
        link = link_of(scene, band, plan, published)
        return 0 if isinstance(link, HeaderRefused) else published.transport.stat(link).size
    return band.size


def offered(plan: MissionPlan, published: Published, months: Sequence[str]) -> dict[str, Json]:
    """What a catalogue offers for some months of the plan's tile, by one search.

    Returns:
        For each month ``items``, the digest of each scene that counts, by its id; and ``excluded``, the items that do
        not, each with code and detail.
    """
    return {
        month: {
            "items": {s.id: s.item_sha256 for observation in selection.observations for s in observation.scenes},
            "excluded": _excluded(selection),
        }
        for month, selection in _searched(plan, published, months).items()
    }


def _searched(plan: MissionPlan, published: Published, months: Sequence[str]) -> dict[str, Selection]:
    """Each month's scenes, by one search from the first month to the last."""
    start, end = month_bounds(min(months))[0], month_bounds(max(months))[1]
    found = published.catalogue.search(_source(plan).collection, lonlat_bounds(plan.at.parcels.lonlat), start, end)
    mission, direction = plan.mission, plan.treatment.orbit_direction
    return {month: select(found.items, mission, month, orbit_direction=direction) for month in months}


def _source(plan: MissionPlan) -> SceneSource:
    if plan.source is None:
        raise ValueError("raw_tiles needs a plan that names where scenes are published")
    return plan.source


def _inputs(plan: MissionPlan, selection: Selection, published: Published) -> Json:
    """What the catalogue offered and what of it counts, before any pixel is read."""
    return {
        "items": [
            {
                "id": scene.id,
                "collection": scene.collection,
                "datetime": scene.datetime,
                "item_sha256": scene.item_sha256,
                "dn_shift": scene.dn_shift,
                "offset_rule": scene.offset_rule,
                "observation": observation.key,
                "checksums": {
                    name: _checksum(scene, band, plan, published) for name, band in sorted(scene.bands.items())
                },
                **_unfollowed(scene, plan, published),
            }
            for observation in selection.observations
            for scene in observation.scenes
        ],
        "excluded": _excluded(selection),
    }


def _excluded(selection: Selection) -> list[list[str]]:
    return [[item.id, item.code, item.detail] for item in selection.excluded]


def _unfollowed(scene: Scene, plan: MissionPlan, published: Published) -> Json:
    """Bands whose links the deployment does not follow, with the code: once it does, that is another request."""
    links = {name: link_of(scene, band, plan, published) for name, band in sorted(scene.bands.items())}
    codes = {name: link.code for name, link in links.items() if isinstance(link, HeaderRefused)}
    return {"unfollowed": codes} if codes else {}


def _checksum(scene: Scene, band: SceneBand, plan: MissionPlan, published: Published) -> Json | None:
    if band.checksum is not None:
        return {"multihash": band.checksum}
    if not published.named_by_bytes:
        return None
    link = link_of(scene, band, plan, published)
    if isinstance(link, HeaderRefused):
        return None
    return {"size": published.transport.stat(link).size, "sha256": published.transport.digest(link, "sha256")}
