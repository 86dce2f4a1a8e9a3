"""The heads of a partition, checked: which record was current when, in numbers from 1 without a gap."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from mrv_assets.lake.documents import HeadDocument, read
from mrv_assets.lake.layout import Slot
from mrv_assets.verify.finding import Finding, text_of

_CURE = "Restore it from a backup: the order in which records were current cannot be derived again."


@dataclass(frozen=True, kw_only=True)
class Heads:
    """A partition's heads. They make sense together only."""

    slot: Slot
    numbers: Sequence[int]
    """Numbers of the heads there are, sorted."""

    @cached_property
    def sound(self) -> dict[int, HeadDocument]:
        """The heads that can be read, by number."""
        shapes = {number: read(self.slot.head(number), HeadDocument).shape for number in self.numbers}
        return {number: head for number, head in shapes.items() if head}

    @cached_property
    def once_current(self) -> set[str | None]:
        """Records that are current or were, by the heads and by what each says of the one before."""
        return {name for head in self.sound.values() for name in (head.record, head.previous)}

    def findings(
        self, records: Collection[str], answers: Collection[str], told: Mapping[int, str]
    ) -> Iterator[Finding]:
        """Findings on single heads, and on missing ones.

        Args:
            records: The partition's sound records.
            answers: Those of them that answer a request.
            told: Which record each head names of which a run record tells.
        """
        yield from self._gaps(told)
        for number in self.numbers:
            yield from self._head_findings(number, records, told)
        # A record that answers its request lacks nothing but a head.
        for audit_hash in sorted(set(answers) - self.once_current):
            yield Finding(
                object=self._name(max([0, *self.numbers, *told]) + 1),
                check="no head is missing",
                expected=f"a head that names record {audit_hash}",
                found="no file",
                cure="A run that was interrupted leaves it out: run the partition again. Otherwise it was removed: "
                "restore it from a backup.",
            )

    def order_findings(self, first: Mapping[str, datetime]) -> Iterator[Finding]:
        """Heads that repeat the one before, or are in another order than the first runs of their records.

        Args:
            first: When the first run of each record started.
        """
        seen: set[str] = set()
        newest: tuple[datetime, str] | None = None
        for number in self.numbers:
            head, before = self.sound.get(number), self.sound.get(number - 1)
            if head is None:
                continue
            if before is not None and before.record == head.record:
                yield Finding(
                    object=self._name(number),
                    check="names another record than the one before",
                    expected="another record",
                    found=head.record,
                    cure="No run makes a record current that is so already. Find out who did.",
                )
            started = first.get(head.record)
            if started is None or head.record in seen:
                continue
            seen.add(head.record)
            if newest is not None and started < newest[0]:
                yield Finding(
                    object=self._name(number),
                    check="comes after the heads of records that were computed before",
                    expected=f"a record of after {newest[0].isoformat()}",
                    found=f"{head.record}, first computed {started.isoformat()}",
                    cure="The heads were put in another order, or a clock was wrong. Find out which, and restore them "
                    "from a backup.",
                )
            else:
                newest = started, head.record

    def _gaps(self, told: Mapping[int, str]) -> Iterator[Finding]:
        """Heads that are missing before one that is there, or one that a run tells of; a gap at a time."""
        there = sorted({0, *self.numbers})
        for number, after in zip(there, [*there[1:], max([0, *told]) + 1], strict=True):
            if after > number + 1:
                count = after - number - 1
                yield Finding(
                    object=self._name(number + 1),
                    check="no head is missing",
                    expected="a head" if count == 1 else f"{count} heads from this number on",
                    found="no file",
                    cure=_CURE,
                )

    def _head_findings(self, number: int, records: Collection[str], told: Mapping[int, str]) -> Iterator[Finding]:
        name, head = self._name(number), self.sound.get(number)
        if head is None:
            reason = text_of(read(self.slot.head(number), HeadDocument).reason)
            yield Finding(object=name, check="is a head", expected="canonical JSON of one", found=reason, cure=_CURE)
            return
        if number == 0:
            yield Finding(object=name, check="its number", expected="1 or more", found="0", cure=_CURE)
        if head.record not in records:
            yield Finding(object=name, check="names a record", expected="a sound record", found=head.record, cure=_CURE)
        elif told.get(number, head.record) != head.record:
            yield Finding(object=name, check="as its run says", expected=told[number], found=head.record, cure=_CURE)
        before = self.sound.get(number - 1)
        if (number == 1 or before) and head.previous != (before and before.record):
            yield Finding(
                object=name,
                check="names the one before",
                expected=text_of(before and before.record),
                found=text_of(head.previous),
                cure=_CURE,
            )

    def _name(self, number: int) -> str:
        return self.slot.name_of(self.slot.head(number))
