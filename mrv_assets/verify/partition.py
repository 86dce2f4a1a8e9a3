"""Checking one partition of a lake: every object by its own rule, every finding with its cure."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from mrv_assets.audit.canonical import digest
from mrv_assets.audit.record import SCHEMA, Partition, Record
from mrv_assets.errors import DamagedLake
from mrv_assets.lake.documents import Read, RecordDocument, RequestDocument, digest_of, read
from mrv_assets.lake.heads import current_head
from mrv_assets.lake.layout import KINDS, Slot, path_of
from mrv_assets.lake.lineage import with_lineage
from mrv_assets.lake.runs import altered_files
from mrv_assets.verify.data import differences
from mrv_assets.verify.finding import Finding, text_of
from mrv_assets.verify.gates import admitted_findings
from mrv_assets.verify.heads import Heads
from mrv_assets.verify.manual_decisions import Decided
from mrv_assets.verify.runs import Runs, moved

_PRODUCT = "monthly_proxies"
_FROM_SCENES = "raw_tiles"
"""The stage that is made from scenes, where its mission was evaluated; all others are made from records."""


@dataclass(frozen=True, kw_only=True)
class StoredPartition:
    """One asset's tile and month in a lake, and the names of what is there."""

    slot: Slot
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of the objects that are there, sorted, by kind."""
    unsafe: frozenset[str] = frozenset()
    """Names of data in which there is a link or a device: the walk tells of it, and nothing there is opened."""
    files: int = 0
    bytes: int = 0
    """Size of these files together."""

    @property
    def partition(self) -> Partition:
        """Its asset, tile and month."""
        return self.slot.partition

    @property
    def name(self) -> str:
        """Asset, tile and month, as a path in the lake."""
        return path_of(self.partition)

    def _path(self, path: Path) -> str:
        return self.slot.name_of(path)

    @property
    def _again(self) -> str:
        return (
            "Restore it from a backup, or derive it again: "
            f"mrv run --tile {self.partition.tile} --month {self.partition.month} --force"
        )

    @cached_property
    def records(self) -> dict[str, Record]:
        """The partition's sound records, by audit hash."""
        records = {}
        for audit_hash in self.names.get("records", ()):
            record = self._record(audit_hash)
            if record.shape:
                data = self.slot.data(digest(record.shape.output))
                records[audit_hash] = Record(audit_hash, record.document, data)
        return records

    def _record(self, audit_hash: str) -> Read[RecordDocument]:
        return read(self.slot.record(audit_hash), RecordDocument, audit_hash)

    @cached_property
    def runs(self) -> Runs:
        """The partition's run records."""
        return Runs(slot=self.slot, names=self.names.get("runs", ()))

    @cached_property
    def heads(self) -> Heads:
        """The partition's heads."""
        return Heads(slot=self.slot, numbers=sorted(int(name) for name in self.names.get("heads", ())))

    @cached_property
    def decided(self) -> Decided:
        """The partition's manual decisions."""
        return Decided(slot=self.slot, names=self.names.get("decisions", ()), records=self.records)

    @cached_property
    def requests(self) -> dict[str, RequestDocument]:
        """The partition's requests that can be read, by digest."""
        shapes = {name: read(self.slot.request(name), RequestDocument).shape for name in self.names.get("requests", ())}
        return {name: request for name, request in shapes.items() if request}

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
        """All findings on the partition."""
        for kind in KINDS:
            names = set(self.names.get(kind, ()))
            if kind == "data":
                names |= {record.data.name for record in self.records.values()}
            # Heads make sense together only, and one that is missing has no name here.
            for name in sorted(names) if kind != "heads" else [""]:
                yield from self.check(kind, name)

    def check(self, kind: str, name: str) -> Iterator[Finding]:
        """Faults of one object, by its kind and name as in :class:`LakePath`; heads are checked together."""
        match kind:
            case "records":
                yield from self._record_findings(name)
            case "heads":
                yield from self._head_findings()
            case "requests":
                yield from self._request_findings(name)
            case "runs":
                yield from self.runs.findings(name, self.records, self._asked)
            case "decisions":
                yield from self.decided.findings(name)
            case "data":
                yield from self._data_findings(name)

    def _record_findings(self, audit_hash: str) -> Iterator[Finding]:
        """Its name, its place, what it was made from, and that something names it."""
        name = self._path(self.slot.record(audit_hash))
        record = self.records.get(audit_hash)
        if record is None:
            damaged = self._record(audit_hash)
            if damaged.sha256 != audit_hash:
                yield Finding(
                    object=name, check="audit hash", expected=audit_hash, found=damaged.sha256, cure=self._again
                )
            else:
                yield Finding(
                    object=name,
                    check="is a record",
                    expected=f"canonical JSON of {SCHEMA}",
                    found=text_of(damaged.reason),
                    cure="No version writes such a record. Find out who put it there.",
                )
            return
        if record.partition != self.partition:
            yield moved(name, self.slot, asdict(record.partition))
        yield from self._upstream_findings(name, record)
        yield from self._plan_findings(name, record)
        yield from self._currency_findings(name, record)
        yield from self.decided.approval_findings(record)
        if self._is_current(record):
            yield from self.decided.unnamed_findings(record)
        yield from admitted_findings(self.slot, record)
        yield from self._named_by(name, record)

    def _upstream_findings(self, name: str, record: Record) -> Iterator[Finding]:
        # A mission that was not needed has raw tiles made from the decision that says so.
        from_scenes = self.partition.stage == _FROM_SCENES
        if (record.evaluated and bool(record.upstream)) if from_scenes else not record.upstream:
            yield Finding(
                object=name,
                check="was made from",
                expected="scenes" if from_scenes else "records",
                found=text_of(record.inputs),
                cure="No stage writes such a record. Find out who put it there.",
            )
        for asset, upstream in record.upstream.items():
            try:
                path = Slot(self.slot.root, self.partition.of(asset)).record(upstream)
            except ValueError:
                yield Finding(
                    object=name,
                    check="names its upstream",
                    expected="an asset and an audit hash",
                    found=text_of({asset: upstream}),
                    cure="No stage writes such a record. Find out who put it there.",
                )
                continue
            actual = digest_of(path)
            if actual != upstream:
                yield Finding(
                    object=self._path(path),
                    check=f"upstream of {self.name}",
                    expected=upstream,
                    found=actual,
                    cure=self._again,
                )

    def _made_from(self, record: Record) -> Iterator[tuple[str, RecordDocument]]:
        """The sound records that a record was made from, by asset; others have a finding of their own."""
        for asset, upstream in record.upstream.items():
            with suppress(ValueError):
                path = Slot(self.slot.root, self.partition.of(asset)).record(upstream)
                if (shape := read(path, RecordDocument, upstream).shape) is not None:
                    yield asset, shape

    def _plan_findings(self, name: str, record: Record) -> Iterator[Finding]:
        """Parameters that a record states otherwise than one it was made from."""
        plan = record.document["plan"]
        for asset, upstream in self._made_from(record):
            other = sorted(part for part in plan.keys() & upstream.plan.keys() if plan[part] != upstream.plan[part])
            if other:
                yield Finding(
                    object=name,
                    check=f"has the parameters of {asset}, which it was made from",
                    expected=text_of({part: upstream.plan[part] for part in other}),
                    found=text_of({part: plan[part] for part in other}),
                    cure="Materialize the whole month again. If that does not help, no run made this record.",
                )

    def _is_current(self, record: Record) -> bool:
        newest = self.heads.sound.get(max(self.heads.sound, default=0))
        return newest is not None and newest.record == record.audit_hash

    def _currency_findings(self, name: str, record: Record) -> Iterator[Finding]:
        """A current product that rests on a record which has been replaced since, however far up."""
        if self.partition.asset != _PRODUCT or not self._is_current(record):
            return
        # What is damaged on the way is a finding of its own.
        with suppress(ValueError, DamagedLake):
            for made in with_lineage(record, self._upstream_of):
                for asset, upstream in made.upstream.items():
                    head = current_head(Slot(self.slot.root, self.partition.of(asset)))
                    if head is not None and head.record != upstream:
                        yield Finding(
                            object=name,
                            check=f"was made from the current record of {asset}",
                            expected=head.record,
                            found=upstream,
                            cure=f"Run the month: mrv run --tile {self.partition.tile} --month {self.partition.month}",
                        )

    def _upstream_of(self, record: Record, asset: str) -> Record:
        slot = Slot(self.slot.root, record.partition.of(asset))
        audit_hash = record.upstream[asset]
        made = read(slot.record(audit_hash), RecordDocument, audit_hash)
        if made.shape is None:
            raise DamagedLake(slot.name_of(slot.record(audit_hash)), made.reason)
        return Record(audit_hash, made.document, slot.data(digest(made.shape.output)))

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
        if not any(run.record == record.audit_hash for run in self.runs.sound.values()):
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
        yield from self.heads.findings(self.records, self._answers, self.runs.heads())
        yield from self.heads.order_findings(self.runs.first())

    def _request_findings(self, request: str) -> Iterator[Finding]:
        """A request whose name is not the digest of its record without the output."""
        name = self._path(self.slot.request(request))
        answer = self.requests.get(request)
        if answer is None:
            reason = read(self.slot.request(request), RequestDocument).reason
            yield Finding(
                object=name,
                check="is a request",
                expected="canonical JSON of one",
                found=text_of(reason),
                cure=self._again,
            )
            return
        record = self.records.get(answer.record)
        if record is None:
            yield Finding(
                object=name, check="names a record", expected="a sound record", found=answer.record, cure=self._again
            )
        elif self._asked[answer.record] != request:
            asked = self._asked[answer.record]
            yield Finding(object=name, check="is of this request", expected=request, found=asked, cure=self._again)

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
                object=f"{name}{other.path}",
                check=other.what,
                expected=other.expected,
                found=other.found,
                cure=self._again,
            )

    def _stored_findings(self, name: str, data: Path, records: set[str]) -> Iterator[Finding]:
        """Compare files with what runs wrote."""
        stored = self.runs.stored(records)
        if not stored:
            # Its record has a finding for that.
            return
        try:
            for path, expected, actual in altered_files(data, stored):
                yield Finding(
                    object=f"{name}/{path}",
                    check="stored bytes",
                    expected=expected,
                    found=actual,
                    cure="No run wrote it: remove it." if expected == "no file" else self._again,
                )
        except OSError as error:
            reason = error.strerror or str(error)
            broken = self._path(Path(error.filename)) if error.filename else name
            yield Finding(object=broken, check="can be read", expected="a file", found=reason, cure=self._again)
