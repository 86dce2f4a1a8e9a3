"""The lake: records, requests, runs and heads of every asset's partition, and the data they speak of."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mrv_assets.audit.canonical import Json, canonical, digest, sha256
from mrv_assets.errors import DamagedLake, LakeMismatch, NotMaterialized, NotReproducible
from mrv_assets.lake.files import publish, staging, write_once
from mrv_assets.lake.layout import FORMAT, Slot

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Head:
    """Which record of a partition is current."""

    number: int
    record: str
    previous: str | None
    """Audit hash of the record that was current before; None for the first."""


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
        found = _read_json(path, self.root)
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

    def head(self, asset: str, tile: str, month: str) -> Head | None:
        """The partition's current record, or None before the first materialization."""
        numbers = _numbers(self.slot(asset, tile, month).folder / "heads")
        if not numbers:
            return None
        document = _read_json(self.slot(asset, tile, month).head(numbers[-1]), self.root)
        return Head(numbers[-1], document["record"], document["previous"])

    def current(self, asset: str, tile: str, month: str) -> "Record":
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

    def record(self, asset: str, tile: str, month: str, audit_hash: str) -> "Record":
        """One record of a partition, checked against its audit hash.

        Raises:
            DamagedLake: When the bytes are missing or are not the ones the audit hash names.
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
        return Record(audit_hash, document, slot.data(digest(document["output"])))

    def answer(self, asset: str, tile: str, month: str, request_digest: str) -> "Record | None":
        """The record that answered this very request before, if its data is still there."""
        path = self.slot(asset, tile, month).request(request_digest)
        if not path.exists():
            return None
        record = self.record(asset, tile, month, _read_json(path, self.root)["record"])
        return record if record.data.is_dir() else None

    def runs(self, asset: str, tile: str, month: str) -> list[Json]:
        """How the partition's records came to be, oldest first."""
        folder = self.slot(asset, tile, month).folder / "runs"
        return [_read_json(path, self.root) for path in _documents(folder)]

    def commit(self, staged: Path, request_digest: str, record: bytes, run_id: str, run: Json) -> "Record":
        """Publish data, then its record, then the run and the request, then the head: each whole or not at all.

        Args:
            staged: The folder of :meth:`staging` that holds the data.
            request_digest: Digest of the request that was answered.
            record: Canonical bytes of the record.
            run_id: Name of the run record, unique.
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
        publish(staged, slot.data(digest(document["output"])))
        write_once(slot.record(audit_hash), record)
        write_once(slot.run(run_id), canonical({**run, "record": audit_hash}))
        write_once(slot.request(request_digest), canonical({"record": audit_hash}))
        first = _read_json(slot.request(request_digest), self.root)["record"]
        if first != audit_hash:
            raise NotReproducible(slot.asset, slot.tile, slot.month, first, audit_hash)
        self.point(slot, audit_hash)
        return self.record(slot.asset, slot.tile, slot.month, audit_hash)

    def point(self, slot: Slot, audit_hash: str) -> bool:
        """Make a record the current one; False when it already is. History stays."""
        while True:
            head = self.head(slot.asset, slot.tile, slot.month)
            if head is not None and head.record == audit_hash:
                return False
            number, previous = (head.number + 1, head.record) if head else (1, None)
            if write_once(slot.head(number), canonical({"record": audit_hash, "previous": previous})):
                return True
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


@dataclass(frozen=True)
class Record:
    """A record read back, with the place of its data."""

    audit_hash: str
    document: Json
    data: Path

    @property
    def output(self) -> Json:
        """What the data says: digests, written blocks, measured numbers."""
        output: Json = self.document["output"]
        return output

    @property
    def inputs(self) -> Json:
        """What it was made from: upstream audit hashes, or scenes."""
        inputs: Json = self.document["inputs"]
        return inputs


def _documents(folder: Path) -> list[Path]:
    """A folder's JSON documents by name; a leading dot marks a file that has no name yet."""
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def _numbers(heads: Path) -> list[int]:
    return [int(path.stem) for path in _documents(heads)]


def _read_json(path: Path, root: Path) -> Json:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DamagedLake(str(path.relative_to(root)), f"cannot be read ({error})") from None
    if not isinstance(document, dict):
        raise DamagedLake(str(path.relative_to(root)), "is not a JSON object")
    return document
