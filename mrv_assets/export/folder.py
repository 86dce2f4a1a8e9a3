"""The folder of an export: it appears whole or not at all, and never replaces files."""

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
"""List in every export of its files, with digests, and of months without values."""

_ARGUMENT = "FOLDER"
_ANOTHER = "Name a folder that is not there yet, or move this one away"


def checked(folder: Path, lake: Path) -> Path:
    """The absolute path of an export's folder, after checking that an export may be written there.

    Raises:
        ExportError: When it is a file, holds anything but an export, or is in a lake or around the lake.
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
        # Refused before anything is computed, which may take long.
        raise ExportError(_ARGUMENT, str(folder), "it is not empty, and not an export", _ANOTHER)
    return final


@contextmanager
def staged(final: Path) -> Iterator[Path]:
    """A folder beside the final one in which an export is built; it is removed unless it is put in place.

    Files that a killed export left there are removed by the next export to the same folder.
    """
    make_folder(final.parent)
    root = final.with_name(f".{final.name}.mrv-export")
    try:
        with staging(root) as folder:
            yield folder
    finally:
        with suppress(OSError):
            root.rmdir()


def put_in_place(building: Path, final: Path) -> bool:
    """Rename a finished export to its final name, durably and at once.

    Returns:
        True when this call did; False when the same files, byte for byte, are there already.

    Raises:
        ExportError: When other files are there; they stay as they are.
        OSError: When a file has the export's name.
    """
    built = files_of(building)
    try:
        if publish(building, final):
            return True
    except NotADirectoryError as error:
        raise OSError(errno.ENOTDIR, "a file has the export's name", str(final)) from error
    existing = files_of(final)
    if existing == built:
        return False
    other = sorted(file["path"] for file in (*existing, *built) if file not in existing or file not in built)
    reason = f"it holds something else ({other[0]}{', ...' if len(set(other)) > 1 else ''})"
    raise ExportError(_ARGUMENT, str(final), reason, _ANOTHER)


def files_of(folder: Path) -> list[Json]:
    """Path, SHA-256 and size of every file of an export, by path."""
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            files.append({"path": path.relative_to(folder).as_posix(), "sha256": digest, "bytes": path.stat().st_size})
    return sorted(files, key=lambda file: str(file["path"]))
