"""Heads: which record of a partition is current, and which was before; numbered from 1, the highest number wins."""

from dataclasses import dataclass

from mrv_assets.audit.canonical import canonical
from mrv_assets.lake.documents import HeadDocument, names_in, require
from mrv_assets.lake.files import write_once
from mrv_assets.lake.layout import Slot


@dataclass(frozen=True, kw_only=True)
class Head:
    """The record of a partition that is current."""

    number: int
    record: str
    """Audit hash of the record."""
    previous: str | None
    """Audit hash of the record that was current before; None for the first."""


def has_head(slot: Slot) -> bool:
    """Whether a partition was ever materialized.

    Raises:
        DamagedLake: When a file among the heads has the name of none.
    """
    return bool(names_in(slot, "heads"))


def current_head(slot: Slot) -> Head | None:
    """The partition's head with the highest number; None before the first materialization.

    Raises:
        DamagedLake: When the file is not a head, or a file beside it has the name of none.
    """
    numbers = [int(name) for name in names_in(slot, "heads")]
    if not numbers:
        return None
    number = max(numbers)
    head = require(slot.root, slot.head(number), HeadDocument)
    return Head(number=number, record=head.record, previous=head.previous)


def point(slot: Slot, audit_hash: str) -> int | None:
    """Make a record the current one; gives the number of the new head, None when the record already is current.

    Raises:
        DamagedLake: When the current head cannot be read.
    """
    while True:
        head = current_head(slot)
        if head is not None and head.record == audit_hash:
            return None
        number, previous = (head.number + 1, head.record) if head else (1, None)
        if write_once(slot.head(number), canonical({"record": audit_hash, "previous": previous})):
            return number
        # Another process was first with this number: look again at what it points to.
