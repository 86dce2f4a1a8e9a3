"""raw_tiles: the publisher's own bytes, for the active blocks: searched, selected, checked, copied byte for byte."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.audit.graph import Step, steps_digest
from mrv_assets.errors import HeaderRefused, ObjectReadError, SceneReadError
from mrv_assets.ingest.catalogue import StaticCatalogue
from mrv_assets.ingest.cog import Header, check_header, read_header, tiles_for
from mrv_assets.ingest.sparse_tiff import sparse_tiff
from mrv_assets.ingest.transport import ByteRange, DiskTransport, Transport
from mrv_assets.lake.evidence import SCENES
from mrv_assets.lake.lake import Lake
from mrv_assets.missions.mission import Mission, described
from mrv_assets.science.blocks import HALO_PX, block_window
from mrv_assets.science.grid import Window
from mrv_assets.science.resample import source_window
from mrv_assets.science.scenes import Observation, Scene, SceneBand, Selection, select
from mrv_assets.stages.materialize import Materialized, materialize
from mrv_assets.stages.own_code import source as source_of
from mrv_assets.stages.plan import Plan, SceneSource, lonlat_bounds, month_bounds

STEPS = (
    Step(name="select", function=select, reads=("items",)),
    Step(name="header gate", function=check_header, reads=("select",)),
    Step(name="COG tiles", function=tiles_for, reads=("header gate",)),
    Step(name="sparse GeoTIFF", function=sparse_tiff, reads=("COG tiles",)),
)


def raw_tiles(lake: Lake, plan: Plan) -> Materialized:
    """Search a mission's catalogue for the month and keep the COG tiles the active blocks need.

    The lake's data: per scene and band a sparse GeoTIFF, the item's JSON, and ``scenes.json``, which says
    which scenes form which observation and which COG tiles of each file were fetched.

    Raises:
        CatalogueError: When the catalogue cannot be used.
        SceneReadError: When a published file cannot be read.
    """
    mission, source = plan.the_mission, _source(plan)
    catalogue = StaticCatalogue.open(source.catalogue)
    selection = _search(plan, catalogue)
    transport = DiskTransport(catalogue.root)
    return materialize(
        lake,
        plan,
        plan.asset("raw_tiles"),
        stage=__name__,
        manifest=plan.manifest(
            # Which scenes it offered is in the inputs; where a copy of it lies on some disk is not identity.
            catalogue="static STAC catalogue on disk",
            collection=source.collection,
            halo_px=HALO_PX,
            mission=described(mission),
        ),
        graph=steps_digest(STEPS, source_of),
        inputs=_inputs(selection, transport, catalogue),
        produce=lambda folder: _fetch(plan, selection, transport, catalogue, folder),
    )


def forecast(plan: Plan) -> Json:
    """What raw_tiles of a tile and month would take, before any pixel is read.

    Returns:
        Scenes and observations that count, items excluded, and bytes: the whole files', so at most that.
    """
    catalogue = StaticCatalogue.open(_source(plan).catalogue)
    selection = _search(plan, catalogue)
    transport = DiskTransport(catalogue.root)
    scenes = [scene for observation in selection.observations for scene in observation.scenes]
    hrefs = [catalogue.absolute_href(scene.id, band.href) for scene in scenes for band in scene.bands.values()]
    return {
        "scenes": len(scenes),
        "observations": len(selection.observations),
        "excluded": len(selection.excluded),
        "bytes": sum(transport.stat(href).size for href in hrefs),
    }


def _search(plan: Plan, catalogue: StaticCatalogue) -> Selection:
    start, end = month_bounds(plan.month)
    found = catalogue.search(_source(plan).collection, lonlat_bounds(plan.parcels.lonlat), start, end)
    return select(found.items, plan.the_mission, plan.month)


def _source(plan: Plan) -> SceneSource:
    if plan.source is None:
        raise ValueError("raw_tiles needs a plan that names where scenes are published")
    return plan.source


def _inputs(selection: Selection, transport: Transport, catalogue: StaticCatalogue) -> Json:
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
                    name: _checksum(scene, band, transport, catalogue) for name, band in sorted(scene.bands.items())
                },
            }
            for observation in selection.observations
            for scene in observation.scenes
        ],
        "excluded": [[item.id, item.code, item.detail] for item in selection.excluded],
    }


def _checksum(scene: Scene, band: SceneBand, transport: Transport, catalogue: StaticCatalogue) -> Json:
    if band.checksum is not None:
        return {"multihash": band.checksum}
    # On disk nothing tells one file from another but its bytes.
    href = catalogue.absolute_href(scene.id, band.href)
    size = transport.stat(href).size
    [data] = transport.read(href, [ByteRange(0, size)])
    return {"size": size, "sha256": sha256(data)}


def _fetch(plan: Plan, selection: Selection, transport: Transport, catalogue: StaticCatalogue, folder: Path) -> Json:
    names = _safe_names([scene.id for observation in selection.observations for scene in observation.scenes])
    refused: list[Json] = []
    sidecar: list[Json] = []
    files: dict[str, Json] = {}
    for observation in selection.observations:
        kept = []
        for scene in observation.scenes:
            try:
                opened, findings = _open_bands(scene, plan.the_mission, transport, catalogue)
                kept.append(_store_scene(plan, scene, names[scene.id], opened, findings, transport, folder, files))
            except HeaderRefused as refusal:
                refused.append({"id": scene.id, "code": refusal.code, "detail": refusal.detail})
            except ObjectReadError as failure:
                raise SceneReadError(
                    scene.id, "/".join(Path(failure.href).parts[-2:]), "disk", failure.reason
                ) from failure
        if kept:
            sidecar.append(_observation(observation, kept))
    sidecar.sort(key=lambda observation: (observation["datetime"], observation["key"]))
    _write(folder, SCENES, canonical(sidecar), files)
    return {
        "files": files,
        "refused": refused,
        "completeness": {
            "matched": selection.matched,
            "returned": selection.returned,
            "kept": sum(len(observation["scenes"]) for observation in sidecar),
            "excluded": len(selection.excluded),
            "refused": len(refused),
        },
    }


def _observation(observation: Observation, scenes: list[Json]) -> Json:
    return {
        "key": observation.key,
        "rule": observation.rule,
        # Of the scenes that passed the header gate; a refused one was no look at the ground.
        "datetime": min(scene["datetime"] for scene in scenes),
        "scenes": scenes,
    }


Opened = tuple[SceneBand, str, Header, tuple[str, ...]]


def _open_bands(
    scene: Scene, mission: Mission, transport: Transport, catalogue: StaticCatalogue
) -> tuple[dict[str, Opened], tuple[str, ...]]:
    """The headers of a scene's bands; a refused band refuses the scene, unless the mission can do without it."""
    opened: dict[str, Opened] = {}
    findings: list[str] = list(scene.findings)
    for name, band in sorted(scene.bands.items()):
        try:
            opened[name] = _open(scene, name, band, mission, transport, catalogue)
        except HeaderRefused as refusal:
            if name not in mission.quality or mission.quality[name].required:
                raise
            findings.append(f"band_left_out: {refusal}")
    return opened, tuple(findings)


def _open(
    scene: Scene,
    name: str,
    band: SceneBand,
    mission: Mission,
    transport: Transport,
    catalogue: StaticCatalogue,
) -> Opened:
    """A band's header, past the gate."""
    href = catalogue.absolute_href(scene.id, band.href)
    size = transport.stat(href).size

    def read(offset: int, length: int) -> bytes:
        [data] = transport.read(href, [ByteRange(offset, min(length, size - offset))])
        return data

    try:
        header = read_header(read, size)
        findings = check_header(header, size, mission, name, scene.item["assets"][band.key], scene.item)
    except HeaderRefused as refusal:
        raise HeaderRefused(refusal.code, f"band {name}: {refusal.detail}") from None
    return band, href, header, findings


def _store_scene(
    plan: Plan,
    scene: Scene,
    name: str,
    opened: Mapping[str, Opened],
    findings: tuple[str, ...],
    transport: Transport,
    folder: Path,
    files: dict[str, Json],
) -> Json:
    _write(folder, f"{name}/item.json", canonical(scene.item), files)
    bands: dict[str, Json] = {}
    for band_name, (band, href, header, band_findings) in opened.items():
        indices = _needed_tiles(plan, band_name, header)
        ranges = [ByteRange(header.offsets[i], header.counts[i]) for i in indices]
        filled = [(i, r) for i, r in zip(indices, ranges, strict=True) if r.length]
        data = transport.read(href, [r for _, r in filled])
        tiles = {i: part for (i, _), part in zip(filled, data, strict=True)}
        file = f"{name}/{band_name}.tif"
        _write(folder, file, sparse_tiff(header, tiles), files)
        bands[band_name] = {
            "file": file,
            "stac_key": band.key,
            "href": re.sub(r"[?#].*", "", band.href),
            "checksum": band.checksum,
            "size": transport.stat(href).size,
            "etag": transport.stat(href).etag,
            # A COG tile the publisher left empty is fetched, with no bytes: nodata by the publisher, not a hole.
            "fetched": list(indices),
            "ranges": [[r.offset, r.length] for r in ranges],
            "sha256": [sha256(tiles.get(i, b"")) for i in indices],
            "findings": list(band_findings),
        }
    return {
        "id": scene.id,
        "collection": scene.collection,
        "datetime": scene.datetime,
        "dn_shift": scene.dn_shift,
        "offset_rule": scene.offset_rule,
        "findings": list(findings),
        "bands": bands,
    }


def _needed_tiles(plan: Plan, band_name: str, header: Header) -> tuple[int, ...]:
    """COG tiles that the active blocks need, with the halo resampling and dilation look into."""
    halo = HALO_PX if band_name in plan.the_mission.quality else 0
    needed: set[int] = set()
    for block in plan.active:
        window: Window = block_window(plan.grid, block).pad(halo, plan.grid)
        source = source_window(header.grid, plan.grid, window)
        if source is not None:
            needed.update(tiles_for(header, source))
    return tuple(sorted(needed))


def _write(folder: Path, name: str, data: bytes, files: dict[str, Json]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    files[name] = {"bytes": len(data), "sha256": sha256(data)}


def _safe_names(ids: list[str]) -> dict[str, str]:
    """A folder name for each item id: readable, never a path, and unique by the id's digest."""
    names = {}
    for item_id in ids:
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", item_id)[:80]
        suffix = hashlib.sha256(item_id.encode()).hexdigest()[:8]
        names[item_id] = f"{plain}-{suffix}"
    return names
