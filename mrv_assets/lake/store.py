"""The lake: records, requests, runs and heads of every asset's partition, and the data they speak of."""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mrv_assets.audit.canonical import Json, canonical, digest, sha256
from mrv_assets.audit.record import Record
from mrv_assets.errors import DamagedLake, LakeMismatch, NotMaterialized, NotReproducible, StaleUpstream
from mrv_assets.lake.files import publish, set_aside, staging, write_once
from mrv_assets.lake.layout import FORMAT, Slot
from mrv_assets.lake.records import Head, documents, read_document
from mrv_assets.lake.runs import Run, RunOf, altered_files, run_document, run_id, stored_files

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
        """
        lake = cls(root, programme)
        lake._check_identity()
        return lake

    @property
    def _identity(self) -> Json:
        return {"format": FORMAT, "programme": self.programme}

    def _check_identity(self) -> None:
        path = self.root / "lake.json"
        if not path.exists():
            return
        found = read_document(path, self.root)
        if found != self._identity:
            raise LakeMismatch(
                str(self.root),
                f"programme {found.get('programme')!r}, format {found.get('format')!r}",
                f"programme {self.programme!r}, format {FORMAT!r}",
            )

    def slot(self, asset: str, tile: str, month: str) -> Slot:
        """The place of one asset's partition."""
        return Slot(self.root, asset, tile, month)

    def staging(self) -> AbstractContextManager[Path]:
        """A folder to build data in; it vanishes unless published."""
        return staging(self.root / ".staging")

    def unfinished(self, asset: str, tile: str, month: str) -> Path:
        """A folder for what a partition's run has read so far, and would read again if it were killed."""
        return self.root / ".unfinished" / self.slot(asset, tile, month).folder.relative_to(self.root)

    def head(self, asset: str, tile: str, month: str) -> Head | None:
        """The partition's current record, or None before the first materialization."""
        numbers = _numbers(self.slot(asset, tile, month).folder / "heads")
        if not numbers:
            return None
        document = read_document(self.slot(asset, tile, month).head(numbers[-1]), self.root)
        return Head(numbers[-1], document["record"], document["previous"])

    def current(self, asset: str, tile: str, month: str) -> Record:
        """The partition's current record.

        Raises:
            NotMaterialized: When the partition has none yet.
            DamagedLake: When the record or its data is missing or altered.
        """
        head = self.head(asset, tile, month)
        if head is None:
            raise NotMaterialized(asset, tile, month)
        record = self.record(asset, tile, month, head.record)
        if not record.data.is_dir():
            raise DamagedLake(str(record.data.relative_to(self.root)), "the data of the current record is missing")
        return record

    def record(self, asset: str, tile: str, month: str, audit_hash: str) -> Record:
        """One record of a partition, checked against its audit hash.

        Raises:
            DamagedLake: When the bytes are missing, are not the ones the audit hash names, or are another partition's.
        """
        slot = self.slot(asset, tile, month)
        path = slot.record(audit_hash)
        name = str(path.relative_to(self.root))
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise DamagedLake(name, "the record is missing") from None
        if sha256(data) != audit_hash:
            raise DamagedLake(name, "the record's bytes are not the ones its audit hash names")
        document = json.loads(data)
        stated = tuple(str(document[part]) for part in ("asset", "tile", "month"))
        if stated != (asset, tile, month):
            # Its name fits wherever it is copied to: a decision on one month says nothing of any other.
            raise DamagedLake(name, f"the record is of {' '.join(stated)}, and was copied here")
        return Record(audit_hash, document, slot.data(digest(document["output"])))

    def require_sound(self, record: Record) -> None:
        """Refuse data that is not, byte for byte, what a run wrote: nothing is computed from altered evidence.

        Raises:
            DamagedLake: With the first file that is altered, missing or added; or where no run made the record.
        """
        document = record.document
        slot = self.slot(document["asset"], document["tile"], document["month"])
        answered = _answered(slot.request(record.request))
        if answered != record.audit_hash:
            raise DamagedLake(
                str(slot.record(record.audit_hash).relative_to(self.root)),
                f"no run made it: what it answers is answered by {answered or 'no record'}",
            )
        stored = self._written(record)
        name = str(record.data.relative_to(self.root))
        if not stored:
            raise DamagedLake(name, "no run record says what was written there")
        for path, expected, found in altered_files(record.data, stored, remembered=True):
            raise DamagedLake(f"{name}/{path}", f"its SHA-256 is {found} and must be {expected}")

    def require_current_upstream(self, record: Record) -> None:
        """Refuse what was made from records of which another has become current since: a gate that closed, say.

        Raises:
            StaleUpstream: With the first of them.
        """
        document = record.document
        tile, month = document["tile"], document["month"]
        for asset, audit_hash in record.upstream.items():
            head = self.head(asset, tile, month)
            if head is None or head.record != audit_hash:
                reason = f"it was made from a record of {asset} that has since been replaced"
                raise StaleUpstream(document["asset"], tile, month, reason)

    def answer(self, asset: str, tile: str, month: str, request_digest: str) -> Record | None:
        """The record that answered this very request before, if its data is still there.

        Raises:
            DamagedLake: When the answer or its record is damaged, or the record answers another request.
        """
        path = self.slot(asset, tile, month).request(request_digest)
        if not path.exists():
            return None
        record = self.record(asset, tile, month, read_document(path, self.root)["record"])
        if record.request != request_digest:
            name = str(path.relative_to(self.root))
            raise DamagedLake(name, f"it names record {record.audit_hash}, which answers another request")
        return record if record.data.is_dir() else None

    def answered(self, asset: str, tile: str, month: str, request_digest: str) -> str | None:
        """Audit hash of the record that is said to have answered a request; None where nothing that can be read is."""
        return _answered(self.slot(asset, tile, month).request(request_digest))

    def reproductions(self, record: Record) -> int:
        """How often a record's request was computed again, with the same output."""
        document = record.document
        runs = self.runs(document["asset"], document["tile"], document["month"])
        computed = [run for run in runs if run["record"] == record.audit_hash and run["head"] is None]
        return max(0, len(computed) - 1)

    def runs(self, asset: str, tile: str, month: str) -> list[Json]:
        """How the partition's records came to be, oldest first."""
        folder = self.slot(asset, tile, month).folder / "runs"
        return [read_document(path, self.root) for path in documents(folder)]

    def commit(self, staged: Path, request_digest: str, record: bytes, run: Run) -> Record:
        """Publish data, then its record, then the run and the request, then the head: each whole or not at all.

        What is found damaged under a name that it must have is set aside, so that deriving again heals it.

        Args:
            staged: The folder of :meth:`staging` that holds the data.
            request_digest: Digest of the request that was answered.
            record: Canonical bytes of the record.
            run: How this came to be.

        Raises:
            LakeMismatch: When another programme has begun this lake in the meantime.
            NotReproducible: When the same request was answered by another record before; both are kept.
        """
        write_once(self.root / "lake.json", canonical(self._identity))
        self._check_identity()
        document = json.loads(record)
        slot = self.slot(document["asset"], document["tile"], document["month"])
        audit_hash = sha256(record)
        stored = stored_files(staged)
        made = Record(audit_hash, document, slot.data(digest(document["output"])))
        self._publish(staged, made, stored)
        _write_exactly(slot.record(audit_hash), record)
        self._write_run(slot, request_digest, made, None, run, stored)
        answered = canonical({"record": audit_hash})
        if not write_once(slot.request(request_digest), answered):
            first = _answered(slot.request(request_digest))
            if first is None or not self._answers(slot, first, request_digest):
                # What it says is no answer: an unreadable one is none, nor is a record of another request.
                _write_exactly(slot.request(request_digest), answered)
            elif first != audit_hash:
                raise NotReproducible(slot.asset, slot.tile, slot.month, first, audit_hash)
        self._point(slot, audit_hash)
        return self.record(slot.asset, slot.tile, slot.month, audit_hash)

    def _answers(self, slot: Slot, audit_hash: str, request_digest: str) -> bool:
        """Whether a sound record of the partition answers a request."""
        try:
            return self.record(slot.asset, slot.tile, slot.month, audit_hash).request == request_digest
        except (DamagedLake, ValueError):
            return False

    def restore(self, record: Record, run: Run) -> bool:
        """Make a known record the current one again; False when it already is. History stays."""
        document = record.document
        slot = self.slot(document["asset"], document["tile"], document["month"])
        number = self._point(slot, record.audit_hash)
        if number is None:
            return False
        # After the head it tells of: a head that is missing later is missed because of it.
        self._write_run(slot, record.request, record, number, run, {})
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

    def _written(self, record: Record) -> list[Json]:
        """What each run that computed this data stored."""
        document = record.document
        runs = self.runs(document["asset"], document["tile"], document["month"])
        return [run["stored"] for run in runs if run["data"] == record.data.name and run["head"] is None]

    def _write_run(
        self,
        slot: Slot,
        request: str,
        record: Record,
        head: int | None,
        run: Run,
        stored: Mapping[str, Json],
    ) -> None:
        of = RunOf(
            programme=self.programme,
            asset=slot.asset,
            tile=slot.tile,
            month=slot.month,
            request=request,
            record=record.audit_hash,
            data=record.data.name,
            head=head,
        )
        document = run_document(of, run, stored)
        write_once(slot.run(run_id(document)), canonical(document))

    def _point(self, slot: Slot, audit_hash: str) -> int | None:
        """Make a record the current one; gives the number of the new head, None when it already is."""
        while True:
            head = self.head(slot.asset, slot.tile, slot.month)
            if head is not None and head.record == audit_hash:
                return None
            number, previous = (head.number + 1, head.record) if head else (1, None)
            if write_once(slot.head(number), canonical({"record": audit_hash, "previous": previous})):
                return number
            # Another process was first with this number: look again at what it points to.

    def partitions(self, asset: str) -> Iterator[tuple[str, str]]:
        """Tile and month of every partition of an asset that has a head."""
        for heads in sorted((self.root / asset).glob("*/*/heads")):
            if _numbers(heads):
                yield heads.parent.parent.name, heads.parent.name

    def open(self, asset: str, tile: str, month: str) -> "xr.Dataset":
        """An asset's partition as the whole view its readers expect, lazy; see :mod:`mrv_assets.lake.view`.

        Raises:
            NotMaterialized: When the partition is not in the lake.
            GateRefused: When the gate rejected what is asked for.
        """
        from mrv_assets.lake.view import open_view

        return open_view(self, asset, tile, month)


def _numbers(heads: Path) -> list[int]:
    return [int(path.stem) for path in documents(heads)]


def _answered(path: Path) -> str | None:
    """The record that a request's file names; None where it cannot be read."""
    try:
        return str(json.loads(path.read_bytes())["record"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_exactly(path: Path, data: bytes) -> None:
    """Write a file whose name says what it holds; anything else found there is damage, and is set aside."""
    if not write_once(path, data) and path.read_bytes() != data:
        set_aside(path)
        write_once(path, data)
