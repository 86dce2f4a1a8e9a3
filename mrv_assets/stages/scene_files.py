"""Bringing a month's scenes into the lake: every header past its gate first, then the COG tiles, many files at once."""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import numpy as np

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.cog.header import Header, check_header, read_header, tiles_for
from mrv_assets.cog.sparse_tiff import decode_tile, sparse_tiff
from mrv_assets.errors import HeaderRefused, HostRefused, ObjectReadError, SceneReadError
from mrv_assets.formats.artifacts import SCENES
from mrv_assets.missions.mission import Mission, Reflectance
from mrv_assets.scenes.item import published_digest, quoted, without_queries
from mrv_assets.scenes.offset_check import Counts, dn_counts, offset_finding, offset_look
from mrv_assets.scenes.select import Observation, Scene, SceneBand, Selection
from mrv_assets.science.blocks import HALO_PX, block_window
from mrv_assets.science.resample import source_window
from mrv_assets.stac.source import Published
from mrv_assets.stages.mission_plan import MissionPlan
from mrv_assets.stages.parallel import Budget, Progress, each
from mrv_assets.stages.scene_link import link_of
from mrv_assets.stages.scene_names import folder_names
from mrv_assets.transport.cores import computing
from mrv_assets.transport.store import ByteRange, of_one_version

T = TypeVar("T")

BYTES_AT_ONCE = 256 << 20
"""Compressed bytes of files that are held in memory at once; one larger file is held alone."""
_AGAIN = "Once it is right, `mrv run --force` reads it again"
LOOKED_AT, LOOK_STEP = 4, 4
"""COG tiles of a band whose pixels are held against the offset that was decided, and of which rows and columns."""


@dataclass(frozen=True, kw_only=True)
class _File:
    """One band of one scene."""

    scene: Scene
    band: SceneBand
    link: str | HeaderRefused
    """As the transport wants it named; or why no transport may read it."""


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """A file that is past the gate."""

    header: Header
    findings: tuple[str, ...]
    """What is odd about it."""
    size: int
    read: Mapping[ByteRange, bytes]
    """What the header was read from."""


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """One band of one scene, in the lake's folder."""

    document: Json
    """What ``scenes.json`` says of it."""
    name: str
    """Its file's path there."""
    size: int
    sha256: str
    counts: Counts | None
    """How often each digital number occurs in the tiles looked at; None for bands that tell nothing of an offset."""


def stored_scenes(
    plan: MissionPlan, selection: Selection, published: Published, integrity: str, folder: Path
) -> tuple[dict[str, Json], list[Json], list[Json]]:
    """Store a month's scenes.

    Args:
        plan: The tile and month, and which blocks are active.
        selection: The scenes that count.
        published: Where they are published.
        integrity: ``full`` reads every file whole and compares it with its published checksum.
        folder: Where to.

    Returns:
        Size and SHA-256 of each file written; the observations, in order of time; and the scenes refused, with why.

    Raises:
        SceneReadError: When a published file cannot be read.
    """
    mission = plan.mission
    scenes = [scene for observation in selection.observations for scene in observation.scenes]
    names = folder_names([scene.id for scene in scenes])
    files = {
        (scene.id, name): _File(scene=scene, band=band, link=link_of(scene, band, plan, published))
        for scene in scenes
        for name, band in sorted(scene.bands.items())
    }
    refusals: dict[str, HeaderRefused] = {}
    findings = {scene.id: list(scene.findings) for scene in scenes}

    def refuse(key: tuple[str, str], refusal: HeaderRefused) -> None:
        """A refused band refuses its scene, unless the mission can do without it."""
        scene_id, name = key
        if name in mission.quality and not mission.quality[name].required:
            findings[scene_id].append(f"band_left_out: {refusal}")
        else:
            refusals.setdefault(scene_id, refusal)

    def passes(key: tuple[str, str]) -> HeaderRefused | None:
        """Why a file is refused by its header, which is read again later: a month's headers are not held at once."""
        file = files[key]
        tried = _tried(file, lambda href: _checked(file, href, published, mission))
        return tried if isinstance(tried, HeaderRefused) else None

    looked_at = each(files, passes)
    for key, refusal in looked_at.items():
        if refusal is not None:
            refuse(key, refusal)
    todo = [key for key, refusal in looked_at.items() if refusal is None and key[0] not in refusals]
    memory = Budget(BYTES_AT_ONCE)
    said = Progress(f"{plan.asset('raw_tiles')} {plan.at.tile} {plan.at.month}", len(todo))

    def store(key: tuple[str, str]) -> _Stored | HeaderRefused:
        file, path = files[key], f"{names[key[0]]}/{key[1]}.tif"
        return _tried(file, lambda href: _store(file, href, plan, published, integrity, folder, path, memory))

    stored: dict[tuple[str, str], _Stored] = {}
    for key, one in each(todo, store, said).items():
        if isinstance(one, HeaderRefused):
            refuse(key, one)
        else:
            stored[key] = one
    for scene_id in refusals:
        shutil.rmtree(folder / names[scene_id], ignore_errors=True)
    written = {one.name: {"bytes": one.size, "sha256": one.sha256} for k, one in stored.items() if k[0] not in refusals}
    observations = []
    for observation in selection.observations:
        kept = [scene for scene in observation.scenes if scene.id not in refusals]
        for scene in kept:
            written |= _write(folder, f"{names[scene.id]}/item.json", canonical(without_queries(scene.item)))
        if kept:
            observations.append(_observation(observation, [_scene(s, findings[s.id], stored, mission) for s in kept]))
    observations.sort(key=lambda one: (one["datetime"], one["key"]))
    written |= _write(folder, SCENES, canonical(observations))
    # In the order of the selection, whichever file was answered first.
    refused = [
        {"id": s.id, "code": refusals[s.id].code, "detail": quoted(refusals[s.id].detail)}
        for s in scenes
        if s.id in refusals
    ]
    return written, observations, refused


def _tried(file: _File, work: Callable[[str], T]) -> T | HeaderRefused:
    """What work gives of one version of the object that a file's link means, or why the file was refused.

    Raises:
        SceneReadError: When it cannot be read.
    """
    link = file.link
    if isinstance(link, HeaderRefused):
        return link
    try:
        return of_one_version(lambda: work(link))
    except HeaderRefused as refusal:
        return HeaderRefused(refusal.code, f"band {file.band.name}: {refusal.detail}. {_AGAIN}")
    except HostRefused as refusal:
        return HeaderRefused("host_refused", f"band {file.band.name}: {refusal.reason}. {_AGAIN}")
    except ObjectReadError as failure:
        host = urlsplit(link).hostname or "disk"
        raise SceneReadError(file.scene.id, file.band.name, host, failure.reason, failure.cure) from failure


def _checked(file: _File, href: str, published: Published, mission: Mission) -> _Checked:
    """A file's header, past the gate.

    Raises:
        HeaderRefused: When its pixels cannot be trusted.
    """
    scene, band, transport = file.scene, file.band, published.transport
    size = transport.stat(href).size
    done: dict[ByteRange, bytes] = {}

    def read(offset: int, length: int) -> bytes:
        part = ByteRange(offset, min(length, size - offset))
        [done[part]] = transport.read(href, [part])
        return done[part]

    header = read_header(read, size, strips=mission.strips)
    findings = check_header(header, size, mission, band.name, scene.item["assets"][band.key], scene.item)
    return _Checked(header=header, findings=findings, size=size, read=done)


def _store(
    file: _File,
    href: str,
    plan: MissionPlan,
    published: Published,
    integrity: str,
    folder: Path,
    name: str,
    memory: Budget,
) -> _Stored:
    """Read the COG tiles the active blocks need, and store them."""
    mission, band, transport = plan.mission, file.band, published.transport
    checked = _checked(file, href, published, mission)
    header = checked.header
    indices = _needed_tiles(plan, band.name, header)
    ranges = [ByteRange(header.offsets[i], header.counts[i]) for i in indices]
    filled = {i: r for i, r in zip(indices, ranges, strict=True) if r.length}
    # Held twice: as they came, and in the file that is made of them.
    with memory.taken(2 * sum(r.length for r in filled.values())):
        compared, pieces = _read(href, band.checksum, published, integrity, checked.read, list(filled.values()))
        tiles = dict(zip(filled, pieces, strict=True))
        etag = transport.stat(href).etag
        with computing:
            data = sparse_tiff(header, tiles)
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return _Stored(
                document={
                    "file": name,
                    "stac_key": band.key,
                    # A query may hold a signature, and a fragment is not sent.
                    "href": re.sub(r"[?#].*", "", band.href),
                    "checksum": band.checksum,
                    "integrity": compared,
                    "size": checked.size,
                    "etag": etag,
                    # A COG tile the publisher left empty is fetched, with no bytes: nodata by the publisher, no hole.
                    "fetched": list(indices),
                    "ranges": [[r.offset, r.length] for r in ranges],
                    "sha256": [sha256(tiles.get(i, b"")) for i in indices],
                    "findings": list(checked.findings),
                },
                name=name,
                size=len(data),
                sha256=sha256(data),
                counts=_counts(header, tiles, band.name, mission),
            )


def _read(
    href: str,
    checksum: str | None,
    published: Published,
    integrity: str,
    of_header: Mapping[ByteRange, bytes],
    tiles: list[ByteRange],
) -> tuple[str, list[bytes]]:
    """The bytes of some COG tiles, and how they were held against the file's published checksum.

    Returns:
        ``full`` when they are part of what the checksum is of, the header too; when they were not compared with any,
        ``ranges`` if nobody asked for it, ``unpublished`` if there is none, ``unverifiable`` if it is one of a
        function or a length that is not compared here. And the bytes.

    Raises:
        HeaderRefused: When it is not the file that the checksum is of.
    """
    stated = None if checksum is None else published_digest(checksum)
    if integrity != "full" or stated is None:
        why = "ranges" if integrity != "full" else "unpublished" if checksum is None else "unverifiable"
        return why, published.transport.read(href, tiles)
    algorithm, expected = stated
    found, pieces = published.transport.read_digested(href, algorithm, [*of_header, *tiles])
    if found != expected:
        raise HeaderRefused(
            "checksum_mismatch",
            f"the file's {algorithm} is {found}, its publisher states {expected}. Tell the publisher",
        )
    if pieces[: len(of_header)] != list(of_header.values()):
        raise HeaderRefused(
            "checksum_mismatch",
            f"the file has the {algorithm} that its publisher states, and the server gives another header when it is "
            "asked for that alone. Tell the publisher",
        )
    return "full", pieces[len(of_header) :]


def _needed_tiles(plan: MissionPlan, band_name: str, header: Header) -> tuple[int, ...]:
    """COG tiles that the active blocks need, with the halo resampling and dilation look into."""
    halo = HALO_PX if plan.mission.needs_halo(band_name) else 0
    needed: set[int] = set()
    for block in plan.at.active:
        source = source_window(header.grid, plan.at.grid, block_window(plan.at.grid, block).pad(halo, plan.at.grid))
        if source is not None:
            needed.update(tiles_for(header, source))
    return tuple(sorted(needed))


def _counts(header: Header, tiles: Mapping[int, bytes], band_name: str, mission: Mission) -> Counts | None:
    """How often each digital number occurs in a few tiles; None for bands that tell nothing of an offset."""
    evidence = mission.offset_evidence
    if evidence is None or band_name not in evidence.bands or header.dtype != "uint16":
        return None
    total = np.zeros(1 << 16, np.int64)
    # The largest compressed are those with the most ground in them.
    for index in sorted(tiles, key=lambda i: (-len(tiles[i]), i))[:LOOKED_AT]:
        try:
            total += dn_counts(decode_tile(header, index, tiles[index])[::LOOK_STEP, ::LOOK_STEP])
        except (ValueError, RuntimeError) as error:
            raise HeaderRefused(
                "undecodable", f"band {band_name}: COG tile {index} does not decode ({error})"
            ) from None
    return total


def _scene(scene: Scene, findings: Sequence[str], stored: Mapping[tuple[str, str], _Stored], mission: Mission) -> Json:
    """What ``scenes.json`` says of a scene."""
    bands = {name: stored[scene.id, name] for name in sorted(scene.bands) if (scene.id, name) in stored}
    doubt = None
    if isinstance(mission.radiometry, Reflectance):
        look = offset_look({name: b.counts for name, b in bands.items() if b.counts is not None}, mission.radiometry)
        doubt = offset_finding(look, scene.offset, scene.offset_rule, mission.radiometry)
    return {
        "id": scene.id,
        "collection": scene.collection,
        "datetime": scene.datetime,
        "dn_shift": scene.dn_shift,
        "offset_rule": scene.offset_rule,
        "findings": [*findings, *([] if doubt is None else [doubt])],
        "bands": {name: band.document for name, band in bands.items()},
    }


def _observation(observation: Observation, scenes: list[Json]) -> Json:
    return {
        "key": observation.key,
        "rule": observation.rule,
        # Of the scenes that passed the header gate; a refused one was no look at the ground.
        "datetime": min(scene["datetime"] for scene in scenes),
        "scenes": scenes,
    }


def _write(folder: Path, name: str, data: bytes) -> dict[str, Json]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {name: {"bytes": len(data), "sha256": sha256(data)}}
