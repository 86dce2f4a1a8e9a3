"""Partitions: a tile of the programme times a month."""

import dagster as dg

from mrv_assets.programme.model import Program

TILE = "tile"
MONTH = "month"


def tile_partitions_name(program: Program) -> str:
    """Name of the dynamic partition set in which `mrv tiles` registers the programme's tiles."""
    return f"{program.program}_tile"


def tile_months(program: Program) -> dg.MultiPartitionsDefinition:
    """The partitions of all assets: every tile of the programme times every month that is over."""
    end = program.last_month
    year, month = (int(part) for part in end.split("-"))
    after = f"{year + month // 12:04d}-{month % 12 + 1:02d}"
    return dg.MultiPartitionsDefinition(
        {
            MONTH: dg.MonthlyPartitionsDefinition(
                start_date=program.first_month, end_date=after, fmt="%Y-%m", timezone="UTC"
            ),
            TILE: dg.DynamicPartitionsDefinition(name=tile_partitions_name(program)),
        }
    )


def partition_key(tile: str, month: str) -> dg.MultiPartitionKey:
    """The partition key of a tile and month."""
    return dg.MultiPartitionKey({TILE: tile, MONTH: month})


def register_tiles(instance: dg.DagsterInstance, program: Program, tiles: tuple[str, ...]) -> tuple[str, ...]:
    """Register the programme's tiles as partitions, and no others. Returns the tiles that were not registered before.

    A tile that has left the programme is no partition any more: a backfill of all would fail on it. What was
    materialized of it stays, in the lake and among Dagster's events.
    """
    name = tile_partitions_name(program)
    registered = set(instance.get_dynamic_partitions(name))
    for tile in sorted(registered - set(tiles)):
        instance.delete_dynamic_partition(name, tile)
    new = tuple(tile for tile in tiles if tile not in registered)
    if new:
        instance.add_dynamic_partitions(name, list(new))
    return new
