"""Raw tiles against the publisher's own files: byte ranges are read again and compared with what the lake holds."""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from mrv_assets.audit.canonical import Json, sha256
from mrv_assets.audit.record import Record
from mrv_assets.deployment import Deployment
from mrv_assets.errors import CatalogueError, MrvError, ProgramError
from mrv_assets.formats.artifacts import observations_of
from mrv_assets.formats.stored_scenes import scene_item
from mrv_assets.scenes.item import published_digest
from mrv_assets.stac.open import ON_DISK, name_of, opened
from mrv_assets.stac.source import Published
from mrv_assets.transport.store import ByteRange, of_one_version
from mrv_assets.verify.finding import Finding, text_of
from mrv_assets.verify.partition import StoredPartition
from mrv_assets.verify.rerun import RAW_TILES

Publisher = Callable[[Record], Published | str]
"""The publisher of a record's scenes, opened; or the reason why there is none to ask."""


@dataclass(frozen=True, kw_only=True)
class SourceCompared:
    """The result of asking the publishers again."""

    ranges: int
    """Byte ranges that were read again and are those of the lake."""
    of: int
    """Byte ranges that the lake holds, in what was to be verified."""
    files: int
    """Files that these ranges are of."""
    checksums: int
    """Files that were read whole and have their published checksum."""
    sampled: int | None
    """Number of ranges that were to be drawn; None where all were asked for."""
    seed: str
    """Seed of the drawing: a digest of the audit hashes, so that anybody draws the same."""
    findings: tuple[Finding, ...]
    """Ranges of files that the publisher has not replaced, and that are not what the lake holds."""
    incomplete: tuple[str, ...]
    """Files that the publisher has replaced, that are gone or that cannot be read, each with the reason."""


@dataclass(frozen=True, kw_only=True)
class _File:
    """One band's file of one scene, and the ranges of it to read."""

    raw: Record
    scene: Json
    name: str
    band: Json
    ranges: tuple[int, ...]
    """Positions among the band's ranges."""

    @property
    def said(self) -> str:
        """The file, as messages name it."""
        return f"{self.raw.partition} {self.scene['id']} {self.name} ({self.band['href']})"


def compare_source(
    chosen: Sequence[StoredPartition],
    publisher: Publisher,
    sample: int | None,
    progress: Callable[[str, int, int], None],
) -> SourceCompared:
    """Read again what the current raw tiles of some partitions were made from, and compare.

    Args:
        chosen: The partitions; those of other assets are passed over.
        publisher: Gives the publisher of a record's scenes.
        sample: Number of ranges to draw from all; None to read all, and each file whole whose checksum is published.
        progress: Called after each file.
    """
    incomplete: list[str] = []
    raws = [raw for stored in chosen if stored.partition.stage == RAW_TILES and (raw := _current(stored)) is not None]
    files: list[_File] = []
    for raw in raws:
        try:
            files += _files(raw)
        except (MrvError, KeyError, TypeError, ValueError, AttributeError) as error:
            # What is damaged or forged has findings of its own, which must not be lost over it.
            incomplete.append(f"{raw.partition}: its scenes cannot be read ({type(error).__name__})")
    every = [(number, at) for number, file in enumerate(files) for at in file.ranges]
    seed = sha256("\n".join(sorted(raw.audit_hash for raw in raws)).encode())
    drawn = every if sample is None or sample >= len(every) else sorted(random.Random(seed).sample(every, sample))
    todo: dict[int, list[int]] = {}
    for number, at in drawn:
        todo.setdefault(number, []).append(at)
    findings: list[Finding] = []
    same = checksums = 0
    for done, (number, wanted) in enumerate(todo.items(), 1):
        file = files[number]
        try:
            compared = _compare(file, wanted, publisher, whole=sample is None)
        except MrvError as error:
            incomplete.append(f"{file.said}: {text_of(str(error))}")
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            # A forged record may say anything; that it does is a finding of its own.
            incomplete.append(f"{file.said}: its record names no range of it ({type(error).__name__})")
        else:
            findings += compared.findings
            incomplete += [f"{file.said}: {reason}" for reason in compared.replaced]
            same += compared.same
            checksums += compared.checksum
        progress(f"source {file.scene['id']} {file.name}", done, len(todo))
    return SourceCompared(
        ranges=same,
        of=len(every),
        files=len(todo),
        checksums=checksums,
        sampled=sample,
        seed=seed,
        findings=tuple(findings),
        incomplete=tuple(incomplete),
    )


def _current(stored: StoredPartition) -> Record | None:
    head = stored.heads.sound.get(max(stored.heads.sound, default=0))
    record = None if head is None else stored.records.get(head.record)
    return record if record is not None and record.evaluated else None


def _files(raw: Record) -> Iterator[_File]:
    for observation in observations_of(raw):
        for scene in observation["scenes"]:
            for name, band in sorted(scene["bands"].items()):
                # A COG tile that its publisher left empty has no bytes to read.
                ranges = tuple(at for at, (_, length) in enumerate(band["ranges"]) if length)
                yield _File(raw=raw, scene=scene, name=name, band=band, ranges=ranges)


@dataclass(frozen=True, kw_only=True)
class _Compared:
    same: int
    checksum: bool
    findings: tuple[Finding, ...]
    replaced: tuple[str, ...]


def _compare(file: _File, wanted: Sequence[int], publisher: Publisher, *, whole: bool) -> _Compared:
    published = publisher(file.raw)
    if isinstance(published, str):
        raise CatalogueError(str(file.raw.document["plan"]["catalogue"]), published, "Name the programme of this lake")
    link = _link(file, published)
    ranges = [ByteRange(*file.band["ranges"][at]) for at in wanted]
    stated = published_digest(file.band["checksum"]) if file.band["checksum"] else None

    def read() -> tuple[Json, str | None, list[bytes]]:
        info = published.transport.stat(link)
        if any(part.offset + part.length > info.size for part in ranges):
            return {"size": info.size, "etag": info.etag}, None, []
        if whole and stated is not None:
            digest, pieces = published.transport.read_digested(link, stated[0], ranges)
            return {"size": info.size, "etag": info.etag}, digest, pieces
        return {"size": info.size, "etag": info.etag}, None, published.transport.read(link, ranges)

    now, digest, pieces = of_one_version(read)
    meant = [file.band["sha256"][at] for at in wanted]
    found = [hashlib.sha256(piece).hexdigest() for piece in pieces]
    other = [at for at, one, is_ in zip(wanted, meant, found, strict=False) if one != is_]
    version = _version(file, published, link, now, digest, stated, differs=bool(other) or not pieces)
    if version.replaced or (other and not version.same):
        reason = version.replaced or "its bytes are others, and nothing says whether its publisher has replaced it"
        return _Compared(same=len(found) - len(other), checksum=False, findings=(), replaced=(reason,))
    return _Compared(
        same=len(found) - len(other),
        checksum=digest is not None,
        findings=tuple(_finding(file, at, found[list(wanted).index(at)]) for at in other),
        replaced=(),
    )


def _link(file: _File, published: Published) -> str:
    item = scene_item(file.raw, file.scene)
    collection = item.get("collection")
    link = published.catalogue.absolute_href(
        str(item["id"]), file.band["href"], collection if isinstance(collection, str) else None
    )
    published.check(link)
    return link


@dataclass(frozen=True, kw_only=True)
class _Version:
    """Whether a file is the one that was read then."""

    same: bool
    """True where something says so: its ETag, its published checksum, or on disk all of its bytes."""
    replaced: str = ""
    """Reason to hold it for another file; empty where there is none."""


def _version(
    file: _File,
    published: Published,
    link: str,
    now: Json,
    digest: str | None,
    stated: tuple[str, str] | None,
    *,
    differs: bool,
) -> _Version:
    """Whether the publisher still has the file that was read; where ranges differ, the whole file is asked."""
    if now["size"] != file.band["size"]:
        return _Version(
            same=False, replaced=f"its publisher has replaced it: {now['size']} bytes, then {file.band['size']}"
        )
    then, etag = file.band["etag"], now["etag"]
    if then is not None and etag is not None and etag != then:
        return _Version(
            same=False, replaced=f"its publisher has replaced it: its ETag is {text_of(etag)}, then {text_of(then)}"
        )
    known = stated or _digest_then(file)
    if known is not None and (digest is not None or differs):
        algorithm, expected = known
        actual = published.transport.digest(link, algorithm) if digest is None else digest
        if actual != expected:
            return _Version(
                same=False, replaced=f"its publisher has replaced it: its {algorithm} is {actual}, then {expected}"
            )
        return _Version(same=True)
    return _Version(same=then is not None and etag == then)


def _digest_then(file: _File) -> tuple[str, str] | None:
    """SHA-256 of a file that was read from disk, as its record states it; None of others."""
    items = {item["id"]: item["checksums"] for item in file.raw.inputs["items"]}
    then = (items.get(file.scene["id"]) or {}).get(file.name) or {}
    return ("sha256", then["sha256"]) if "sha256" in then else None


def _finding(file: _File, at: int, found: str) -> Finding:
    offset, length = file.band["ranges"][at]
    return Finding(
        object=f"{file.raw.partition} {file.band['file']}",
        check="is what its publisher has",
        expected=f"sha256 {found} of bytes {offset} to {offset + length - 1} of {file.band['href']}",
        found=file.band["sha256"][at],
        cure="The lake holds other bytes than the file, which was not replaced: do not use the month. Materialize it "
        "again with --force, and ask the lake's owner.",
    )


def publishers(deployment: Deployment) -> Publisher:
    """The publishers of a lake's scenes: by the name in the record, and of a catalogue on disk by the programme.

    Args:
        deployment: The programme that may say where a catalogue on disk is, which need not be readable, and the hosts
            and buckets that may be read from besides those of presets.
    """

    @cache
    def of(catalogue: str) -> Published:
        return opened(catalogue, hosts=deployment.hosts, buckets=deployment.buckets, loopback=deployment.loopback)

    def publisher(raw: Record) -> Published | str:
        name, mission = str(raw.document["plan"]["catalogue"]), raw.partition.mission
        with suppress(ProgramError):
            if mission in deployment.program.missions:
                stated = deployment.program.catalog_at(mission)
                if name_of(stated) == name:
                    return of(stated)
        return "no programme here says where it is" if name == ON_DISK else of(name)

    return publisher
