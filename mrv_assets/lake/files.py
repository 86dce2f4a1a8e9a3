"""Writing so that a crash at any instant leaves the old state or the new one, and nothing is overwritten."""

import errno
import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_once(path: Path, data: bytes) -> bool:
    """Create a file with its whole content, durably, unless it exists.

    Returns:
        True when this call created it; False when the name was taken (its content is then another's).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temp.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temp, path)
        except FileExistsError:
            return False
        _sync(path.parent)
        return True
    finally:
        temp.unlink(missing_ok=True)


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """A folder on the lake's own file system in which data is built before it gets its name."""
    _sweep(root)
    folder = root / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(staged: Path, final: Path) -> None:
    """Give a staged folder its final name, durably and at once; a folder already there holds the same content."""
    for folder, _, names in os.walk(staged, topdown=False):
        for name in names:
            _sync(Path(folder) / name)
        _sync(Path(folder))
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        staged.rename(final)
    except OSError as error:
        # The name is the content's digest: whoever was first has published the same thing.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    _sync(final.parent)


def _sweep(root: Path) -> None:
    """Remove what dead processes of this host left behind; it never had a name anyone could read."""
    if not root.is_dir():
        return
    host = socket.gethostname()
    for folder in root.iterdir():
        owner, _, rest = folder.name.rpartition("-")[0].rpartition("-")
        if owner == host and rest.isdigit() and not _alive(int(rest)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
