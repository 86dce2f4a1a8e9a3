"""Published objects: the interface that reads their size, ranges and digest, and its implementation for a disk."""

import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from mrv_assets.errors import HrefRefused, ObjectChanged, ObjectReadError

T = TypeVar("T")

PREFIX_BYTES = 16 << 10
"""First bytes that a stat over the network brings along: a COG's header, so that reading it costs no request."""

_DIGEST_STEP = 1 << 20
# Bytes that Linux and macOS accept; a longer name or path is an error even to look up.
MAX_NAME_BYTES, MAX_PATH_BYTES = 255, 4095


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """Size and version of a published object."""

    size: int
    """Bytes."""
    etag: str | None
    """The server's name for this version of the object, as a record can hold it; None on disk."""


@dataclass(frozen=True)
class ByteRange:
    """A run of bytes of an object; offset and length in bytes."""

    offset: int
    length: int


class Transport(Protocol):
    """A source of published objects. Safe to use from several threads."""

    def stat(self, href: str) -> ObjectInfo:
        """Size and version of an object."""
        ...

    def read(self, href: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        """The bytes of each range, in the order asked, each as long as asked."""
        ...

    def digest(self, href: str, algorithm: str) -> str:
        """Digest of all of an object, read once and never held whole; lower-case hex.

        Args:
            href: The object.
            algorithm: ``sha256``, ``sha512``, ``sha3_256`` or ``md5``, which publishers state.
        """
        ...

    def read_digested(self, href: str, algorithm: str, ranges: Sequence[ByteRange]) -> tuple[str, list[bytes]]:
        """Digest of all of an object, and the bytes of some ranges, cut out of the bytes digested in one reading."""
        ...


class Cut:
    """Ranges cut out of an object whose bytes pass by from the first to the last."""

    def __init__(self, ranges: Sequence[ByteRange]) -> None:
        self._ranges, self._at = ranges, 0
        self._waiting = deque(sorted(range(len(ranges)), key=lambda index: ranges[index].offset))
        self._open: list[int] = []
        self._pieces: list[list[bytes]] = [[] for _ in ranges]

    def pass_by(self, data: bytes | bytearray) -> None:
        """Take the next bytes, and keep those within a range."""
        end = self._at + len(data)
        while self._waiting and self._ranges[self._waiting[0]].offset < end:
            self._open.append(self._waiting.popleft())
        for index in self._open:
            first = self._ranges[index].offset - self._at
            stop = first + self._ranges[index].length
            self._pieces[index].append(bytes(memoryview(data)[max(first, 0) : max(stop, 0)]))
        self._open = [i for i in self._open if self._ranges[i].offset + self._ranges[i].length > end]
        self._at = end

    def pieces(self) -> list[bytes]:
        """The bytes of each range, in the order asked."""
        return [pieces[0] if len(pieces) == 1 else b"".join(pieces) for pieces in self._pieces]


def of_one_version(work: Callable[[], T], tries: int = 3) -> T:
    """The result of work on objects of one version each; it is done anew when an object is replaced meanwhile.

    Raises:
        ObjectChanged: When an object was replaced each time.
    """
    for _ in range(tries - 1):
        try:
            return work()
        except ObjectChanged:
            # The transport has forgotten the version it knew, and the work's results are gone with its frame.
            continue
    return work()


def hasher(algorithm: str) -> "hashlib._Hash":
    """An empty digest of one of the functions that publishers state.

    Raises:
        ValueError: For another function.
    """
    if algorithm not in ("sha256", "sha512", "sha3_256", "md5"):
        raise ValueError(f"a digest is sha256, sha512, sha3_256 or md5, not {algorithm!r}")
    # md5 finds damage, not forgery; where a publisher states nothing else, it is better than nothing.
    return hashlib.new(algorithm, usedforsecurity=False)


def is_remote(link: str) -> bool:
    """Whether a link leads over the network, and not to a file on disk."""
    return link.lower().startswith(("https://", "http://", "s3://"))


class SplitTransport:
    """Objects of a catalogue on disk: files beneath its folder, and those that it links to over the network."""

    def __init__(self, disk: Transport, remote: Callable[[], Transport]) -> None:
        """A transport of two.

        Args:
            disk: For links that are paths.
            remote: Gives the transport for links with a scheme; called only where there is such a link.
        """
        self._disk, self._remote = disk, remote

    def stat(self, href: str) -> ObjectInfo:
        """Size and version of an object."""
        return self._of(href).stat(href)

    def read(self, href: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        """The bytes of each range, in the order asked."""
        return self._of(href).read(href, ranges)

    def digest(self, href: str, algorithm: str) -> str:
        """Digest of all of an object, lower-case hex."""
        return self._of(href).digest(href, algorithm)

    def read_digested(self, href: str, algorithm: str, ranges: Sequence[ByteRange]) -> tuple[str, list[bytes]]:
        """Digest of all of an object, and the bytes of some ranges."""
        return self._of(href).read_digested(href, algorithm, ranges)

    def _of(self, href: str) -> Transport:
        return self._remote() if is_remote(href) else self._disk


class DiskTransport:
    """Files beneath one folder, and no others."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def stat(self, href: str) -> ObjectInfo:
        """Size of a file.

        Raises:
            HrefRefused: When the link leads out of the folder.
            ObjectReadError: When there is no such file.
        """
        path = path_beneath(self.root, self.root, href)
        try:
            status = path.stat()
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            raise ObjectReadError(str(path), error.strerror or str(error), gone=gone) from error
        _refuse_irregular(path, status)
        return ObjectInfo(size=status.st_size, etag=None)

    def read(self, href: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        """The bytes of each range, in the order asked.

        Raises:
            HrefRefused: When the link leads out of the folder.
            ObjectReadError: When the file cannot be read or ends before a range does.
        """
        with self._opened(href) as (path, handle, size):
            return [_read_range(handle, path, part, size) for part in ranges]

    def digest(self, href: str, algorithm: str) -> str:
        """Digest of a whole file, lower-case hex.

        Raises:
            HrefRefused: When the link leads out of the folder.
            ObjectReadError: When the file cannot be read.
            ValueError: For a function publishers do not state.
        """
        return self.read_digested(href, algorithm, ())[0]

    def read_digested(self, href: str, algorithm: str, ranges: Sequence[ByteRange]) -> tuple[str, list[bytes]]:
        """Digest of a whole file, lower-case hex, and the bytes of some ranges, cut out of the bytes digested.

        Raises:
            HrefRefused: When the link leads out of the folder.
            ObjectReadError: When the file cannot be read or ends before a range does.
            ValueError: For a function publishers do not state.
        """
        computed, cut = hasher(algorithm), Cut(ranges)
        with self._opened(href) as (path, handle, size):
            for part in ranges:
                _require_within(path, part, size)
            for offset in range(0, size, _DIGEST_STEP):
                data = _read_range(handle, path, ByteRange(offset, min(_DIGEST_STEP, size - offset)), size)
                computed.update(data)
                cut.pass_by(data)
        return computed.hexdigest(), cut.pieces()

    @contextmanager
    def _opened(self, href: str) -> Iterator[tuple[Path, int, int]]:
        """A file's path, handle and size."""
        path = path_beneath(self.root, self.root, href)
        try:
            # Opening a pipe would wait for a writer for ever.
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            raise ObjectReadError(str(path), error.strerror or str(error), gone=gone) from error
        try:
            status = os.fstat(handle)
            _refuse_irregular(path, status)
            yield path, handle, status.st_size
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            raise ObjectReadError(str(path), error.strerror or str(error), gone=gone) from error
        finally:
            os.close(handle)


def path_beneath(root: Path, folder: Path, href: str) -> Path:
    """The file that a link means, symbolic links followed; always one beneath ``root``.

    Args:
        root: The catalogue's folder, resolved.
        folder: The folder of the document with the link; a relative link starts here.
        href: A relative or absolute path, or a ``file:`` URL.

    Raises:
        HrefRefused: For every other kind of link, and for a file elsewhere.
    """
    link = href.split("?", 1)[0]
    if not href or "\0" in href:
        raise HrefRefused(link, "it is empty or holds a NUL")
    if href.startswith("/vsi"):
        raise HrefRefused(link, "it names one of GDAL's virtual file systems")
    # Links are URI references, though most writers put the unencoded file name.
    candidates = [folder / href, folder / unquote(href)]
    try:
        parts = urlsplit(href)
    except ValueError:
        raise HrefRefused(link, "it is not a link") from None
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise HrefRefused(link, f"it names another machine, {parts.netloc[:80]}")
        candidates = [Path(unquote(parts.path)), Path(parts.path)]
    elif parts.scheme:
        raise HrefRefused(link, f"{parts.scheme[:20]}: is not a file on disk")
    # Judged before a file is looked up, so that nothing is learnt about files elsewhere. The names of folders above
    # the catalogue may have a %20 of their own, and then one of the two ways to read a link leads nowhere in it.
    resolved = [_resolved(link, path) for path in candidates]
    within = [path for path in resolved if path.is_relative_to(root)]
    for path in within:
        if len(os.fsencode(path)) > MAX_PATH_BYTES or any(
            len(os.fsencode(part)) > MAX_NAME_BYTES for part in path.parts
        ):
            raise HrefRefused(link, "it is longer than any disk allows")
    found = next((path for path in within if path.exists()), None)
    if found is None and len(within) < len(resolved):
        raise HrefRefused(link, "it leads out of the catalogue's folder")
    return found or within[0]


def _resolved(link: str, path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise HrefRefused(link, "its symbolic links lead in a circle, or it is not a path") from error


def _refuse_irregular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ObjectReadError(str(path), "not a regular file")


def _require_within(path: Path, part: ByteRange, size: int) -> None:
    if part.offset < 0 or part.length < 0:
        raise ValueError(f"a byte range starts and extends at or above 0, not {part}")
    if part.offset + part.length > size:
        raise _too_short(path, part, size)


def _read_range(handle: int, path: Path, part: ByteRange, size: int) -> bytes:
    # Checked before anything is allocated: a header may claim any length.
    _require_within(path, part, size)
    pieces = []
    done = 0
    while done < part.length:
        # One call reads 2 GB at most.
        piece = os.pread(handle, part.length - done, part.offset + done)
        if not piece:
            raise _too_short(path, part, part.offset + done)
        pieces.append(piece)
        done += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_short(path: Path, part: ByteRange, size: int) -> ObjectReadError:
    return ObjectReadError(
        str(path),
        f"it ends at byte {size}, before the {part.length} bytes from {part.offset} that were asked for",
    )
