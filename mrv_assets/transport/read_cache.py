"""Reads cached on disk, so that a process does not fetch again the bytes that a killed one had read."""

import hashlib
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mrv_assets.audit.canonical import digest
from mrv_assets.transport.cores import computing
from mrv_assets.transport.response import is_strong
from mrv_assets.transport.store import PREFIX_BYTES, ByteRange, ObjectInfo, Transport, hasher

_SHA256_BYTES = 32


class ReadCache:
    """Another transport, whose finished reads are cached in a folder until they are forgotten.

    A read is found again by link, strong ETag, size and ranges, so that it never serves another version of the object;
    where the server gives no strong ETag nothing is cached. The link counts as the catalogue has it, query included,
    for a query may name the object. The folder belongs to one piece of work, such as a partition.
    """

    def __init__(self, inner: Transport, folder: Path) -> None:
        self._inner, self._folder = inner, folder

    def stat(self, href: str) -> ObjectInfo:
        """Size and version of an object. Never cached: it decides which cached reads still hold."""
        return self._inner.stat(href)

    def read(self, href: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        """The bytes of each range, in the order asked; from the folder where they are there."""
        path = self._path(href, [f"{part.offset}+{part.length}" for part in ranges])
        # The bytes that stat brings along cost nothing to read again, and more to cache.
        if path is None or all(part.offset + part.length <= PREFIX_BYTES for part in ranges):
            return self._inner.read(href, ranges)
        cached = _load(path, [part.length for part in ranges])
        if cached is None:
            cached = self._inner.read(href, ranges)
            with computing:
                _save(path, cached)
        return cached

    def digest(self, href: str, algorithm: str) -> str:
        """Digest of all of an object, lower-case hex; from the folder where it is there."""
        return self.read_digested(href, algorithm, ())[0]

    def read_digested(self, href: str, algorithm: str, ranges: Sequence[ByteRange]) -> tuple[str, list[bytes]]:
        """Digest of all of an object and the bytes of some ranges; from the folder where they are there."""
        size = hasher(algorithm).digest_size
        path = self._path(href, [algorithm, *(f"{part.offset}+{part.length}" for part in ranges)])
        if path is None:
            return self._inner.read_digested(href, algorithm, ranges)
        cached = _load(path, [size, *(part.length for part in ranges)])
        if cached is None:
            computed, pieces = self._inner.read_digested(href, algorithm, ranges)
            cached = [bytes.fromhex(computed), *pieces]
            with computing:
                _save(path, cached)
        return cached[0].hex(), cached[1:]

    def forget(self) -> None:
        """Remove the cached reads, once the results made of them are stored."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder)

    def _path(self, href: str, read: object) -> Path | None:
        """The file that caches a read of an object; None where no strong ETag names its version."""
        info = self._inner.stat(href)
        if not is_strong(info.etag):
            return None
        # The link is signed further down, so that a new token changes nothing; its digest does not reveal it.
        return self._folder / digest([href, info.etag, info.size, read])


def _save(path: Path, pieces: Sequence[bytes]) -> None:
    """Write a read, whole or not at all. It is not flushed: the digest shows what a power cut damaged."""
    computed = hashlib.sha256()
    for piece in pieces:
        computed.update(piece)
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with temp.open("xb") as file:
        file.writelines([computed.digest(), *pieces])
    temp.replace(path)


def _load(path: Path, lengths: Sequence[int]) -> list[bytes] | None:
    """The pieces of a cached read; None where there is none. A file that a crash or a bad disk damaged is removed."""
    computed = hashlib.sha256()
    try:
        with path.open("rb") as file:
            stated = file.read(_SHA256_BYTES)
            pieces = [file.read(length) for length in lengths]
            left = file.read(1)
    except FileNotFoundError:
        return None
    for piece in pieces:
        computed.update(piece)
    if stated == computed.digest() and not left and [len(piece) for piece in pieces] == list(lengths):
        return pieces
    path.unlink(missing_ok=True)
    return None
