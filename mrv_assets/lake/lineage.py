"""Lineage: the records that a record was made from, found by the names that each record states."""

from collections import deque
from collections.abc import Callable, Iterator

from mrv_assets.audit.record import Record


def with_lineage(
    record: Record, upstream: Callable[[Record, str], Record], mission: str | None = None
) -> Iterator[Record]:
    """A record, then every record that it was made from, each once, and read when it is asked for.

    The nearest come first; those that one record names come in the order of their assets.

    Args:
        record: Where to start.
        upstream: Reads the record of an asset that a record names as one it was made from.
        mission: Follow the records of this mission's assets alone; None for all.
    """
    seen = {record.audit_hash}
    waiting = deque([record])
    while waiting:
        current = waiting.popleft()
        yield current
        for asset in sorted(current.upstream):
            if mission in (None, current.partition.of(asset).mission):
                other = upstream(current, asset)
                if other.audit_hash not in seen:
                    seen.add(other.audit_hash)
                    waiting.append(other)
