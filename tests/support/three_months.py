"""A programme of three months with one scene in each, for what starts runs: sensors and schedules."""

from pathlib import Path

from block_scenes import CORNER, MONTH, TILE, Box, SceneSpec, publish
from block_scenes import parcels as parcels_of
from demo_lake import a_deployment, a_program

from mrv_assets.defs.partitions import partition_key
from mrv_assets.deployment import Deployment

JUNE, JULY, AUGUST = "2018-06", MONTH, "2018-08"
SCENES = tuple(SceneSpec(id=month, when=f"{month}-10T09:30:00Z") for month in (JUNE, JULY, AUGUST))


def three_months(folder: Path) -> Deployment:
    """The programme in a folder, with no lake yet."""
    publish(folder / "catalogue", SCENES)
    program = a_program(
        folder,
        parcels=parcels_of(p=Box(row=CORNER - 40, col=CORNER - 40, height=20, width=20)),
        catalog="catalogue",
        collection="sentinel-2",
        months={"start": JUNE, "end": AUGUST},
    )
    return a_deployment(program)


def keys_of(*months: str) -> list[str]:
    """The partitions of the tile in some months."""
    return [str(partition_key(TILE, month)) for month in months]
