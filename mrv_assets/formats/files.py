"""Reading of files in a folder of data: regular files of a limited size, inside the folder, and nothing else."""

import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from threading import Lock

from mrv_assets.errors import DamagedLake

Identity = tuple[int, int, int, int, int]
"""Device, inode, size and times of a file: any write sets its ctime, which nobody can set back."""

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
        yield file, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def file_bytes(folder: Path, name: str, limit: int) -> tuple[bytes, Identity]:
    """All bytes of a file of a folder of data, and its identity.

    Raises:
        DamagedLake: As for :func:`opened_file`.
    """
    with opened_file(folder, name, limit) as (file, identity):
        return file.read(limit), identity


class Compared:
    """The newest of what this process compared with a record; nothing is compared again until its file changes.

    Safe in threads.
    """

    def __init__(self, kept: int) -> None:
        """Nothing compared yet.

        Args:
            kept: How many are remembered.
        """
        self._kept = kept
        self._seen: OrderedDict[object, None] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, compared: object) -> bool:
        with self._lock:
            return compared in self._seen

    def add(self, compared: object) -> None:
        """Remember what was compared: a file's identity, and what it was compared with."""
        with self._lock:
            self._seen[compared] = None
            while len(self._seen) > self._kept:
                self._seen.popitem(last=False)


def damaged(folder: Path, name: str, reason: str) -> DamagedLake:
    """The error of a file in a folder of data."""
    return DamagedLake("/".join([*folder.parts[-NAMED_BY:], name]), reason)
