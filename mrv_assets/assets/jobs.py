"""Jobs: what the UI starts that is no asset."""

import dagster as dg

from mrv_assets.assets.partitions import register_tiles
from mrv_assets.assets.resources import MrvResource


@dg.op(description="Find the tiles that own the programme's parcels and register them as partitions.")
def find_and_register_tiles(context: dg.OpExecutionContext, mrv: MrvResource) -> None:
    """Register the programme's tiles; those already registered stay."""
    place = mrv.workplace()
    new = register_tiles(context.instance, place.program, place.tiles)
    context.log.info("%d tiles, %d new: %s", len(place.tiles), len(new), ", ".join(new) or "-")


@dg.job(name="register_tiles", description="Parcels to tiles; needed once before the first backfill.")
def register_tiles_job() -> None:
    """The same as `mrv tiles`."""
    find_and_register_tiles()
