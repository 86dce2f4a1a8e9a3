"""Putting an export where it was asked for: whole, or not at all, and over nothing that is there."""

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.errors import ExportError
from mrv_assets.lake.files import make_folder, publish, staging
from mrv_assets.lake.layout import LAKE

MANIFEST = "mrv-export.json"
"""In every export: what it holds, with digests, and what it does not hold."""

_ARGUMENT = "FOLDER"
_ANOTHER = "Name a folder that is not there yet, or move this one away"


def checked(folder: Path, lake: Path) -> Path:
    """The folder an export goes to, absolute, if it may.

    Raises:
        ExportError: When it is a file, holds something else than an export, or is in a lake or around one.
    """
    final, root = folder.resolve(), lake.resolve()
    cure = "Name a folder outside the lake"
    if final == root or root in final.parents or final in root.parents:
        raise ExportError(_ARGUMENT, str(folder), "it is in the programme's lake or around it", cure)
    if any((above / LAKE).exists() for above in (final, *final.parents)):
        raise ExportError(_ARGUMENT, str(folder), "it is in a lake", cure)
    if final.exists() and not final.is_dir():
        raise ExportError(_ARGUMENT, str(folder), "it is a file", "Name a folder that is not there yet")
    if final.is_dir() and any(final.iterdir()) and not (final / MANIFEST).is_file():
        # Said before anything is computed, which may take long.
        raise ExportError(_ARGUMENT, str(folder), "it is not empty, and no export", _ANOTHER)
    return final


@contextmanager
def staged(final: Path) -> Iterator[Path]:
    """A folder beside the final one in which an export is built; it vanishes unless put in place.

    What an export that was killed left there is removed by the next one to the same folder.
    """
    make_folder(final.parent)
    root = final.with_name(f".{final.name}.mrv-export")
    try:
        with staging(root) as folder:
            yield folder
    finally:
        with suppress(OSError):
            root.rmdir()


def put_in_place(made: Path, final: Path) -> bool:
    """Give an export its name, durably and at once.

    Returns:
        True when this call did; False when the very same files are there already.

    Raises:
        ExportError: When anything else is there; it stays as it is.
    """
    mine = files_of(made)
    try:
        if publish(made, final):
            return True
    except NotADirectoryError as error:
        raise OSError(errno.ENOTDIR, "a file has taken the export's place", str(final)) from error
    there = files_of(final)
    if there == mine:
        return False
    other = sorted(f["path"] for f in (*there, *mine) if f not in there or f not in mine)
    reason = f"it holds something else ({other[0]}{', ...' if len(set(other)) > 1 else ''})"
    raise ExportError(_ARGUMENT, str(final), reason, _ANOTHER)


def files_of(folder: Path) -> list[Json]:
    """Path, SHA-256 and size of every file of an export, by path."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found.append({"path": path.relative_to(folder).as_posix(), "sha256": digest, "bytes": path.stat().st_size})
    return sorted(found, key=lambda one: str(one["path"]))
