"""Run records: when, where and with which versions a record came to be. None of it is part of any identity."""

import os
import platform
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from mrv_assets.audit.canonical import Json, canonical, digest
from mrv_assets.audit.record import Record
from mrv_assets.formats.files import MAX_FILE_BYTES, digest_of, identity_of
from mrv_assets.lake.documents import RUN_SCHEMA, RunDocument, names_in, require
from mrv_assets.lake.environment import environment
from mrv_assets.lake.files import walk, write_once
from mrv_assets.lake.layout import Slot


@dataclass(frozen=True, kw_only=True)
class Run:
    """Circumstances of one materialization."""

    outcome: str
    """computed, reproduced or restored."""
    started: datetime
    finished: datetime
    dagster_run_id: str | None
    workers: int


def run_document(programme: str, record: Record, run: Run, *, head: int | None, stored: Mapping[str, Json]) -> Json:
    """A run record.

    Args:
        programme: Whose lake the record is in.
        record: What was materialized.
        run: How.
        head: Number of the head that a restoring run made; None for a run that computed.
        stored: Per file of the data, its size and SHA-256, as this run wrote it.
    """
    return {
        "schema": RUN_SCHEMA,
        "programme": programme,
        **asdict(record.partition),
        "request": record.request,
        "record": record.audit_hash,
        # The digest of the record's output: records may share their data.
        "data": record.data.name,
        "head": head,
        "outcome": run.outcome,
        "started": run.started.isoformat(),
        "finished": run.finished.isoformat(),
        "wall_s": round((run.finished - run.started).total_seconds(), 3),
        "dagster_run_id": run.dagster_run_id,
        "workers": run.workers,
        "host": platform.node(),
        "environment": environment(),
        "stored": dict(stored),
    }


def run_id(document: Json) -> str:
    """A run's name: when it started, then the SHA-256 of its record, so that an edited one shows."""
    started = datetime.fromisoformat(document["started"])
    return f"{started:%Y%m%dT%H%M%S.%f}Z-{digest(document)}"


def write_run(slot: Slot, document: Json) -> None:
    """Write a run record under its name."""
    write_once(slot.run(run_id(document)), canonical(document))


def runs_of(slot: Slot) -> list[RunDocument]:
    """The run records of a partition, oldest first.

    Raises:
        DamagedLake: With the first that is not whole.
    """
    # A run's name ends with the SHA-256 of its record.
    return [require(slot.root, slot.run(name), RunDocument, name.rpartition("-")[2]) for name in names_in(slot, "runs")]


def stored_files(folder: Path, *, remembered: bool = False) -> dict[str, Json]:
    """Size and SHA-256 of every file in a folder, by its path there.

    Args:
        folder: Where to look.
        remembered: Read a file that this process digested before only if the file system says that it has changed.
    """
    files = {}
    for path, status in sorted(walk(folder, _raise)):
        name = path.relative_to(folder).as_posix()
        if not stat.S_ISREG(status.st_mode):
            # A link, a pipe or a folder too deep is not a file of the data; the walk of a lake tells of it.
            continue
        if status.st_size > MAX_FILE_BYTES:
            files[name] = {"bytes": status.st_size, "sha256": TOO_LARGE}
            continue
        with path.open("rb") as file:
            identity = identity_of(os.fstat(file.fileno()))
            files[name] = {"bytes": status.st_size, "sha256": digest_of(file, identity, remembered=remembered)}
    return files


def _raise(error: OSError) -> None:
    raise error


TOO_LARGE = "too large to be one of a lake"
"""In place of the SHA-256 of a larger file."""


def altered_files(
    folder: Path, stored: Sequence[Mapping[str, str]], *, remembered: bool = False
) -> Iterator[tuple[str, str, str]]:
    """Files of a data folder that are not what any run wrote there.

    Args:
        folder: The data.
        stored: SHA-256 of each file by its path there, for each run that made this data; several runs may have written
            other bytes that say the same.
        remembered: As for :func:`stored_files`.

    Yields:
        The file's path there, the SHA-256 it must have, and the one that it has; "no file" for either.
    """
    files = {path: file["sha256"] for path, file in stored_files(folder, remembered=remembered).items()}
    for path in sorted(set(files) | {path for run in stored for path in run}):
        meant = [run.get(path, "no file") for run in stored]
        actual = files.get(path, "no file")
        if actual not in meant:
            yield path, meant[0], actual
