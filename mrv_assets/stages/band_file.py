"""One band's file of one scene: its header is read past the gate, then its needed COG tiles are read and stored."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from mrv_assets.audit.canonical import Json, sha256
from mrv_assets.cog.header import Header, check_header, read_header, tiles_for
from mrv_assets.cog.sparse_tiff import sparse_tiff
from mrv_assets.errors import HeaderRefused, HostRefused, ObjectReadError, SceneReadError
from mrv_assets.missions.mission import ClassQuality, Mission
from mrv_assets.scenes.item import published_digest
from mrv_assets.scenes.offset import FileRadiometry
from mrv_assets.scenes.offset_check import Counts
from mrv_assets.scenes.select import Scene, SceneBand
from mrv_assets.science.blocks import HALO_PX, block_window
from mrv_assets.science.resample import source_window
from mrv_assets.stac.source import Published
from mrv_assets.stages.band_numbers import check_meaning, check_power, counts_of
from mrv_assets.stages.mission_plan import MissionPlan
from mrv_assets.stages.parallel import Budget
from mrv_assets.transport.cores import computing
from mrv_assets.transport.store import ByteRange, of_one_version

T = TypeVar("T")

FILE_GONE = "file_gone"
"""Code of a scene one of whose files its publisher does not have."""
_AGAIN = "Once it is right, `mrv run --force` reads it again"


@dataclass(frozen=True, kw_only=True)
class BandFile:
    """The published file of one band of one scene."""

    scene: Scene
    band: SceneBand
    link: str | HeaderRefused
    """Name of the object for the transport; or the reason why no transport may read it."""


@dataclass(frozen=True, kw_only=True)
class StoredBand:
    """One band of one scene, stored in the lake's folder."""

    document: Json
    """Entry of the band in ``scenes.json``."""
    name: str
    """Path of the file in the folder."""
    size: int
    """Size of the file, bytes."""
    sha256: str
    stated: FileRadiometry
    """What its header states of its numbers."""
    counts: Counts | None
    """Occurrences of each digital number in the tiles looked at; None for bands that tell nothing of an offset."""


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """A file whose header passed the gate."""

    header: Header
    findings: tuple[str, ...]
    """Oddities of the header that do not refuse the file."""
    size: int
    """Size of the published file, bytes."""
    read: Mapping[ByteRange, bytes]
    """The bytes that the header was read from, by range."""


def header_refusal(file: BandFile, plan: MissionPlan, published: Published) -> HeaderRefused | None:
    """The reason why a file is refused by its link or header; None where it passes.

    Raises:
        SceneReadError: When the header cannot be read.
    """
    tried = _tried(file, lambda href: _checked(file, href, published, plan.mission))
    if isinstance(tried, HeaderRefused):
        return tried
    if not _needed_tiles(plan, file.band.name, tried.header):
        return HeaderRefused("elsewhere", f"band {file.band.name}: its file shows no ground near the tile's parcels")
    return None


def store_band(
    file: BandFile,
    plan: MissionPlan,
    published: Published,
    integrity: str,
    folder: Path,
    name: str,
    memory: Budget,
) -> StoredBand | HeaderRefused:
    """Read the COG tiles of a file that the active blocks need, and store them; or give the reason for a refusal.

    Args:
        file: The published file.
        plan: The tile and month, and which blocks are active.
        published: The transport that reads the file.
        integrity: ``full`` reads the file whole and compares it with its published checksum.
        folder: Folder of the stage's data.
        name: Path of the stored file in the folder.
        memory: Limit on the bytes held by all files at once.

    Raises:
        SceneReadError: When the file cannot be read.
    """
    return _tried(file, lambda href: _store(file, href, plan, published, integrity, folder, name, memory))


def _tried(file: BandFile, work: Callable[[str], T]) -> T | HeaderRefused:
    """Result of work on one version of the object that a file's link names, or the reason why the file is refused.

    Raises:
        SceneReadError: When the object cannot be read.
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
        if failure.gone:
            where = urlsplit(link).hostname or "the catalogue's folder"
            return HeaderRefused(
                FILE_GONE, f"band {file.band.name}: {where} has no such file; each run asks for it again"
            )
        host = urlsplit(link).hostname or "disk"
        raise SceneReadError(file.scene.id, file.band.name, host, failure.reason, failure.cure) from failure


def _checked(file: BandFile, href: str, published: Published, mission: Mission) -> _Checked:
    """A file whose header passed the gate.

    Raises:
        HeaderRefused: When the header does not describe pixels that can be trusted.
    """
    scene, band, transport = file.scene, file.band, published.transport
    size = transport.stat(href).size
    parts: dict[ByteRange, bytes] = {}

    def read(offset: int, length: int) -> bytes:
        part = ByteRange(offset, min(length, size - offset))
        [parts[part]] = transport.read(href, [part])
        return parts[part]

    header = read_header(read, size, strips=mission.strips)
    findings = check_header(
        header, size, _as_published(mission, scene, band.name), band.name, scene.item["assets"][band.key], scene.item
    )
    check_meaning(header, scene, band.name, mission)
    return _Checked(header=header, findings=findings, size=size, read=parts)


def _as_published(mission: Mission, scene: Scene, name: str) -> Mission:
    """The mission with the nodata value that the scene's publisher uses in a mask."""
    quality, classes = mission.quality.get(name), scene.classes.get(name, {})
    if not isinstance(quality, ClassQuality) or not classes:
        return mission
    published = next((value for value, meaning in classes.items() if meaning == quality.nodata), None)
    return replace(mission, quality={**mission.quality, name: replace(quality, nodata=published)})


def _store(
    file: BandFile,
    href: str,
    plan: MissionPlan,
    published: Published,
    integrity: str,
    folder: Path,
    name: str,
    memory: Budget,
) -> StoredBand:
    """Read the COG tiles that the active blocks need, and store them.

    Raises:
        HeaderRefused: When the file cannot be trusted.
    """
    mission, band, transport = plan.mission, file.band, published.transport
    checked = _checked(file, href, published, mission)
    header = checked.header
    indices = _needed_tiles(plan, band.name, header)
    ranges = [ByteRange(header.offsets[i], header.counts[i]) for i in indices]
    filled = {i: r for i, r in zip(indices, ranges, strict=True) if r.length}
    # The bytes are held twice: as they came, and in the file that is made of them.
    with memory.taken(2 * sum(r.length for r in filled.values())):
        compared, pieces = _read(href, band.checksum, published, integrity, checked.read, list(filled.values()))
        tiles = dict(zip(filled, pieces, strict=True))
        etag = transport.stat(href).etag
        with computing:
            check_power(header, tiles, band.name, mission)
            data = sparse_tiff(header, tiles)
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return StoredBand(
                document={
                    "file": name,
                    "stac_key": band.key,
                    # A query may hold a signature, and a fragment is not sent.
                    "href": re.sub(r"[?#].*", "", band.href),
                    "checksum": band.checksum,
                    "integrity": compared,
                    "size": checked.size,
                    "etag": etag,
                    # A COG tile left empty by its publisher counts as fetched, without bytes: nodata, not a hole.
                    "fetched": list(indices),
                    "ranges": [[r.offset, r.length] for r in ranges],
                    "sha256": [sha256(tiles.get(i, b"")) for i in indices],
                    "findings": list(checked.findings),
                },
                name=name,
                size=len(data),
                sha256=sha256(data),
                stated=FileRadiometry(scale=header.scale, offset=header.offset),
                counts=counts_of(header, tiles, band.name, mission),
            )


def _read(
    href: str,
    checksum: str | None,
    published: Published,
    integrity: str,
    of_header: Mapping[ByteRange, bytes],
    tiles: list[ByteRange],
) -> tuple[str, list[bytes]]:
    """The bytes of some COG tiles, and how they were compared with the file's published checksum.

    Returns:
        The comparison, and the bytes. The comparison is ``full`` when the checksum of the whole file was compared and
        the header and the tiles are part of that file. Without a comparison it is ``ranges`` when none was asked for,
        ``unpublished`` when there is no checksum, and ``unverifiable`` when the checksum has a function or a length
        that is not compared here.

    Raises:
        HeaderRefused: When the file does not have the published checksum, or its header is another on its own.
    """
    stated = None if checksum is None else published_digest(checksum)
    if integrity != "full" or stated is None:
        why = "ranges" if integrity != "full" else "unpublished" if checksum is None else "unverifiable"
        return why, published.transport.read(href, tiles)
    algorithm, expected = stated
    computed, pieces = published.transport.read_digested(href, algorithm, [*of_header, *tiles])
    if computed != expected:
        raise HeaderRefused(
            "checksum_mismatch",
            f"the file's {algorithm} is {computed}, its publisher states {expected}. Tell the publisher",
        )
    if pieces[: len(of_header)] != list(of_header.values()):
        raise HeaderRefused(
            "checksum_mismatch",
            f"the file has the {algorithm} that its publisher states, but the server gives another header when it is "
            "asked for the header alone. Tell the publisher",
        )
    return "full", pieces[len(of_header) :]


def _needed_tiles(plan: MissionPlan, band_name: str, header: Header) -> tuple[int, ...]:
    """Indices of the COG tiles that the active blocks need, with the halo that resampling and dilation read."""
    halo = HALO_PX if plan.mission.needs_halo(band_name) else 0
    needed: set[int] = set()
    for block in plan.at.active:
        source = source_window(header.grid, plan.at.grid, block_window(plan.at.grid, block).pad(halo, plan.at.grid))
        if source is not None:
            needed.update(tiles_for(header, source))
    return tuple(sorted(needed))
