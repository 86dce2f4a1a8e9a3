"""Checking one partition of a lake: every object by its own rule, every finding with its cure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mrv_assets.audit.canonical import Json, digest
from mrv_assets.audit.record import SCHEMA, Record
from mrv_assets.lake.documents import Read, RecordDocument, RequestDocument, RunDocument, digest_of, read
from mrv_assets.lake.layout import Slot
from mrv_assets.lake.runs import RUN_SCHEMA, altered_files, run_id
from mrv_assets.verify.data import differences
from mrv_assets.verify.finding import Finding, shown
from mrv_assets.verify.gates import admitted_findings
from mrv_assets.verify.heads import Heads
from mrv_assets.verify.manual_decisions import Decided

_DIGEST = "[0-9a-f]{64}"
_PLACES = {
    "records": re.compile(f"records/(?P<name>{_DIGEST})\\.json"),
    "heads": re.compile(r"heads/(?P<name>[0-9]{6})\.json"),
    "requests": re.compile(f"requests/(?P<name>{_DIGEST})\\.json"),
    "runs": re.compile(f"runs/(?P<name>[0-9]{{8}}T[0-9]{{6}}\\.[0-9]{{6}}Z-{_DIGEST})\\.json"),
    "decisions": re.compile(f"decisions/(?P<name>{_DIGEST})\\.json"),
    "data": re.compile(f"data/(?P<name>{_DIGEST})/.+"),
}
_UPSTREAM = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*")
_FROM_SCENES = "/raw_tiles"
"""End of the assets that are made from scenes, where their mission was evaluated; all others are made from records."""


def place(path: str) -> tuple[str, str] | None:
    """Kind and name of the object that a file belongs to, by its path in a partition; None where it has no place."""
    for kind, pattern in _PLACES.items():
        if match := pattern.fullmatch(path):
            return kind, match["name"]
    return None


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One asset's tile and month in a lake, and the names of what is there."""

    slot: Slot
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Records, heads, requests, runs, decisions and data, sorted."""
    unsafe: frozenset[str] = frozenset()
    """Data in which there is a link or a device: the walk tells of it, and nothing there is opened."""
    files: int = 0
    bytes: int = 0

    @property
    def name(self) -> str:
        """Asset, tile and month, as a path in the lake."""
        return self._path(self.slot.folder)

    def _path(self, path: Path) -> str:
        return path.relative_to(self.slot.root).as_posix()

    @property
    def _again(self) -> str:
        return (
            "Restore it from a backup, or derive it again: "
            f"mrv run --tile {self.slot.tile} --month {self.slot.month} --force"
        )

    @cached_property
    def records(self) -> dict[str, Record]:
        """The partition's sound records, by audit hash."""
        found = {}
        for audit_hash in self.names.get("records", ()):
            one = self._record(audit_hash)
            if one.shape:
                found[audit_hash] = Record(audit_hash, one.document, self.slot.data(digest(one.shape.output)))
        return found

    def _record(self, audit_hash: str) -> Read[RecordDocument]:
        return read(self.slot.record(audit_hash), RecordDocument, audit_hash)

    @cached_property
    def runs(self) -> dict[str, RunDocument]:
        """The partition's sound run records, by name."""
        found = {}
        for name in self.names.get("runs", ()):
            one = self._run(name)
            if one.shape and _run_name(one.document) == name:
                found[name] = one.shape
        return found

    def _run(self, name: str) -> Read[RunDocument]:
        return read(self.slot.run(name), RunDocument, name.rpartition("-")[2])

    @cached_property
    def heads(self) -> Heads:
        """The partition's heads."""
        return Heads(slot=self.slot, numbers=[int(name) for name in self.names.get("heads", ())])

    @cached_property
    def decided(self) -> Decided:
        """The partition's manual decisions."""
        return Decided(slot=self.slot, names=self.names.get("decisions", ()), records=self.records)

    @cached_property
    def requests(self) -> dict[str, RequestDocument]:
        """The partition's requests that can be read, by digest."""
        found = {name: read(self.slot.request(name), RequestDocument).shape for name in self.names.get("requests", ())}
        return {name: request for name, request in found.items() if request}

    @cached_property
    def _asked(self) -> dict[str, str]:
        """Digest of the request that each sound record answers."""
        return {audit_hash: record.request for audit_hash, record in self.records.items()}

    @cached_property
    def _answers(self) -> set[str]:
        """Sound records that the request they answer names."""
        named = {audit_hash: self.requests.get(request) for audit_hash, request in self._asked.items()}
        return {audit_hash for audit_hash, answer in named.items() if answer and answer.record == audit_hash}

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong with the partition."""
        for kind in _PLACES:
            names = set(self.names.get(kind, ()))
            if kind == "data":
                names |= {record.data.name for record in self.records.values()}
            # Heads make sense together only, and one that is missing has no name here.
            for name in sorted(names) if kind != "heads" else [""]:
                yield from self.check(kind, name)

    def check(self, kind: str, name: str) -> Iterator[Finding]:
        """What is wrong with one object, as :func:`place` names it; heads are checked together."""
        match kind:
            case "records":
                yield from self._record_findings(name)
            case "heads":
                yield from self._head_findings()
            case "requests":
                yield from self._request_findings(name)
            case "runs":
                yield from self._run_findings(name)
            case "decisions":
                yield from self.decided.findings(name)
            case "data":
                yield from self._data_findings(name)

    def _record_findings(self, audit_hash: str) -> Iterator[Finding]:
        """Its name, its place, what it was made from, and that something names it."""
        name = self._path(self.slot.record(audit_hash))
        record = self.records.get(audit_hash)
        if record is None:
            one = self._record(audit_hash)
            if one.sha256 != audit_hash:
                yield Finding(object=name, check="audit hash", expected=audit_hash, found=one.sha256, cure=self._again)
            else:
                yield Finding(
                    object=name,
                    check="is a record",
                    expected=f"canonical JSON of {SCHEMA}",
                    found=shown(one.reason),
                    cure="No version writes such a record. Find out who put it there.",
                )
            return
        yield from self._belongs(name, SCHEMA, record.document)
        yield from self._upstream_findings(name, record)
        yield from self.decided.approval_findings(record)
        yield from admitted_findings(self.slot, record)
        yield from self._named_by(name, record)

    def _belongs(self, name: str, schema: str, document: Json) -> Iterator[Finding]:
        stated = {part: document[part] for part in ("schema", "asset", "tile", "month")}
        meant = {"schema": schema, "asset": self.slot.asset, "tile": self.slot.tile, "month": self.slot.month}
        if stated != meant:
            yield Finding(
                object=name,
                check="is of this partition",
                expected=shown(meant),
                found=shown(stated),
                cure="It was moved here. Put it back where it says it belongs.",
            )

    def _upstream_findings(self, name: str, record: Record) -> Iterator[Finding]:
        # A mission that was not needed has raw tiles made from the decision that says so.
        from_scenes = self.slot.asset.endswith(_FROM_SCENES)
        if (record.evaluated and bool(record.upstream)) if from_scenes else not record.upstream:
            yield Finding(
                object=name,
                check="was made from",
                expected="scenes" if from_scenes else "records",
                found=shown(record.inputs),
                cure="No stage writes such a record. Find out who put it there.",
            )
        for asset, upstream in record.upstream.items():
            if not (isinstance(upstream, str) and re.fullmatch(_DIGEST, upstream) and _UPSTREAM.fullmatch(asset)):
                yield Finding(
                    object=name,
                    check="names its upstream",
                    expected="an asset and an audit hash",
                    found=shown({asset: upstream}),
                    cure="No stage writes such a record. Find out who put it there.",
                )
                continue
            path = Slot(self.slot.root, asset, self.slot.tile, self.slot.month).record(upstream)
            found = digest_of(path)
            if found != upstream:
                yield Finding(
                    object=self._path(path),
                    check=f"upstream of {self.name}",
                    expected=upstream,
                    found=found,
                    cure=self._again,
                )

    def _named_by(self, name: str, record: Record) -> Iterator[Finding]:
        request = self._asked[record.audit_hash]
        # One that answers its request lacks nothing but a head, which is missed among the heads.
        if record.audit_hash not in self.heads.once_current | self._answers:
            yield Finding(
                object=name,
                check="was once current",
                expected="a head that names it",
                found="none",
                cure="An interrupted run leaves such a record, and one that was not reproducible: run the partition "
                "again. Otherwise somebody put it here.",
            )
        if not any(run.record == record.audit_hash for run in self.runs.values()):
            yield Finding(
                object=name, check="has a run record", expected="at least one", found="none", cure=self._again
            )
        if request not in self.requests:
            yield Finding(
                object=self._path(self.slot.request(request)),
                check="answers a request",
                expected=f"the request of record {record.audit_hash}",
                found="no file that can be read",
                cure=self._again,
            )
        elif record.audit_hash in self.heads.once_current - self._answers:
            # One that was not reproducible answers nothing either, and was never current.
            yield Finding(
                object=name,
                check="answers its request",
                expected=f"a request that names record {record.audit_hash}",
                found=self.requests[request].record,
                cure="No run makes such a record current. Find out who did, and materialize the month again.",
            )

    def _head_findings(self) -> Iterator[Finding]:
        """All heads: each one, and that none is missing."""
        told = {run.head: run.record for run in self.runs.values() if run.head is not None}
        yield from self.heads.findings(self.records, self._answers, told)

    def _request_findings(self, request: str) -> Iterator[Finding]:
        """That its name is the digest of its record without the output."""
        name = self._path(self.slot.request(request))
        answer = self.requests.get(request)
        if answer is None:
            found = read(self.slot.request(request), RequestDocument).reason
            yield Finding(
                object=name,
                check="is a request",
                expected="canonical JSON of one",
                found=shown(found),
                cure=self._again,
            )
            return
        record = self.records.get(answer.record)
        if record is None:
            found = answer.record
            yield Finding(object=name, check="names a record", expected="a sound record", found=found, cure=self._again)
        elif self._asked[answer.record] != request:
            found = self._asked[answer.record]
            yield Finding(object=name, check="is of this request", expected=request, found=found, cure=self._again)

    def _run_findings(self, run: str) -> Iterator[Finding]:
        """That its name is its time and digest, and that it is of this partition and of one of its records."""
        name = self._path(self.slot.run(run))
        cure = "Restore it from a backup: when and where something ran cannot be derived again."
        known = self.runs.get(run)
        if known is None:
            one = self._run(run)
            expected, found = (run, _run_name(one.document)) if one.shape else (RUN_SCHEMA, one.reason)
            check = "its time and digest" if one.shape else "is a run record"
            yield Finding(object=name, check=check, expected=expected, found=shown(found), cure=cure)
            return
        yield from self._belongs(name, RUN_SCHEMA, known.model_dump(by_alias=True, exclude={"stored"}))
        record = self.records.get(known.record)
        if record is None:
            found = known.record
            yield Finding(object=name, check="names a record", expected="a sound record", found=found, cure=cure)
        elif (self._asked[known.record], record.data.name) != (known.request, known.data):
            expected = shown({"request": self._asked[known.record], "data": record.data.name})
            found = shown({"request": known.request, "data": known.data})
            yield Finding(object=name, check="is of its record", expected=expected, found=found, cure=cure)

    def _data_findings(self, output: str) -> Iterator[Finding]:
        """The data keyed by an output's digest: its stored bytes, and what they say."""
        data = self.slot.data(output)
        name = self._path(data)
        sharing = [record for record in self.records.values() if record.data == data]
        if not sharing:
            yield Finding(
                object=name,
                check="a record speaks of it",
                expected="at least one record",
                found="none",
                cure="A run that was interrupted leaves such data: run the partition again. Otherwise its record was "
                "removed, or somebody put it here.",
            )
            return
        if not data.is_dir():
            yield Finding(object=name, check="is there", expected="data", found="no folder", cure=self._again)
            return
        if output in self.unsafe or data.is_symlink():
            return
        altered = False
        for finding in self._stored_findings(name, data, {record.audit_hash for record in sharing}):
            altered = True
            yield finding
        # Bytes known to be altered are kept away from decoders.
        for other in () if altered else differences(sharing[0]):
            yield Finding(
                object=f"{name}{other.place}",
                check=other.what,
                expected=other.expected,
                found=other.found,
                cure=self._again,
            )

    def _stored_findings(self, name: str, data: Path, records: set[str]) -> Iterator[Finding]:
        """Compare files with what runs wrote."""
        runs = [run for run in self.runs.values() if run.record in records and run.head is None]
        stored = [{path: {"sha256": file.sha256} for path, file in run.stored.items()} for run in runs]
        if not stored:
            # Its record has a finding for that.
            return
        try:
            for path, expected, found in altered_files(data, stored):
                yield Finding(
                    object=f"{name}/{path}", check="stored bytes", expected=expected, found=found, cure=self._again
                )
        except OSError as error:
            reason = error.strerror or str(error)
            broken = self._path(Path(error.filename)) if error.filename else name
            yield Finding(object=broken, check="can be read", expected="a file", found=reason, cure=self._again)


def _run_name(document: Json) -> str:
    """The name that a run record must have, or why it can have none."""
    try:
        return run_id(document)
    except (KeyError, TypeError, ValueError) as error:
        return f"no time it started ({error})"
