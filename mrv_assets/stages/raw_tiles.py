"""raw_tiles: the publisher's own bytes, for the active blocks: searched, selected, checked, copied byte for byte."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.graph import Step, steps_digest
from mrv_assets.cog.header import check_header, tiles_for
from mrv_assets.cog.sparse_tiff import sparse_tiff
from mrv_assets.errors import HeaderRefused, ObjectReadError, SceneReadError
from mrv_assets.formats.artifacts import SCENES, observations_of
from mrv_assets.lake.store import Lake
from mrv_assets.missions.mission import described
from mrv_assets.scenes.select import EXCLUDED, Scene, SceneBand, Selection, select
from mrv_assets.science.blocks import HALO_PX
from mrv_assets.stac.open import opened, resumed
from mrv_assets.stac.source import Published
from mrv_assets.stages.band_file import FILE_GONE
from mrv_assets.stages.materialize import Materialized, materialize
from mrv_assets.stages.mission_plan import MissionPlan, SceneSource
from mrv_assets.stages.scene_files import BAND_LEFT_OUT, stored_scenes
from mrv_assets.stages.scene_link import link_of
from mrv_assets.stages.source_code import source as source_of
from mrv_assets.stages.tile_month import lonlat_bounds, month_bounds
from mrv_assets.transport.store import is_remote

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
    # Bytes that a killed run had read are not read again; once the record is there, they are not needed.
    unfinished = lake.unfinished(plan.at.partition(plan.asset("raw_tiles")))
    with resumed(published_for(plan), unfinished) as published:
        return copy_scenes(lake, plan, published)


def published_for(plan: MissionPlan) -> Published:
    """The opened catalogue of a plan's scenes, with the transport to its files.

    Raises:
        CatalogueError: When the catalogue cannot be used.
    """
    source = _source(plan)
    return opened(source.catalogue, hosts=source.hosts, buckets=source.buckets, loopback=source.loopback)


def copy_scenes(lake: Lake, plan: MissionPlan, published: Published) -> Materialized:
    """Search an opened catalogue for the month and keep the COG tiles the active blocks need.

    The lake stores a sparse GeoTIFF for each scene and band, the item's JSON, and ``scenes.json``, which states the
    scenes of each observation and the COG tiles that were fetched of each file.

    Raises:
        CatalogueError: When the catalogue cannot be used.
        SceneReadError: When a published file cannot be read.
    """
    selection = _searched(plan, published, [plan.at.month])[plan.at.month]
    if not plan.options.known_only and _came_back(lake, plan, selection, published):
        plan = replace(plan, options=replace(plan.options, force=True))
    return materialize(
        lake,
        plan,
        plan.asset("raw_tiles"),
        stage=__name__,
        manifest=plan.at.manifest(
            catalogue=published.name,
            halo_px=HALO_PX,
            mission=described(plan.mission),
            **{name: rule for name, rule in plan.source_rules.items() if rule is not None},
        ),
        graph=_graph(),
        inputs=_inputs(plan, selection, published),
        produce=lambda folder: _produced(plan, selection, published, folder),
        reopens=reopens,
    )


def _came_back(lake: Lake, plan: MissionPlan, selection: Selection, published: Published) -> bool:
    """Whether a scene or a band that was left out because a file was gone has all of its files now."""
    partition = plan.at.partition(plan.asset("raw_tiles"))
    if lake.head(partition) is None:
        return False
    raw = lake.current(partition)
    if not raw.evaluated:
        return False
    gone = {scene["id"] for scene in raw.output["refused"] if scene["code"] == FILE_GONE}
    lacking = {
        scene["id"]
        for observation in observations_of(raw)
        for scene in observation["scenes"]
        if any(finding.startswith(f"{BAND_LEFT_OUT}: {FILE_GONE}") for finding in scene["findings"])
    }
    scenes = {scene.id: scene for observation in selection.observations for scene in observation.scenes}
    asked = [scenes[name] for name in sorted(gone | lacking) if name in scenes]
    return any(all(_is_there(scene, band, plan, published) for band in scene.bands.values()) for scene in asked)


def _is_there(scene: Scene, band: SceneBand, plan: MissionPlan, published: Published) -> bool:
    link = link_of(scene, band, plan, published)
    if isinstance(link, HeaderRefused):
        return True
    try:
        published.transport.stat(link)
    except ObjectReadError as failure:
        if failure.gone:
            return False
        raise SceneReadError(scene.id, band.name, "its server", failure.reason, failure.cure) from failure
    return True


@cache
def _graph() -> str:
    # It is the same for every partition, and reading sources holds up every other thread.
    return steps_digest(STEPS, source_of)


def _produced(plan: MissionPlan, selection: Selection, published: Published, folder: Path) -> Json:
    """Fetch the month's scenes into a folder, and return the record's output."""
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

    A refused scene stands in the output, but its refusal does not stand in the request: over the network it is not
    known before the file is read. All that was stored before is there byte for byte, or this is not a reopening.
    """
    kept = all(now["files"].get(name) == file for name, file in before["files"].items() if name != SCENES)
    return kept and (now["files"].keys() != before["files"].keys() or now["refused"] != before["refused"])


def forecast(plan: MissionPlan, published: Published) -> Json:
    """Forecast of the work of raw_tiles for a tile and month, before any pixel is read.

    Returns:
        Numbers of scenes and observations that count, of items excluded, and of bytes. Bytes are those of the whole
        files, an upper bound; None where the catalogue does not state their sizes.
    """
    selection = _searched(plan, published, [plan.at.month])[plan.at.month]
    scenes = [scene for observation in selection.observations for scene in observation.scenes]
    sizes = [_size(scene, band, plan, published) for scene in scenes for band in scene.bands.values()]
    return {
        "scenes": len(scenes),
        "observations": len(selection.observations),
        "excluded": len(selection.excluded),
        "left_out": [item.id for item in selection.excluded if item.code == EXCLUDED],
        "bytes": None if None in sizes else sum(size for size in sizes if size is not None),
    }


def _size(scene: Scene, band: SceneBand, plan: MissionPlan, published: Published) -> int | None:
    """A file's size in bytes, without a request over the network; None where it is not stated."""
    if band.size is None and published.named_by_bytes:
        link = link_of(scene, band, plan, published)
        if isinstance(link, HeaderRefused):
            return 0
        if is_remote(link):
            return None
        try:
            return published.transport.stat(link).size
        except ObjectReadError:
            return 0
    return band.size


def offered(plan: MissionPlan, published: Published, months: Sequence[str]) -> dict[str, Json]:
    """Items that a catalogue offers for some months of the plan's tile, by one search.

    Returns:
        For each month ``items``, the digest of each scene that counts, by its id; and ``excluded``, the items that
        do not, each with code and detail.
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
    results = published.catalogue.search(_source(plan).collection, lonlat_bounds(plan.at.parcels.lonlat), start, end)
    mission, source = plan.mission, _source(plan)
    item_assets = published.catalogue.item_assets(source.collection)
    return {
        month: select(
            results.items,
            mission,
            month,
            orbit_direction=plan.treatment.orbit_direction,
            item_assets=item_assets,
            offset=source.offset,
            exclude=dict(source.exclude),
        )
        for month in months
    }


def _source(plan: MissionPlan) -> SceneSource:
    if plan.source is None:
        raise ValueError("raw_tiles needs a plan that names where scenes are published")
    return plan.source


def _inputs(plan: MissionPlan, selection: Selection, published: Published) -> Json:
    """The request's inputs: the scenes that count and the items excluded, before any pixel is read."""
    return {
        "items": [
            {
                "id": scene.id,
                "collection": scene.collection,
                "datetime": scene.datetime,
                "item_sha256": scene.item_sha256,
                "offset": None if scene.offset is None else scene.offset.offset,
                "offset_rule": "mission" if scene.offset is None else scene.offset.rule,
                **({"classes": _spelled(scene)} if scene.classes else {}),
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


def _spelled(scene: Scene) -> Json:
    return {name: {str(value): meaning for value, meaning in sorted(c.items())} for name, c in scene.classes.items()}


def _excluded(selection: Selection) -> list[list[str]]:
    return [[item.id, item.code, item.detail] for item in selection.excluded]


def _unfollowed(scene: Scene, plan: MissionPlan, published: Published) -> Json:
    """Bands whose links the deployment does not follow, with the code: once it follows them, the request is another."""
    links = {name: link_of(scene, band, plan, published) for name, band in sorted(scene.bands.items())}
    codes = {name: link.code for name, link in links.items() if isinstance(link, HeaderRefused)}
    return {"unfollowed": codes} if codes else {}


def _checksum(scene: Scene, band: SceneBand, plan: MissionPlan, published: Published) -> Json | None:
    if band.checksum is not None:
        return {"multihash": band.checksum}
    if not published.named_by_bytes:
        return None
    link = link_of(scene, band, plan, published)
    if isinstance(link, HeaderRefused) or is_remote(link):
        return None
    try:
        return {"size": published.transport.stat(link).size, "sha256": published.transport.digest(link, "sha256")}
    except ObjectReadError as failure:
        if failure.gone:
            return None
        raise
