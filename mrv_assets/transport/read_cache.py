"""Reads that outlive their process: what one brought before it was killed, the next does not fetch again."""

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


class KeptTransport:
    """Another transport, with its finished reads kept in a folder until they are forgotten.

    A read is found again by link, strong ETag, size and ranges, so never for another version of the object; where the
    server gives no strong ETag nothing is kept. The link counts as the catalogue has it, query and all, for a query may
    be what names the object. The folder is one piece of work's: of a partition, say.
    """

    def __init__(self, inner: Transport, folder: Path) -> None:
        self._inner, self._folder = inner, folder

    def stat(self, href: str) -> ObjectInfo:
        """Size and version of an object. Always asked for: it decides what of the kept still holds."""
        return self._inner.stat(href)

    def read(self, href: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        """The bytes of each range, in the order asked; from the folder where they are there."""
        path = self._path(href, [f"{part.offset}+{part.length}" for part in ranges])
        # What stat brings along costs nothing to read again, and more to keep.
        if path is None or all(part.offset + part.length <= PREFIX_BYTES for part in ranges):
            return self._inner.read(href, ranges)
        kept = _kept(path, [part.length for part in ranges])
        if kept is None:
            kept = self._inner.read(href, ranges)
            with computing:
                _keep(path, kept)
        return kept

    def digest(self, href: str, algorithm: str) -> str:
        """Digest of all of an object, lower-case hex; from the folder where it is there."""
        return self.read_digested(href, algorithm, ())[0]

    def read_digested(self, href: str, algorithm: str, ranges: Sequence[ByteRange]) -> tuple[str, list[bytes]]:
        """Digest of all of an object and the bytes of some ranges; from the folder where they are there."""
        size = hasher(algorithm).digest_size
        path = self._path(href, [algorithm, *(f"{part.offset}+{part.length}" for part in ranges)])
        if path is None:
            return self._inner.read_digested(href, algorithm, ranges)
        kept = _kept(path, [size, *(part.length for part in ranges)])
        if kept is None:
            found, pieces = self._inner.read_digested(href, algorithm, ranges)
            kept = [bytes.fromhex(found), *pieces]
            with computing:
                _keep(path, kept)
        return kept[0].hex(), kept[1:]

    def forget(self) -> None:
        """Remove everything kept, once what was made of it is safe."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder)

    def _path(self, href: str, what: object) -> Path | None:
        """Where a read of an object is kept; None where nothing names its version."""
        info = self._inner.stat(href)
        if not is_strong(info.etag):
            return None
        # Signed further down, so that a new token changes nothing; no link can be told from the digest of one.
        return self._folder / digest([href, info.etag, info.size, what])


def _keep(path: Path, pieces: Sequence[bytes]) -> None:
    """Keep a read, whole or not at all. Not flushed: the digest tells what a power cut damaged, which is read again."""
    computed = hashlib.sha256()
    for piece in pieces:
        computed.update(piece)
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with temp.open("xb") as file:
        file.writelines([computed.digest(), *pieces])
    temp.replace(path)


def _kept(path: Path, lengths: Sequence[int]) -> list[bytes] | None:
    """What a file keeps; None where there is none, or one that a crash or a bad disk has damaged, which goes."""
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
