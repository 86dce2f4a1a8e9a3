"""Installed files against what their distributions say of them, in ``RECORD``."""

import base64
import csv
import hashlib
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mrv_assets.verify.finding import Finding, text_of

LISTED = 20
"""Files of a distribution that are findings of their own; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class _Distribution:
    """An installed distribution."""

    name: str
    """With its version, such as ``numpy-2.3.1``."""
    digests: dict[Path, str]
    """SHA-256 of each file, in base64 as ``RECORD`` has it; empty for files that it states none of."""


def edited_files(folders: Sequence[Path]) -> Iterator[Finding]:
    """Files of the distributions that this process has imported and that are not as they were installed.

    Args:
        folders: Folders in which distributions are installed.
    """
    loaded = {
        Path(file)
        for module in list(sys.modules.values())
        if isinstance(file := getattr(module, "__file__", None), str)
        and any(Path(file).is_relative_to(folder) for folder in folders)
    }
    known: set[Path] = set()
    for distribution in _distributions(folders):
        known |= distribution.digests.keys()
        if loaded & distribution.digests.keys():
            yield from _findings(distribution)
    for path in sorted(loaded - known):
        yield Finding(
            object=str(path),
            check="environment_edited",
            expected="a file of an installed distribution",
            found="one that no distribution names",
            cure="Install into a new environment, and verify once more: what was computed here says nothing.",
        )


def _distributions(folders: Sequence[Path]) -> Iterator[_Distribution]:
    for folder in folders:
        for record in sorted(folder.glob("*.dist-info/RECORD")):
            with record.open(newline="") as file:
                rows = [row for row in csv.reader(file) if len(row) == 3]
            digests = {folder / path: digest.removeprefix("sha256=") for path, digest, _ in rows}
            yield _Distribution(name=record.parent.name.removesuffix(".dist-info"), digests=digests)


def _findings(distribution: _Distribution) -> Iterator[Finding]:
    stated = {path: digest for path, digest in distribution.digests.items() if digest}
    with ThreadPoolExecutor() as pool:
        actual = dict(zip(stated, pool.map(_digest, stated), strict=True))
    other = [path for path in stated if actual[path] != stated[path]]
    more = f"; {len(other) - LISTED} more files of it are others" if len(other) > LISTED else ""
    for path in other[:LISTED]:
        yield Finding(
            object=str(path),
            check="environment_edited",
            expected=f"sha256 {stated[path]}, as {distribution.name} was installed",
            found=text_of(f"{actual[path]}{more}"),
            cure=f"Install {distribution.name} again, and verify once more: what was computed here says nothing.",
        )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        return error.strerror or str(error)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
