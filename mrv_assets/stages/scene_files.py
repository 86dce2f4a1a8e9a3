"""A month's scenes brought into the lake: first every header passes its gate, then the COG tiles are stored."""

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.errors import HeaderRefused
from mrv_assets.formats.artifacts import SCENES
from mrv_assets.missions.mission import Mission, Reflectance
from mrv_assets.scenes.conditions import UnusableError
from mrv_assets.scenes.item import quoted, without_queries
from mrv_assets.scenes.offset import Settled, settle
from mrv_assets.scenes.offset_check import offset_look
from mrv_assets.scenes.select import Observation, Scene, Selection
from mrv_assets.stac.source import Published
from mrv_assets.stages.band_file import BandFile, StoredBand, header_refusal, store_band
from mrv_assets.stages.mission_plan import MissionPlan
from mrv_assets.stages.parallel import Budget, Progress, each
from mrv_assets.stages.scene_link import link_of

BYTES_AT_ONCE = 256 << 20
"""Compressed bytes of files that are held in memory at once; a larger file is held alone."""


BAND_LEFT_OUT = "band_left_out"
"""Finding of a scene that counts without one of its quality bands, followed by the code of the band's refusal."""


def stored_scenes(
    plan: MissionPlan, selection: Selection, published: Published, integrity: str, folder: Path
) -> tuple[dict[str, Json], list[Json], list[Json]]:
    """Store a month's scenes.

    Args:
        plan: The tile and month, and which blocks are active.
        selection: The scenes that count.
        published: The catalogue and transport of the scenes.
        integrity: ``full`` reads every file whole and compares it with its published checksum.
        folder: Folder that receives the files.

    Returns:
        Size and SHA-256 of each file written; the observations, in order of time; and the scenes refused, with
        the reason.

    Raises:
        SceneReadError: When a published file cannot be read.
    """
    mission = plan.mission
    scenes = [scene for observation in selection.observations for scene in observation.scenes]
    names = _folder_names([scene.id for scene in scenes])
    files = {
        (scene.id, name): BandFile(scene=scene, band=band, link=link_of(scene, band, plan, published))
        for scene in scenes
        for name, band in sorted(scene.bands.items())
    }
    refusals: dict[str, HeaderRefused] = {}
    findings = {scene.id: list(scene.findings) for scene in scenes}

    def refuse(key: tuple[str, str], refusal: HeaderRefused) -> None:
        """Refuse the scene of a refused band, unless another quality band says what is clear without it."""
        scene_id, name = key
        others = any(quality.required for quality in mission.quality.values())
        if name in mission.quality and not mission.quality[name].required and others:
            findings[scene_id].append(f"{BAND_LEFT_OUT}: {refusal}")
        else:
            refusals.setdefault(scene_id, refusal)

    # Headers are read again when files are stored: a month's headers are not held in memory at once.
    gate = each(files, lambda key: header_refusal(files[key], plan, published))
    for key, refusal in gate.items():
        if refusal is not None:
            refuse(key, refusal)
    todo = [key for key, refusal in gate.items() if refusal is None and key[0] not in refusals]
    memory = Budget(BYTES_AT_ONCE)
    progress = Progress(f"{plan.asset('raw_tiles')} {plan.at.tile} {plan.at.month}", len(todo))

    def store(key: tuple[str, str]) -> StoredBand | HeaderRefused:
        return store_band(files[key], plan, published, integrity, folder, f"{names[key[0]]}/{key[1]}.tif", memory)

    stored: dict[tuple[str, str], StoredBand] = {}
    for key, band in each(todo, store, progress).items():
        if isinstance(band, HeaderRefused):
            refuse(key, band)
        else:
            stored[key] = band
    offsets: dict[str, Settled] = {}
    for scene in scenes:
        if scene.id not in refusals:
            try:
                offsets[scene.id] = _settled(scene, stored, mission)
            except UnusableError as doubt:
                refusals[scene.id] = HeaderRefused(doubt.code, doubt.detail)
    for scene_id in refusals:
        shutil.rmtree(folder / names[scene_id], ignore_errors=True)
    written = {
        band.name: {"bytes": band.size, "sha256": band.sha256}
        for (scene_id, _), band in stored.items()
        if scene_id not in refusals
    }
    observations = []
    for observation in selection.observations:
        kept = [scene for scene in observation.scenes if scene.id not in refusals]
        for scene in kept:
            written |= _write(folder, f"{names[scene.id]}/item.json", canonical(without_queries(scene.item)))
        if kept:
            observations.append(
                _observation(observation, [_scene(s, findings[s.id], stored, offsets[s.id]) for s in kept])
            )
    observations.sort(key=lambda entry: (entry["datetime"], entry["key"]))
    written |= _write(folder, SCENES, canonical(observations))
    # The order is that of the selection, whichever file was read first.
    refused = [
        {"id": s.id, "code": refusals[s.id].code, "detail": quoted(refusals[s.id].detail)}
        for s in scenes
        if s.id in refusals
    ]
    return written, observations, refused


def _folder_names(ids: Sequence[str]) -> Mapping[str, str]:
    """A folder name for each item id: readable, never a path, and unique by the id's digest."""
    whole = {
        item_id: f"{re.sub('[^A-Za-z0-9_-]', '_', item_id)[:80]}-{hashlib.sha256(item_id.encode()).hexdigest()}"
        for item_id in ids
    }
    short = {item_id: name[:-56] for item_id, name in whole.items()}
    shared = Counter(short.values())
    # Two ids that share eight digits of a digest are easily made on purpose.
    return {item_id: short[item_id] if shared[short[item_id]] == 1 else name for item_id, name in whole.items()}


def _settled(scene: Scene, stored: Mapping[tuple[str, str], StoredBand], mission: Mission) -> Settled:
    """The offset of a scene by all that is known of it, once its files are there.

    Raises:
        UnusableError: When its files contradict it, or nothing decides.
    """
    radiometry = mission.radiometry
    if scene.offset is None or not isinstance(radiometry, Reflectance):
        return Settled(offset=0.0, dn_shift=0, rule="mission", findings=())
    bands = {name: stored[scene.id, name] for name in mission.bands if (scene.id, name) in stored}
    look = offset_look({name: b.counts for name, b in bands.items() if b.counts is not None}, radiometry)
    sensed = datetime.fromisoformat(scene.datetime)
    return settle(scene.offset, sensed, {name: band.stated for name, band in bands.items()}, look, radiometry)


def _scene(
    scene: Scene, findings: Sequence[str], stored: Mapping[tuple[str, str], StoredBand], offset: Settled
) -> Json:
    """Entry of a scene in ``scenes.json``."""
    bands = {name: stored[scene.id, name] for name in sorted(scene.bands) if (scene.id, name) in stored}
    return {
        "id": scene.id,
        "collection": scene.collection,
        "datetime": scene.datetime,
        "dn_shift": offset.dn_shift,
        "classes": {name: {str(v): meaning for v, meaning in sorted(c.items())} for name, c in scene.classes.items()},
        "offset_rule": offset.rule,
        "findings": [*findings, *offset.findings],
        "bands": {name: band.document for name, band in bands.items()},
    }


def _observation(observation: Observation, scenes: list[Json]) -> Json:
    """Entry of an observation in ``scenes.json``."""
    return {
        "key": observation.key,
        "rule": observation.rule,
        # Refused scenes do not count: a scene that the header gate refused was not a look at the ground.
        "datetime": min(scene["datetime"] for scene in scenes),
        "scenes": scenes,
    }


def _write(folder: Path, name: str, data: bytes) -> dict[str, Json]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {name: {"bytes": len(data), "sha256": sha256(data)}}
