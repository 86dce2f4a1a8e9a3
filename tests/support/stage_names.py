"""Names of the assets of a tile and month, as the table of stages has them."""

from mrv_assets.stages.table import MISSION_STAGES, PRODUCT

STAGES = tuple(stage.name for stage in MISSION_STAGES)
"""Last parts of a mission's assets, upstream first."""

__all__ = ["PRODUCT", "STAGES"]
