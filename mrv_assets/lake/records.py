"""Heads and documents as they are read back."""

import json
from dataclasses import dataclass
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.errors import DamagedLake


@dataclass(frozen=True)
class Head:
    """Which record of a partition is current."""

    number: int
    record: str
    previous: str | None
    """Audit hash of the record that was current before; None for the first."""


def documents(folder: Path) -> list[Path]:
    """A folder's JSON documents by name; a leading dot marks a file that has no name yet."""
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def read_document(path: Path, root: Path) -> Json:
    """A JSON object of a lake.

    Raises:
        DamagedLake: When it cannot be read as one.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedLake(str(path.relative_to(root)), f"cannot be read ({error})") from None
    if not isinstance(document, dict):
        raise DamagedLake(str(path.relative_to(root)), "is not a JSON object")
    return document
