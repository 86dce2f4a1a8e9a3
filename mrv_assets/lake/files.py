"""Writing files and folders: a crash at any instant leaves the old state or the new one; nothing is overwritten."""

import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """A folder on the lake's own file system in which data is built before it gets its name.

    Its owner holds a lock on the file beside it, so that what a dead owner left can be told from work under way,
    on whichever host or in whichever container.
    """
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    with _held_lock(root) as lock:
        folder = lock.with_suffix("")
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


@contextmanager
def _held_lock(root: Path) -> Iterator[Path]:
    """A locked file of its own name in a folder."""
    while True:
        lock = root / f"{uuid.uuid4().hex}.lock"
        with lock.open("xb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            # Another process may have swept the file away before it was locked: such a lock nobody sees.
            if os.fstat(held.fileno()).st_nlink:
                yield lock
                return


def publish(staged: Path, final: Path) -> bool:
    """Give a staged folder its final name, durably and at once.

    Returns:
        True when this call published it; False when the name was taken, by the same content if all is well: the name
        is the content's digest.
    """
    for folder, _, names in os.walk(staged, topdown=False):
        for name in names:
            sync(Path(folder) / name)
        sync(Path(folder))
    make_folder(final.parent)
    try:
        staged.rename(final)
        published = True
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        published = False
    sync(final.parent)
    return published


def set_aside(path: Path) -> None:
    """Take a damaged file or folder out of the way of its name; what is left of it stays beside it, hidden."""
    with suppress(FileNotFoundError):
        path.rename(path.with_name(f".damaged-{path.name}-{uuid.uuid4().hex[:8]}"))


def _sweep(root: Path) -> None:
    """Remove what dead owners left behind; it never had a name anyone could read."""
    for lock in root.glob("*.lock"):
        with suppress(OSError), lock.open("rb") as held:
            # Fails while the owner lives.
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)


def write_once(path: Path, data: bytes) -> bool:
    """Create a file with its whole content, durably, unless it exists.

    Returns:
        True when this call created it; False when the name was taken (its content is then another's).
    """
    make_folder(path.parent)
    temp = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temp.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temp, path)
            created = True
        except FileExistsError:
            created = False
        # Also a name that another process has just made: what is built on it must not outlive it.
        sync(path.parent)
        return created
    finally:
        temp.unlink(missing_ok=True)


def write_exactly(path: Path, data: bytes) -> None:
    """Write a file whose name says what it holds; a file with other bytes there is damaged, and is moved aside."""
    if not write_once(path, data) and path.read_bytes() != data:
        set_aside(path)
        write_once(path, data)


DEEPEST = 24
"""Folders within one another that are looked into; a lake has a dozen."""


def walk(root: Path, on_error: Callable[[OSError], object]) -> Iterator[tuple[Path, os.stat_result]]:
    """All entries below a folder that are not folders, by name; links, and folders too deep, included.

    Args:
        root: Where to look.
        on_error: Called with each folder that cannot be listed.
    """
    left = [(root, 0)]
    while left:
        folder, depth = left.pop()
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            on_error(error)
            continue
        below = []
        for entry in entries:
            path = Path(entry.path)
            # A run may just have removed it.
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                    below.append((path, depth + 1))
                else:
                    yield path, entry.stat(follow_symlinks=False)
        left += reversed(below)


def make_folder(folder: Path) -> None:
    """Create a folder and those above it, each entry durable in its parent."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync(path.parent)


def sync(path: Path) -> None:
    """Make a file's content, or a folder's entries, outlive a crash of the machine."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
