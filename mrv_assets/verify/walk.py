"""The contents of a lake: a walk that gives every file its place, and finds those that have none."""

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrv_assets.audit.record import Partition
from mrv_assets.lake.documents import LakeDocument, read
from mrv_assets.lake.files import walk
from mrv_assets.lake.layout import FORMAT, LAKE, LakePath, Slot
from mrv_assets.verify.finding import Finding, text_of
from mrv_assets.verify.partition import StoredPartition


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Every file of a lake, by what it is."""

    root: Path
    partitions: tuple[StoredPartition, ...]
    unexpected: tuple[str, ...]
    """Files, links and devices that a lake has no place for."""
    unreadable: tuple[str, ...]
    """Folders that could not be listed."""
    hidden: tuple[str, ...]
    """Files whose path has a leading dot: unfinished, or set aside as damaged; no evidence, and never read."""

    @classmethod
    def of(cls, root: Path) -> "Contents":
        """List a lake."""
        stored: dict[Partition, list[_File]] = {}
        unexpected, hidden = [], []
        errors: list[OSError] = []
        for path, status in walk(root, errors.append):
            name = path.relative_to(root).as_posix()
            if _is_hidden(name):
                hidden.append(name)
                continue
            lake_path = _file_path(name)
            size = status.st_size if stat.S_ISREG(status.st_mode) else None
            if lake_path:
                stored.setdefault(lake_path.partition, []).append((lake_path, size))
            if size is None or not (lake_path or name == LAKE):
                unexpected.append(name)
        closed = [Path(error.filename).relative_to(root).as_posix() for error in errors]
        return cls(
            root=root,
            partitions=tuple(_partition(Slot(root, partition), files) for partition, files in sorted(stored.items())),
            unexpected=tuple(unexpected),
            unreadable=tuple(name for name in closed if not _is_hidden(name)),
            hidden=tuple(hidden),
        )

    def findings(self, programmes: Mapping[str, str]) -> Iterator[Finding]:
        """Findings on the lake itself: its identity, and files it has no place for.

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


def partition_at(slot: Slot) -> StoredPartition:
    """List one partition of a lake, and nothing else of it."""
    files: list[_File] = []
    for path, status in walk(slot.folder, lambda _: None):
        name = slot.name_of(path)
        lake_path = None if _is_hidden(name) else _file_path(name)
        if lake_path:
            files.append((lake_path, status.st_size if stat.S_ISREG(status.st_mode) else None))
    return _partition(slot, files)


def _file_path(name: str) -> LakePath | None:
    """The object that a file belongs to; None where a lake has no place for a file."""
    lake_path = LakePath.parse(name)
    return lake_path if lake_path and lake_path.is_file else None


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)


_File = tuple[LakePath, int | None]
"""Place and size of a file; None for a link or a device."""


def _partition(slot: Slot, files: Sequence[_File]) -> StoredPartition:
    sizes = [size for _, size in files if size is not None]
    names: dict[str, set[str]] = {}
    for lake_path, _ in files:
        names.setdefault(lake_path.kind, set()).add(lake_path.name)
    unsafe = frozenset(lake_path.name for lake_path, size in files if lake_path.kind == "data" and size is None)
    return StoredPartition(
        slot=slot,
        names={kind: tuple(sorted(of_kind)) for kind, of_kind in names.items()},
        unsafe=unsafe,
        files=len(sizes),
        bytes=sum(sizes),
    )


def _lake_findings(root: Path, programmes: Mapping[str, str]) -> Iterator[Finding]:
    """``lake.json``: format, spelling, and that run records speak of the same programme."""
    cure = "Restore lake.json from a backup; it names the programme and the format, and no number depends on it."
    identity = read(root / LAKE, LakeDocument)
    if identity.shape is None or identity.shape.format != FORMAT:
        reason = identity.reason if identity.shape is None else f"format {identity.shape.format}"
        expected = f"canonical JSON of {FORMAT}"
        yield Finding(object=LAKE, check="names the lake", expected=expected, found=text_of(reason), cure=cure)
        return
    for programme, run in programmes.items():
        if identity.shape.programme != programme:
            both = text_of(f"{identity.shape.programme} in {LAKE}, {programme} in {run}")
            yield Finding(object=LAKE, check="one programme", expected="one programme", found=both, cure=cure)
