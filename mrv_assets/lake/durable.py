"""Writing files so that a crash at any instant leaves the old state or the new one, and nothing is overwritten."""

import os
import uuid
from pathlib import Path


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
