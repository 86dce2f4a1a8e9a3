"""What every process that runs stages finds out first, found out by the server that they are forked from.

The server passes over a module that it cannot import, and each process would then pay for that, unseen: here a name
that has moved ends the server.
"""

import gc
import sys
from contextlib import suppress
from importlib.util import find_spec

from forked import PRELOADED
from numba.core.registry import CPUDispatcher
from stage_names import PRODUCT, STAGES

from mrv_assets.science.grid import tile_grid
from mrv_assets.science.pixel_map import is_coarser
from mrv_assets.stages.source_code import stage_code


def read_kernels() -> None:
    """Load the machine code that is kept of each kernel; what is not kept yet is compiled by who calls it."""
    modules = [module for name, module in sys.modules.items() if name.startswith("mrv_assets.science.")]
    for kernel in {id(one): one for module in modules for one in vars(module).values()}.values():
        # numba has no public list of the signatures that it keeps.
        if isinstance(kernel, CPUDispatcher) and hasattr(kernel._cache, "_cache_file"):
            for signature, *_ in kernel._cache._cache_file._load_index():
                kernel.compile(signature)


for name in PRELOADED:
    if find_spec(name) is None:
        raise RuntimeError(f"tests/support/forked.py preloads {name}, and there is no such module")
for stage in (*STAGES, PRODUCT, "manual_decisions", "not_evaluated"):
    # A second of reading sources, kept by the function itself.
    try:
        stage_code(f"mrv_assets.stages.{stage}")
    except ImportError as error:
        raise RuntimeError(f"tests/support/forked_ready.py asks for the code of {stage}") from error

# Any kernel makes numba import the rest of itself.
is_coarser(tile_grid("34TER"), tile_grid("34TER"))
# Another process may be writing them just now.
with suppress(OSError):
    read_kernels()

gc.freeze()
