"""Manual decisions in a lake: immutable documents beside the records they decide on."""

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.audit.record import Record
from mrv_assets.errors import DamagedLake
from mrv_assets.lake.documents import DecisionDocument, read
from mrv_assets.lake.files import write_once
from mrv_assets.lake.store import Lake


def keep_decision(lake: Lake, decision: bytes, record: Record) -> str:
    """Write a decision beside the record it is on; gives its id, the SHA-256 of its bytes."""
    decision_id = sha256(decision)
    slot = lake.slot(record.partition)
    path = slot.decision(decision_id)
    if not write_once(path, decision) and path.read_bytes() != decision:
        raise DamagedLake(slot.name_of(path), "its bytes are not the ones its name says")
    return decision_id


def decisions_on(lake: Lake, record: Record) -> list[Json]:
    """The decisions on a record, oldest first; :func:`decision_id` gives the id of each.

    A file that is not whole, or that decides on another record, programme, tile or month, is left out: `mrv verify`
    has a finding for it.
    """
    folder = lake.slot(record.partition).folder / "decisions"
    decisions = []
    for path in folder.glob("*.json"):
        decision = read(path, DecisionDocument, path.stem)
        if decision.shape is not None:
            statement = decision.shape.statement
            stated = statement.programme, statement.partition, statement.record
            if stated == (lake.programme, record.partition, record.audit_hash):
                decisions.append(decision.document)
    return sorted(decisions, key=lambda decision: (decision["statement"]["decided_at"], decision_id(decision)))


def decision_id(decision: Json) -> str:
    """The id of a decision: the SHA-256 of its canonical bytes."""
    return sha256(canonical(decision))
