"""Manual decisions of a partition: each whole, on a record that is there, and enough of them where one is approved."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.manual_decisions import SCHEMA, Reviewer, approvals, is_signed_by
from mrv_assets.audit.record import Record
from mrv_assets.lake.documents import DecisionDocument, Read, read
from mrv_assets.lake.layout import Slot
from mrv_assets.verify.finding import Finding, text_of

_FORGED = "It counts for nothing. Find out who put it there."
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

    @cached_property
    def _reviewers(self) -> dict[str, dict[str, Reviewer]]:
        """Per rejected record, the reviewers that its approvals state, by the key id that they state."""
        reviewers: dict[str, dict[str, Reviewer]] = {}
        for record in self.records.values():
            if record.decided_on is not None:
                reviewers.setdefault(record.decided_on, {}).update(_stated(record))
        return reviewers

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
                cure=_FORGED,
            )
        if decision.shape.signature is not None:
            yield from self._signature_findings(path, decision.document)

    def _signature_findings(self, path: str, decision: Json) -> Iterator[Finding]:
        """Compare a signature with the keys that approvals of its record state; before there is one, nobody can."""
        known = self._reviewers.get(decision["statement"]["record"])
        if known is None:
            return
        key_id = decision["signature"]["key_id"]
        who = known.get(key_id)
        if who is None:
            yield Finding(
                object=path,
                check="is signed by a reviewer",
                expected=f"a key that the approval states: {', '.join(sorted(known))}",
                found=text_of(key_id),
                cure=_FORGED,
            )
        elif not is_signed_by(decision, who):
            yield Finding(
                object=path,
                check="signature",
                expected=f"one by {who.name}, {who.role}, that verifies with the key the approval states",
                found="one that does not, or is of another name or role",
                cure=_FORGED,
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
        named = record.inputs["qa"].get("decisions")
        names = [str(name) for name in named] if isinstance(named, list) else []
        missing = [name for name in names if name not in self._sound]
        if missing:
            yield self._unfounded(record, "each decision that it names", f"no sound decision {', '.join(missing)}")
            return
        counted = approvals(
            [decision for name in names if (decision := self._sound[name])["statement"]["record"] == record.decided_on],
            list(_stated(record).values()),
        )
        if len(counted) < max(1, len(names)):
            count = f"{len(counted)} of {len(names)} that it names"
            yield self._unfounded(record, "approvals of two reviewers, signed with the keys that it states", count)

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
