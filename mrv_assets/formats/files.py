"""Reading of files in a folder of data: regular files of a limited size, inside the folder, and nothing else."""

import hashlib
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from mrv_assets.errors import DamagedLake

Found = TypeVar("Found")

Identity = tuple[int, int, int, int, int]
"""Device, inode, size and times of a file. Any write sets its ctime, which nobody can set back; a new name in the lake
leaves it and the inode as they are."""

MAX_FILE_BYTES = 4 << 30
"""Size of the largest file that is digested: a whole band without compression. A sparse file may claim terabytes."""

NAMED_BY = 6
"""Parts of a folder's path that name it in messages: asset, tile, month, data, digest, group."""


@contextmanager
def opened_file(folder: Path, name: str, limit: int) -> Iterator[tuple[BufferedReader, Identity]]:
    """A regular file of a folder of data, opened for reading, and its identity.

    Args:
        folder: A folder of data.
        name: Path of the file in it, with forward slashes.
        limit: Most bytes that it may have.

    Raises:
        DamagedLake: When it is absent, lies elsewhere, is a link or a pipe, or is larger.
    """
    if not name or any(part in ("", ".", "..") for part in name.split("/")):
        raise damaged(folder, name, "it would lie outside its folder")
    # Links on the way to a file would lead elsewhere too, but for the lake's own folder.
    if any((folder / part).is_symlink() for part in Path(name).parents if str(part) != "."):
        raise damaged(folder, name, "a folder on the way to it is a link")
    try:
        # Neither a link, nor a pipe that would wait for a writer.
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise damaged(folder, name, reason or type(error).__name__) from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise damaged(folder, name, "it is not a file")
    with os.fdopen(handle, "rb") as file:
        if status.st_size > limit:
            raise damaged(folder, name, f"it has {status.st_size} bytes, and at most {limit} are expected")
        yield file, identity_of(status)


def identity_of(status: os.stat_result) -> Identity:
    """The identity of a file of some status."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def file_bytes(folder: Path, name: str, limit: int) -> tuple[bytes, Identity]:
    """All bytes of a file of a folder of data, and its identity.

    Raises:
        DamagedLake: As for :func:`opened_file`.
    """
    with opened_file(folder, name, limit) as (file, identity):
        return file.read(limit), identity


def digest_of(file: BufferedReader, identity: Identity, *, remembered: bool = True) -> str:
    """SHA-256 of an open file.

    Args:
        file: The file, at its beginning.
        identity: Its identity.
        remembered: Give the digest that this process found before, where the file has not changed since.
    """
    known = _digests.get(identity) if remembered else None
    if known is None:
        known = hashlib.file_digest(file, "sha256").hexdigest()
        _digests.set(identity, known)
    return known


class Newest(Generic[Found]):
    """The newest of what this process found out about files, which holds until they change. Safe in threads."""

    def __init__(self, kept: int) -> None:
        """Nothing found out yet.

        Args:
            kept: How many are remembered.
        """
        self._kept = kept
        self._known: OrderedDict[object, Found] = OrderedDict()
        self._lock = Lock()

    def get(self, key: object) -> Found | None:
        """The remembered result; None where there is none."""
        with self._lock:
            return self._known.get(key)

    def set(self, key: object, found: Found) -> None:
        """Remember it, and forget the oldest where there is too much."""
        with self._lock:
            self._known[key] = found
            while len(self._known) > self._kept:
                self._known.popitem(last=False)


_digests: Newest[str] = Newest(100_000)


def damaged(folder: Path, name: str, reason: str) -> DamagedLake:
    """The error of a file in a folder of data."""
    return DamagedLake("/".join([*folder.parts[-NAMED_BY:], name]), reason)
