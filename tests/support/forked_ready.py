"""What every process that runs stages finds out first, found out by the server that they are forked from."""

import gc

from stage_names import PRODUCT, STAGES

from mrv_assets.science.grid import tile_grid
from mrv_assets.science.pixel_map import is_coarser
from mrv_assets.stages.source_code import stage_code

for stage in (*STAGES, PRODUCT, "manual", "not_evaluated"):
    # A second of reading sources, kept by the function itself.
    stage_code(f"mrv_assets.stages.{stage}")

# Any kernel makes numba import the rest of itself.
is_coarser(tile_grid("34TER"), tile_grid("34TER"))

gc.freeze()
