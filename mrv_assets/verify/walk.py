"""What a lake holds: a walk that gives every file its place, and finds those that have none."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mrv_assets.lake.documents import LakeDocument, read
from mrv_assets.lake.layout import FORMAT, Slot
from mrv_assets.verify.finding import Finding, shown
from mrv_assets.verify.partition import Partition, place

LAKE = "lake.json"
_SLOT = re.compile(
    r"(?P<asset>[a-z][a-z0-9_]*(?:/[a-z][a-z0-9_]*)?)/(?P<tile>[0-9]{2}[A-Z]{3})/(?P<month>[0-9]{4}-(?:0[1-9]|1[0-2]))"
    r"/(?P<rest>.+)"
)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Every file of a lake, by what it is."""

    root: Path
    partitions: tuple[Partition, ...]
    unexpected: tuple[str, ...]
    """Files, links and devices that a lake has no place for."""
    unreadable: tuple[str, ...]
    """Folders that could not be listed."""
    hidden: tuple[str, ...]
    """Files whose path has a leading dot: unfinished, or set aside as damaged; no evidence, and never read."""

    @classmethod
    def of(cls, root: Path) -> "Contents":
        """List a lake."""
        found: dict[tuple[str, str, str], list[_File]] = {}
        unexpected, hidden = [], []
        errors: list[OSError] = []
        for path, status in _walk(root, errors.append):
            name = path.relative_to(root).as_posix()
            slot = _SLOT.fullmatch(name)
            where = place(slot["rest"]) if slot else None
            if _is_hidden(name):
                hidden.append(name)
                continue
            regular = stat.S_ISREG(status.st_mode)
            if slot and where:
                files = found.setdefault((slot["asset"], slot["tile"], slot["month"]), [])
                files.append((*where, status.st_size if regular else None))
            if not regular or not ((slot and where) or name == LAKE):
                unexpected.append(name)
        closed = [Path(error.filename).relative_to(root).as_posix() for error in errors]
        return cls(
            root=root,
            partitions=tuple(_partition(Slot(root, *key), files) for key, files in sorted(found.items())),
            unexpected=tuple(unexpected),
            unreadable=tuple(name for name in closed if not _is_hidden(name)),
            hidden=tuple(hidden),
        )

    def findings(self, programmes: Mapping[str, str]) -> Iterator[Finding]:
        """What is wrong with the lake itself: its identity, and files it has no place for.

        Args:
            programmes: Programmes that run records speak of, each with one of these run records' paths.
        """
        for name in self.unexpected:
            yield Finding(
                object=name,
                check="has a place in a lake",
                expected="only files a lake knows",
                found="a file, link or device it has no place for",
                cure="Nothing reads it. Find out who put it there, and take it away.",
            )
        for name in self.unreadable:
            yield Finding(
                object=name,
                check="can be listed",
                expected="a folder",
                found="no permission, or a broken file system",
                cure="Make it readable for whoever verifies; what is in it was not looked at.",
            )
        yield from _lake_findings(self.root, programmes)


def partition_at(slot: Slot) -> Partition:
    """List one partition of a lake, and nothing else of it."""
    files: list[_File] = []
    for path, status in _walk(slot.folder, lambda _: None):
        name = path.relative_to(slot.folder).as_posix()
        where = None if _is_hidden(name) else place(name)
        if where:
            files.append((*where, status.st_size if stat.S_ISREG(status.st_mode) else None))
    return _partition(slot, files)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)


def _walk(root: Path, on_error: Callable[[OSError], object]) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a folder that is no folder, links to folders included, by name."""
    for folder, folders, files in os.walk(root, onerror=on_error):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*files, *links]):
            path = Path(folder) / name
            # What a run has just finished with is gone.
            with suppress(FileNotFoundError):
                yield path, path.lstat()


_File = tuple[str, str, int | None]
"""Kind and name of the object that a file is of, and its size; None for a link or a device."""


def _partition(slot: Slot, files: Sequence[_File]) -> Partition:
    sizes = [size for *_, size in files if size is not None]
    names = {kind: tuple(sorted({name for of, name, _ in files if of == kind})) for kind, _, _ in files}
    unsafe = frozenset(name for kind, name, size in files if kind == "data" and size is None)
    return Partition(slot=slot, names=names, unsafe=unsafe, files=len(sizes), bytes=sum(sizes))


def _lake_findings(root: Path, programmes: Mapping[str, str]) -> Iterator[Finding]:
    """``lake.json``: format, spelling, and that run records speak of the same programme."""
    cure = "Restore lake.json from a backup; it names the programme and the format, and no number depends on it."
    one = read(root / LAKE, LakeDocument)
    if one.shape is None:
        expected = f"canonical JSON of {FORMAT}"
        yield Finding(object=LAKE, check="names the lake", expected=expected, found=shown(one.reason), cure=cure)
        return
    for programme, run in programmes.items():
        if one.shape.programme != programme:
            found = shown(f"{one.shape.programme} in {LAKE}, {programme} in {run}")
            yield Finding(object=LAKE, check="one programme", expected="one programme", found=found, cure=cure)
