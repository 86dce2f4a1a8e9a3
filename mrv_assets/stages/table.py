"""The table of stages: one row an asset. Names, order, descriptions and modules of assets are stated here only."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One asset of a tile and month, and the module that makes it."""

    name: str
    """Last part of the asset's path, and the name of the stage's module and function."""
    upstream: str | None
    """The stage just before it; None for the stage that fetches scenes."""
    of_mission: bool = True
    """True: one asset for each mission; False: one for all missions together."""
    description: str
    """What Dagster says of the asset."""
    kinds: frozenset[str]
    """Dagster's tags for what the asset is made with."""

    @property
    def module(self) -> str:
        """Dotted name of the module whose code makes the asset."""
        return f"mrv_assets.stages.{self.name}"

    @property
    def function(self) -> Callable[..., Any]:
        """The stage itself: ``(lake, plan) -> Materialized``. Importing it brings its kernels."""
        work: Callable[..., Any] = getattr(import_module(self.module), self.name)
        return work

    def asset(self, mission: str) -> str:
        """The asset's path, such as ``sentinel2/indices``; without a mission for an asset of all missions."""
        return f"{mission}/{self.name}" if self.of_mission else self.name


RAW_TILES = Stage(
    name="raw_tiles",
    upstream=None,
    description="The publisher's own compressed COG tiles, byte for byte, for the blocks that touch a parcel; "
    "searched, deduplicated, and past the header gate.",
    kinds=frozenset({"stac", "geotiff"}),
)
ALIGNED_TILES = Stage(
    name="aligned_tiles",
    upstream="raw_tiles",
    description="Every observation of the month on the tile's analysis grid, as digital numbers of one convention; "
    "quality bands undecoded.",
    kinds=frozenset({"zarr", "numba"}),
)
MASKED_TILES = Stage(
    name="masked_tiles",
    upstream="aligned_tiles",
    description="Why each pixel of each observation is unclear, by the product's own quality bits, dilated around "
    "cloud and shadow.",
    kinds=frozenset({"zarr", "numba"}),
)
INDICES = Stage(
    name="indices",
    upstream="masked_tiles",
    description="NDVI, EVI, NBR and NDMI where the ground was seen.",
    kinds=frozenset({"zarr", "numba"}),
)
GATED_TILES = Stage(
    name="gated_tiles",
    upstream="indices",
    description="The decision whether the tile-month was seen well enough to count, with every number it rests on. "
    "A rejected tile-month materializes too: the decision is the asset.",
    kinds=frozenset({"zarr", "json"}),
)
MONTHLY_PROXIES = Stage(
    name="monthly_proxies",
    upstream="gated_tiles",
    of_mission=False,
    description="Monthly composite of each index and one row per parcel, from the first mission whose gate is open; "
    "with fusion its gaps are filled from the next. What the gate rejected is null here.",
    kinds=frozenset({"parquet", "zarr"}),
)

STAGES = (RAW_TILES, ALIGNED_TILES, MASKED_TILES, INDICES, GATED_TILES, MONTHLY_PROXIES)
"""Every stage, upstream first."""
MISSION_STAGES = tuple(stage for stage in STAGES if stage.of_mission)
"""The stages that each mission has."""
PRODUCT = MONTHLY_PROXIES.name
"""The asset of all missions together."""
BY_NAME = {stage.name: stage for stage in STAGES}
