"""`mrv plan`: scenes, bytes and hours of a backfill, before any pixel is fetched."""

from collections.abc import Sequence
from datetime import datetime

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.lake.store import Lake
from mrv_assets.reports.terminal import counted, escape
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.present import stale_months


def answer(deployment: Deployment, tiles: Sequence[str], months: Sequence[str]) -> Json:
    """The JSON document of `mrv plan`.

    Raises:
        UnknownPartition: When the programme has no such tile or month.
        CatalogueError: When a catalogue cannot be used.
    """
    from mrv_assets.stages.raw_tiles import forecast, published_for

    partitions = []
    for tile in tiles:
        for month in months:
            for mission in deployment.missions:
                plan = deployment.plan(tile, month, mission)
                expected = forecast(plan, published_for(plan))
                partitions.append({"tile": tile, "month": month, "mission": mission.name, **expected})
    seconds = _seconds_per_partition(deployment.lake, deployment.missions[0].name)
    old = stale_months(deployment, tiles, months)
    done = sum(deployment.lake.head(Partition(PRODUCT, tile, month)) is not None for tile in tiles for month in months)
    done -= len(old)
    waiting = len(tiles) * len(months) - done
    return {
        "programme": deployment.program.program,
        "partitions": partitions,
        "totals": {
            "partitions": len(tiles) * len(months),
            "materialized": done,
            "scenes": sum(expected["scenes"] for expected in partitions),
            # Some catalogues do not say how large their files are.
            "bytes": None
            if any(expected["bytes"] is None for expected in partitions)
            else sum(expected["bytes"] for expected in partitions),
            "hours": None if seconds is None else round(waiting * seconds / 3600, 3),
            "hours_basis": "no partition has run in this lake yet"
            if seconds is None
            else f"{seconds:.1f} s a partition, as measured in this lake",
        },
        "exclusions_without_item": sorted(
            {left.item for left in deployment.program.exclude}
            - {item for expected in partitions for item in expected.pop("left_out")}
        ),
        "stale": [str(change) for change in old],
        "owners_without_scenes": _owners_without_scenes(deployment, partitions),
    }


def _seconds_per_partition(lake: Lake, mission: str) -> float | None:
    """Mean time from the first asset's start to the last one's end, over the runs that this lake remembers."""
    seconds = []
    for partition in lake.partitions(PRODUCT):
        first, last = lake.runs(partition.of(f"{mission}/raw_tiles"))[:1], lake.runs(partition)[:1]
        # Assets that were materialized in different runs do not show how long one run takes.
        if first and last and first[0].dagster_run_id == last[0].dagster_run_id:
            elapsed = datetime.fromisoformat(last[0].finished) - datetime.fromisoformat(first[0].started)
            seconds.append(elapsed.total_seconds())
    return sum(seconds) / len(seconds) if seconds else None


def _owners_without_scenes(deployment: Deployment, partitions: Sequence[Json]) -> list[Json]:
    """Parcels whose tile has no scene in the months asked for, with the other tiles that contain them."""
    searched = {expected["tile"] for expected in partitions}
    empty = searched - {expected["tile"] for expected in partitions if expected["scenes"]}
    assigned = deployment.assigned
    return [
        {"parcel_id": parcel_id, "tile": tile, "alternatives": list(others)}
        for parcel_id, tile, others in zip(assigned.parcel_id, assigned.tile, assigned.alternatives, strict=True)
        if tile in empty
    ]


def text(answer: Json) -> str:
    """The terminal page: a line for each partition and mission, the totals, and parcels that no scene covers."""
    rows = [
        [
            expected["tile"],
            expected["month"],
            expected["mission"],
            expected["scenes"],
            expected["observations"],
            expected["excluded"],
            "unknown" if expected["bytes"] is None else f"{expected['bytes'] / 1e6:.2f}",
        ]
        for expected in answer["partitions"]
    ]
    headers = ["tile", "month", "mission", "scenes", "observations", "excluded", "MB at most"]
    uncovered = [
        f"Parcel {owner['parcel_id']}: no scene covers it in these months. Tile {owner['tile']} owns it; "
        f"others that contain it: {', '.join(owner['alternatives']) or 'none'}."
        for owner in answer["owners_without_scenes"]
    ]
    table = tabulate(rows, headers=headers, disable_numparse=True)
    unmet = [
        f"exclude names {escape(item)}, which no catalogue has in these months."
        for item in answer["exclusions_without_item"]
    ]
    outdated = [f"{escape(change)}." for change in answer["stale"]]
    return "\n".join([table, "", _totals(answer["totals"]), *unmet, *outdated, *uncovered])


def _totals(totals: Json) -> str:
    hours = "unknown" if totals["hours"] is None else f"{totals['hours']:.2f} h"
    size = "an unknown size" if totals["bytes"] is None else f"at most {totals['bytes'] / 1e6:.1f} MB"
    return (
        f"{counted(totals['partitions'], 'tile-month')}, {totals['materialized']} already in the lake; "
        f"{totals['scenes']} scenes, {size}. To go: {hours} ({totals['hours_basis']})."
    )
