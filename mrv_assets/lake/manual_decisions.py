"""Manual decisions in a lake: immutable documents beside the records they decide on."""

from mrv_assets.audit.canonical import Json, canonical, sha256
from mrv_assets.audit.record import Record
from mrv_assets.errors import DamagedLake
from mrv_assets.lake.documents import DecisionDocument, read
from mrv_assets.lake.files import write_once
from mrv_assets.lake.layout import Slot
from mrv_assets.lake.records import documents
from mrv_assets.lake.store import Lake


def keep_decision(lake: Lake, decision: bytes, record: Record) -> str:
    """Write a decision beside the record it is on; gives its id, the SHA-256 of its bytes."""
    decision_id = sha256(decision)
    slot = _slot(lake, record)
    path = slot.decision(decision_id)
    if not write_once(path, decision) and path.read_bytes() != decision:
        raise DamagedLake(str(path.relative_to(lake.root)), "its bytes are not the ones its name says")
    return decision_id


def decisions_on(lake: Lake, record: Record) -> list[Json]:
    """The decisions on a record, oldest first; :func:`decision_id` gives the id of each.

    What is not whole, or of another record, programme, tile or month, is none: `mrv verify` tells of it.
    """
    slot = _slot(lake, record)
    found = [read(path, DecisionDocument, path.stem) for path in documents(slot.folder / "decisions")]
    of_it = [
        one.document
        for one in found
        if one.shape is not None
        and {name: one.document["statement"][name] for name in ("programme", "asset", "tile", "month", "record")}
        == {
            "programme": lake.programme,
            "asset": slot.asset,
            "tile": slot.tile,
            "month": slot.month,
            "record": record.audit_hash,
        }
    ]
    return sorted(of_it, key=lambda decision: (decision["statement"]["decided_at"], decision_id(decision)))


def decision_id(decision: Json) -> str:
    """What a decision is named by: the SHA-256 of its canonical bytes."""
    return sha256(canonical(decision))


def _slot(lake: Lake, record: Record) -> Slot:
    document = record.document
    return lake.slot(document["asset"], document["tile"], document["month"])
