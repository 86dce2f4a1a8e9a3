"""The present: whether a month in the lake is of the parcels that the programme has now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.stages.table import PRODUCT

LISTED = 10
"""Parcel ids that a sentence lists; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class Stale:
    """A month that was made with other parcels than the programme has for its tile now."""

    tile: str
    month: str
    redrawn: tuple[str, ...]
    """Ids of parcels whose outline or part is another now."""
    gone: tuple[str, ...]
    """Ids of parcels of the month that the tile does not own now: removed, renamed, or moved to another tile."""
    missing: tuple[str, ...]
    """Ids of parcels that the tile owns now, and that the month does not have."""
    left: bool
    """Whether the tile owns no parcel any more, so that its months are history."""

    def __str__(self) -> str:
        if self.left:
            return f"{self.tile} {self.month} is history: the tile owns no parcel of the programme any more"
        kinds = (("redrawn", self.redrawn), ("not the tile's any more", self.gone), ("missing", self.missing))
        changes = "; ".join(f"{_listed(ids)} {kind}" for kind, ids in kinds if ids)
        return (
            f"{self.tile} {self.month} is of other parcels ({changes}). "
            f"Run `mrv run --tile {self.tile} --month {self.month}`"
        )


def stale(deployment: Deployment, record: Record) -> Stale | None:
    """Changes of a tile's parcels since a month was made; None where nothing has.

    The month counts as a whole: the tile's gate, and with it every row, depends on all of the tile's parcels.

    Args:
        deployment: The programme and its lake.
        record: A record of monthly_proxies.
    """
    tile, month = record.partition.tile, record.partition.month
    then = {(name, part): digest for name, part, digest in record.document["plan"]["parcels"]}
    now = {(name, part): digest for name, part, digest in deployment.parcels_of.get(tile, ())}
    if then == now:
        return None
    return Stale(
        tile=tile,
        month=month,
        redrawn=_ids(key for key in then if key in now and then[key] != now[key]),
        gone=_ids(key for key in then if key not in now),
        missing=_ids(key for key in now if key not in then),
        left=not now,
    )


def stale_months(deployment: Deployment, tiles: Sequence[str], months: Sequence[str]) -> list[Stale]:
    """The months of some tiles in the lake that are of other parcels, by tile and month."""
    found = []
    for tile in tiles:
        for month in months:
            partition = Partition(PRODUCT, tile, month)
            if deployment.lake.head(partition) is not None:
                change = stale(deployment, deployment.lake.current(partition))
                found += [] if change is None else [change]
    return found


def history(deployment: Deployment) -> dict[str, list[str]]:
    """Months in the lake of tiles that own no parcel any more, by tile."""
    found: dict[str, list[str]] = {}
    for partition in deployment.lake.partitions(PRODUCT):
        if partition.tile not in deployment.tiles:
            found.setdefault(partition.tile, []).append(partition.month)
    return found


def _ids(keys: Iterator[tuple[str | None, str | None]]) -> tuple[str, ...]:
    return tuple(sorted({str(name) for name, _ in keys}))


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
    return f"{', '.join(ids[:LISTED])}{more}"
