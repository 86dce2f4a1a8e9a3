"""Months against the gates they name: every mission that a month has values of was let in by the decision on it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from mrv_assets.audit.record import Record
from mrv_assets.lake.documents import RecordDocument, read
from mrv_assets.lake.layout import Slot
from mrv_assets.science.gate import GateStatus
from mrv_assets.verify.finding import Finding, shown

_MONTHS = "monthly_proxies"
_OPEN = tuple(status.value for status in GateStatus if status.open)
_UNFOUNDED = "No version makes such a record. Find out who put it there, and materialize the month again."


def admitted_findings(slot: Slot, record: Record) -> Iterator[Finding]:
    """That no mission whose gate is closed is in a month, and that the month says of each what its gate decided.

    Args:
        slot: The partition that the record is in.
        record: A sound record of any asset; in those of no month nothing is looked for.
    """
    if slot.asset != _MONTHS:
        return
    said = record.output.get("decisions")
    name = slot.record(record.audit_hash).relative_to(slot.root).as_posix()
    decided = dict(_decided(slot, record))
    for mission in record.missions_used:
        status = decided.get(mission, "no decision on it")
        # What is no record any more has a finding of its own.
        if status is not None and status not in _OPEN:
            yield Finding(
                object=name,
                check="has values of missions whose gate is open",
                expected=" or ".join(_OPEN),
                found=shown(f"{mission}: {status}"),
                cure=_UNFOUNDED,
            )
    known = {mission: status for mission, status in decided.items() if status is not None}
    stated = {mission: said.get(mission) for mission in known} if isinstance(said, Mapping) else said
    if stated != known:
        yield Finding(
            object=name,
            check="says what the gates decided",
            expected=shown(known),
            found=shown(stated),
            cure=_UNFOUNDED,
        )


def _decided(slot: Slot, record: Record) -> Iterator[tuple[str, str | None]]:
    """What each gate decided, by mission, in the records that the month names; None where there is no such record."""
    for asset, audit_hash in record.upstream.items():
        mission, _, stage = asset.partition("/")
        if stage == "gated_tiles":
            found = None
            # A name that no record can have is a finding elsewhere too.
            with suppress(ValueError):
                path = Slot(slot.root, asset, slot.tile, slot.month).record(str(audit_hash))
                found = read(path, RecordDocument, str(audit_hash)).shape
            yield mission, None if found is None else str(found.output.get("status"))
