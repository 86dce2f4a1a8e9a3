"""The lake: records, requests, runs and heads of every asset's partition, and the data they speak of."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mrv_assets.audit.canonical import Json, canonical, digest, sha256
from mrv_assets.audit.record import Partition, Record, Request
from mrv_assets.errors import DamagedLake, LakeMismatch, NotMaterialized, NotReproducible, StaleUpstream
from mrv_assets.lake.documents import (
    LakeDocument,
    RecordDocument,
    RequestDocument,
    RunDocument,
    read,
    require,
)
from mrv_assets.lake.files import publish, set_aside, staging, write_exactly, write_once
from mrv_assets.lake.heads import Head, current_head, has_head, point
from mrv_assets.lake.layout import FORMAT, LAKE, Slot, is_partition, path_of
from mrv_assets.lake.lineage import with_lineage
from mrv_assets.lake.runs import Run, altered_files, run_document, runs_of, stored_files, write_run

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Lake:
    """A folder that belongs to one programme. Nothing in it is overwritten or deleted."""

    root: Path
    programme: str

    @classmethod
    def at(cls, root: Path, programme: str) -> "Lake":
        """Open a lake; a folder without one becomes one when the first record is written.

        Raises:
            LakeMismatch: When the folder is another programme's lake, or of another format.
            DamagedLake: When ``lake.json`` does not say whose lake it is.
        """
        lake = cls(root, programme)
        lake._check_identity()
        return lake

    def _check_identity(self) -> None:
        path = self.root / LAKE
        if not path.exists():
            return
        identity = require(self.root, path, LakeDocument)
        if (identity.format, identity.programme) != (FORMAT, self.programme):
            raise LakeMismatch(
                str(self.root),
                f"programme {identity.programme!r}, format {identity.format!r}",
                f"programme {self.programme!r}, format {FORMAT!r}",
            )

    def slot(self, partition: Partition) -> Slot:
        """The folder of one asset's partition.

        Raises:
            ValueError: When asset, tile or month cannot be the name of a folder of a lake.
        """
        return Slot(self.root, partition)

    def staging(self) -> AbstractContextManager[Path]:
        """A folder to build data in; it vanishes unless published."""
        return staging(self.root / ".staging")

    def unfinished(self, partition: Partition) -> Path:
        """A folder for what a partition's run has read so far, and would read again if it were killed."""
        return self.root / ".unfinished" / path_of(partition)

    def head(self, partition: Partition) -> Head | None:
        """The newest head of a partition; None before the first materialization.

        Raises:
            DamagedLake: When the current head cannot be read.
        """
        return current_head(self.slot(partition))

    def is_current(self, record: Record) -> bool:
        """Whether a record is its partition's current one."""
        head = self.head(record.partition)
        return head is not None and head.record == record.audit_hash

    def partitions(self, asset: str) -> Iterator[Partition]:
        """Every partition of an asset that has a head, by tile and month.

        Raises:
            DamagedLake: When a file among the heads has the name of none.
        """
        for folder in sorted((self.root / asset).glob("*/*")):
            partition = Partition(asset, folder.parent.name, folder.name)
            if is_partition(partition) and has_head(self.slot(partition)):
                yield partition

    def current(self, partition: Partition) -> Record:
        """The partition's current record.

        Raises:
            NotMaterialized: When the partition has none yet.
            DamagedLake: When the head, the record or its data is missing or altered.
        """
        head = self.head(partition)
        if head is None:
            raise NotMaterialized(*partition.names)
        record = self.record(partition, head.record)
        if not record.data.is_dir():
            raise DamagedLake(self._name(record.data), "the data of the current record is missing")
        return record

    def record(self, partition: Partition, audit_hash: str) -> Record:
        """One record of a partition, checked against its audit hash.

        Raises:
            DamagedLake: When the bytes are missing, are not the ones the audit hash names, or are another partition's.
            ValueError: When the audit hash is not one.
        """
        slot = self.slot(partition)
        path = slot.record(audit_hash)
        result = read(path, RecordDocument, audit_hash)
        if result.shape is None:
            raise DamagedLake(self._name(path), f"it is not the record that its audit hash names ({result.reason})")
        record = Record(audit_hash, result.document, slot.data(digest(result.shape.output)))
        if record.partition != partition:
            # Its name fits wherever it is copied to: a decision on one month says nothing of any other.
            raise DamagedLake(self._name(path), f"the record is of {record.partition}, and was copied here")
        return record

    def upstream(self, record: Record, asset: str) -> Record:
        """The record of an asset that a record was made from, directly or through others; the nearest one.

        Raises:
            DamagedLake: When it was made from no record of this asset, or one on the way cannot be read.
        """
        for other in with_lineage(record, self._made_from):
            if asset in other.upstream:
                return self._made_from(other, asset)
        raise DamagedLake(self._name_of(record), f"it was not made from a record of {asset}")

    def lineage(self, record: Record, *, mission: str | None = None) -> Iterator[Record]:
        """Every record that a record was made from, each once and read when it is asked for.

        The nearest come first; those that one record names come in the order of their assets.

        Args:
            record: The record to start from, which is not among them.
            mission: Follow the records of this mission's assets alone; None for all.

        Raises:
            DamagedLake: When a record on the way cannot be read.
        """
        return islice(with_lineage(record, self._made_from, mission), 1, None)

    def _made_from(self, record: Record, asset: str) -> Record:
        """The record of an asset that a record names as one it was made from."""
        try:
            return self.record(record.partition.of(asset), record.upstream[asset])
        except ValueError as error:
            raise DamagedLake(self._name_of(record), f"what it was made from has no such name ({error})") from None

    def require_sound(self, record: Record) -> None:
        """Refuse data that is not, byte for byte, what a run wrote: nothing is computed from altered evidence.

        Raises:
            DamagedLake: With the first file that is altered, missing or added; or where no run made the record.
        """
        answered = _answered(self.slot(record.partition).request(record.request))
        if answered != record.audit_hash:
            reason = f"no run made it: what it answers is answered by {answered or 'no record'}"
            raise DamagedLake(self._name_of(record), reason)
        stored = self._written(record)
        name = self._name(record.data)
        if not stored:
            raise DamagedLake(name, "no run record says what was written there")
        for path, expected, actual in altered_files(record.data, stored, remembered=True):
            raise DamagedLake(f"{name}/{path}", f"its SHA-256 is {actual} and must be {expected}")

    def require_current_upstream(self, record: Record) -> None:
        """Refuse what rests on a record that another has replaced since: a gate that closed, or other indices.

        Raises:
            StaleUpstream: With the first of them, however far up.
            DamagedLake: When a record on the way cannot be read.
        """
        for made in with_lineage(record, self._made_from):
            for asset, audit_hash in made.upstream.items():
                head = self.head(made.partition.of(asset))
                if head is None or head.record != audit_hash:
                    reason = f"it was made from a record of {asset} that has since been replaced"
                    raise StaleUpstream(*made.partition.names, reason)

    def answer(self, request: Request) -> Record | None:
        """The record that answered this very request before, if its data is still there.

        Raises:
            DamagedLake: When the answer or its record is damaged, or the record answers another request.
        """
        path = self.slot(request.partition).request(request.digest)
        if not path.exists():
            return None
        record = self.record(request.partition, require(self.root, path, RequestDocument).record)
        if record.request != request.digest:
            raise DamagedLake(self._name(path), f"it names record {record.audit_hash}, which answers another request")
        return record if record.data.is_dir() else None

    def answered(self, request: Request) -> str | None:
        """Audit hash of the record that is said to have answered a request; None where nothing that can be read is."""
        return _answered(self.slot(request.partition).request(request.digest))

    def reproductions(self, record: Record) -> int:
        """Number of times that a record's request was computed again, with the same output."""
        computed = [run for run in self.runs(record.partition) if run.record == record.audit_hash and run.computed]
        return max(0, len(computed) - 1)

    def runs(self, partition: Partition) -> list[RunDocument]:
        """The partition's run records, oldest first.

        Raises:
            DamagedLake: With the first run record that is not whole.
        """
        return runs_of(self.slot(partition))

    def commit(self, staged: Path, record: bytes, run: Run) -> Record:
        """Publish data, then its record, then the run and the request, then the head: each whole or not at all.

        A damaged file that blocks a name is moved aside, so that computing again repairs the partition.

        Args:
            staged: The folder of :meth:`staging` that holds the data.
            record: Canonical bytes of the record.
            run: How this came to be.

        Raises:
            LakeMismatch: When another programme has begun this lake in the meantime.
            NotReproducible: When the same request was answered by another record before; both are kept.
            ValueError: When no reader would take the record; nothing is written then.
        """
        document = json.loads(record)
        RecordDocument.model_validate(document)
        if len(record) > RecordDocument.largest:
            raise ValueError(f"a record of {len(record)} bytes is more than any reader takes")
        write_once(self.root / LAKE, canonical({"format": FORMAT, "programme": self.programme}))
        self._check_identity()
        slot = self.slot(Partition.stated(document))
        audit_hash = sha256(record)
        stored = stored_files(staged)
        made = Record(audit_hash, document, slot.data(digest(document["output"])))
        self._publish(staged, made, stored)
        write_exactly(slot.record(audit_hash), record)
        write_run(slot, run_document(self.programme, made, run, head=None, stored=stored))
        request, answer = slot.request(made.request), canonical({"record": audit_hash})
        if not write_once(request, answer):
            first = _answered(request)
            if first is None or not self._answers(slot, first, made.request):
                # The file does not answer the request: it cannot be read, or names a record of another request.
                write_exactly(request, answer)
            elif first != audit_hash:
                raise NotReproducible(*slot.partition.names, first, audit_hash)
        point(slot, audit_hash)
        return self.record(slot.partition, audit_hash)

    def _answers(self, slot: Slot, audit_hash: str, request_digest: str) -> bool:
        """Whether a sound record of the partition answers a request."""
        try:
            return self.record(slot.partition, audit_hash).request == request_digest
        except DamagedLake:
            return False

    def restore(self, record: Record, run: Run) -> bool:
        """Make a known record the current one again; False when it already is. History stays."""
        slot = self.slot(record.partition)
        number = point(slot, record.audit_hash)
        if number is None:
            return False
        # After the head it tells of: a head that is missing later is missed because of it.
        write_run(slot, run_document(self.programme, record, run, head=number, stored={}))
        return True

    def _publish(self, staged: Path, record: Record, stored: Mapping[str, Json]) -> None:
        """Give data its name; data already there stays, unless it is not what the record says."""
        if publish(staged, record.data):
            return
        if stored_files(record.data) == stored:
            return
        # Other bytes may say the same: an older codec wrote them, and its run record says so.
        written = self._written(record)
        if not written or any(True for _ in altered_files(record.data, written)):
            set_aside(record.data)
            publish(staged, record.data)

    def _written(self, record: Record) -> list[dict[str, str]]:
        """SHA-256 of each file by its path in the data, for each run that computed this data."""
        runs = self.runs(record.partition)
        return [run.stored_sha256 for run in runs if run.data == record.data.name and run.computed]

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _name_of(self, record: Record) -> str:
        return self._name(self.slot(record.partition).record(record.audit_hash))

    def open(self, asset: str, tile: str, month: str) -> "xr.Dataset":
        """An asset's partition as the whole view its readers expect, lazy; see :mod:`mrv_assets.lake.view`.

        Raises:
            NotMaterialized: When the partition is not in the lake.
            GateRefused: When the gate rejected what is asked for.
        """
        from mrv_assets.lake.view import open_view

        return open_view(self, asset, tile, month)


def _answered(path: Path) -> str | None:
    """The record that a request's file names; None where it cannot be read."""
    answer = read(path, RequestDocument).shape
    return answer.record if answer else None
