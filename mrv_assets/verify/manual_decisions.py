"""Manual decisions of a partition: each whole, on a record that is there, and enough of them where one is approved."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.manual_decisions import SCHEMA, Reviewer, approvals, is_signed
from mrv_assets.audit.record import Partition, Record
from mrv_assets.lake.documents import DecisionDocument, Read, read
from mrv_assets.lake.layout import Slot
from mrv_assets.lake.manual_decisions import decision_id
from mrv_assets.verify.finding import Finding, text_of

_UNFOUNDED = "No version makes such a record. Find out who put it there, and materialize the month again."


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The manual decisions of one partition."""

    slot: Slot
    names: Sequence[str]
    """SHA-256 of each."""
    records: Mapping[str, Record]
    """The partition's sound records, by audit hash."""

    def _read(self, name: str) -> Read[DecisionDocument]:
        return read(self.slot.decision(name), DecisionDocument, name)

    @cached_property
    def _sound(self) -> dict[str, Json]:
        decisions = {name: self._read(name) for name in self.names}
        return {name: decision.document for name, decision in decisions.items() if decision.shape is not None}

    def findings(self, name: str) -> Iterator[Finding]:
        """Findings on one decision."""
        path = self.slot.name_of(self.slot.decision(name))
        decision = self._read(name)
        if decision.shape is None:
            digest = decision.sha256 != name
            yield Finding(
                object=path,
                check="its name is its SHA-256" if digest else "is a decision",
                expected=name if digest else f"canonical JSON of {SCHEMA}",
                found=text_of(decision.sha256 if digest else decision.reason),
                cure="Restore it from a backup: what a reviewer signed cannot be made again.",
            )
            return
        statement = decision.shape.statement
        if statement.partition != self.slot.partition:
            yield Finding(
                object=path,
                check="is of this partition",
                expected=text_of(asdict(self.slot.partition)),
                found=text_of(asdict(statement.partition)),
                cure="It was moved here, and counts for nothing here. Put it back where it says it belongs.",
            )
        decided_on = self.records.get(statement.record)
        if decided_on is None or decided_on.output.get("status") != "REJECTED":
            yield Finding(
                object=path,
                check="is on a rejected record",
                expected="a sound record of this partition that the gate rejected",
                found=text_of(statement.record),
                cure="It counts for nothing. Restore the record that it is on, or take the decision away.",
            )
        if decision.shape.signature is not None and not is_signed(decision.document):
            yield Finding(
                object=path,
                check="is signed by a reviewer",
                expected="a signature of the key that it states, by one of the reviewers that it names",
                found=f"one of the key {decision.shape.signature.key_id[:12]}, which does not verify or is not named",
                cure="It counts for nothing. Restore it from a backup: what a reviewer signed cannot be made again.",
            )
        for before in statement.before:
            if before not in self._sound:
                yield Finding(
                    object=path,
                    check="follows decisions that are there",
                    expected=before,
                    found="no sound decision of this name",
                    cure="It was taken away. Restore it from a backup; until then no approval counts.",
                )

    def approval_findings(self, record: Record) -> Iterator[Finding]:
        """Findings on a record that approves a rejected one without enough decisions that are there and signed."""
        if record.decided_on is None:
            if record.output.get("status") == "APPROVED_MANUAL":
                yield self._unfounded(record, "manual decisions", "none")
            return
        rejected = self.records.get(record.decided_on)
        if rejected is None or rejected.output.get("status") != "REJECTED":
            yield self._unfounded(record, "a sound record that the gate rejected", record.decided_on)
            return
        names, others = (self._named(record, part) for part in ("decisions", "others"))
        missing = [name for name in (*names, *others) if name not in self._sound]
        if missing:
            yield self._unfounded(record, "each decision that it names", f"no sound decision {', '.join(missing)}")
            return
        on_it = [
            decision
            for name in (*names, *others)
            if (decision := self._sound[name])["statement"]["record"] == record.decided_on
        ]
        counted = approvals(on_it, list(_stated(record).values()))
        if not counted or sorted(decision_id(decision) for decision, _ in counted) != sorted(names):
            count = f"{len(counted)} of {len(names)} that it names"
            yield self._unfounded(record, "approvals of two reviewers, signed with the keys that it states", count)

    def unnamed_findings(self, record: Record) -> Iterator[Finding]:
        """Findings on decisions on a rejected record that its current approval does not name."""
        named = {*self._named(record, "decisions"), *self._named(record, "others")}
        for name, decision in self._sound.items():
            if record.decided_on is not None and name not in named:
                stated = decision["statement"]
                if (stated["record"], Partition(*(stated[part] for part in ("asset", "tile", "month")))) == (
                    record.decided_on,
                    self.slot.partition,
                ):
                    yield Finding(
                        object=self.slot.name_of(self.slot.decision(name)),
                        check="is named by the approval",
                        expected=f"one of those that record {record.audit_hash} names",
                        found=f"{stated['verdict']} by {text_of(stated['reviewer'])}, {text_of(stated['decided_at'])}",
                        cure="Materialize the month again: every decision that is there is named then, and a rejection "
                        "counts.",
                    )

    @staticmethod
    def _named(record: Record, part: str) -> list[str]:
        """Ids that an approval states; a forged one may state anything."""
        qa = record.inputs.get("qa")
        named = qa.get(part) if isinstance(qa, dict) else None
        return [str(name) for name in named] if isinstance(named, list) else []

    def _unfounded(self, record: Record, expected: str, found: str) -> Finding:
        return Finding(
            object=self.slot.name_of(self.slot.record(record.audit_hash)),
            check="approved by",
            expected=expected,
            found=text_of(found),
            cure=_UNFOUNDED,
        )


def _stated(record: Record) -> dict[str, Reviewer]:
    """The reviewers that an approval states, by key id; a forged record may state anything."""
    reviewers = {}
    listed = record.document["plan"].get("reviewers")
    for stated in listed if isinstance(listed, list) else ():
        match stated:
            case {"name": str(name), "role": str(role), "public_key": str(public_key)}:
                who = Reviewer(name=name, role=role, public_key=public_key)
                with suppress(ValueError):
                    reviewers[who.key_id] = who
    return reviewers
