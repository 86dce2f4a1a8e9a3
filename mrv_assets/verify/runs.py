"""Run records of a partition, checked: each whole, of this partition, and of one of its records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Record
from mrv_assets.lake.documents import RUN_SCHEMA, Read, RunDocument, read
from mrv_assets.lake.layout import Slot
from mrv_assets.lake.runs import run_id
from mrv_assets.verify.finding import Finding, text_of

_CURE = "Restore it from a backup: when and where something ran cannot be derived again."


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The run records of one partition."""

    slot: Slot
    names: Sequence[str]
    """Names of the run records: the start of each run, and the SHA-256 of its record."""

    @cached_property
    def sound(self) -> dict[str, RunDocument]:
        """The run records that are whole, by name."""
        runs = {name: self._read(name) for name in self.names}
        return {name: run.shape for name, run in runs.items() if run.shape and run_id(run.document) == name}

    def _read(self, name: str) -> Read[RunDocument]:
        return read(self.slot.run(name), RunDocument, name.rpartition("-")[2])

    def heads(self) -> dict[int, str]:
        """The record that each head names of which a run record tells, by the head's number."""
        return {run.head: run.record for run in self.sound.values() if run.head is not None}

    def first(self) -> dict[str, datetime]:
        """Start of the first run of each record, UTC."""
        first: dict[str, datetime] = {}
        for run in self.sound.values():
            started = datetime.fromisoformat(run.started)
            if run.computed and (run.record not in first or started < first[run.record]):
                first[run.record] = started
        return first

    def stored(self, records: set[str]) -> list[dict[str, str]]:
        """SHA-256 of each file by its path in the data, for each run that computed one of some records."""
        return [run.stored_sha256 for run in self.sound.values() if run.record in records and run.computed]

    def findings(self, name: str, records: Mapping[str, Record], requests: Mapping[str, str]) -> Iterator[Finding]:
        """Faults of one run record: of its name, its partition, and the record that it names.

        Args:
            name: Which run record.
            records: The partition's sound records, by audit hash.
            requests: Digest of the request that each of them answers.
        """
        path = self.slot.name_of(self.slot.run(name))
        run = self.sound.get(name)
        if run is None:
            yield self._broken(path, name)
            return
        if run.partition != self.slot.partition:
            yield moved(path, self.slot, asdict(run.partition))
        record = records.get(run.record)
        if record is None:
            yield Finding(object=path, check="names a record", expected="a sound record", found=run.record, cure=_CURE)
        elif (requests[run.record], record.data.name) != (run.request, run.data):
            yield Finding(
                object=path,
                check="is of its record",
                expected=text_of({"request": requests[run.record], "data": record.data.name}),
                found=text_of({"request": run.request, "data": run.data}),
                cure=_CURE,
            )

    def _broken(self, path: str, name: str) -> Finding:
        run = self._read(name)
        if run.shape is None:
            return Finding(
                object=path, check="is a run record", expected=RUN_SCHEMA, found=text_of(run.reason), cure=_CURE
            )
        named = text_of(run_id(run.document))
        return Finding(object=path, check="its time and digest", expected=name, found=named, cure=_CURE)


def moved(path: str, slot: Slot, stated: Json) -> Finding:
    """The finding for a document that says it is of another partition than the one it lies in."""
    return Finding(
        object=path,
        check="is of this partition",
        expected=text_of(asdict(slot.partition)),
        found=text_of(stated),
        cure="It was moved here. Put it back where it says it belongs.",
    )
