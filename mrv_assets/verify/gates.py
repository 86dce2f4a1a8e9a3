"""Months against the gates they name: every mission that a month has values of was let in by the decision on it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from mrv_assets.audit.record import Record
from mrv_assets.lake.documents import RecordDocument, read
from mrv_assets.lake.layout import Slot
from mrv_assets.science.gate import GateStatus
from mrv_assets.verify.finding import Finding, text_of

_MONTHS = "monthly_proxies"
_OPEN = tuple(status.value for status in GateStatus if status.open)
_UNFOUNDED = "No version makes such a record. Find out who put it there, and materialize the month again."


def admitted_findings(slot: Slot, record: Record) -> Iterator[Finding]:
    """Missions in a month whose gate is closed, and statements of the month that are not what a gate decided.

    Args:
        slot: The partition that the record is in.
        record: A sound record of any asset; only records of months are looked at.
    """
    if slot.partition.asset != _MONTHS:
        return
    said = record.output.get("decisions")
    name = slot.name_of(slot.record(record.audit_hash))
    decided = dict(_decided(slot, record))
    for mission in record.missions_used:
        status = decided.get(mission, "no decision on it")
        # A file that is not a record any more has a finding of its own.
        if status is not None and status not in _OPEN:
            yield Finding(
                object=name,
                check="has values of missions whose gate is open",
                expected=" or ".join(_OPEN),
                found=text_of(f"{mission}: {status}"),
                cure=_UNFOUNDED,
            )
    known = {mission: status for mission, status in decided.items() if status is not None}
    stated = {mission: said.get(mission) for mission in known} if isinstance(said, Mapping) else said
    if stated != known:
        yield Finding(
            object=name,
            check="says what the gates decided",
            expected=text_of(known),
            found=text_of(stated),
            cure=_UNFOUNDED,
        )


def _decided(slot: Slot, record: Record) -> Iterator[tuple[str, str | None]]:
    """Decisions of the gates by mission, in the records that the month names; None where there is no such record."""
    for asset, audit_hash in record.upstream.items():
        partition = slot.partition.of(asset)
        if partition.stage == "gated_tiles":
            gated = None
            # A name that no record can have is a finding elsewhere too.
            with suppress(ValueError):
                gated = read(Slot(slot.root, partition).record(audit_hash), RecordDocument, audit_hash).shape
            yield partition.mission, None if gated is None else str(gated.output.get("status"))
