"""Every stage of one tile and month by an edited copy of the package, in a forked process."""

import importlib
import json
import sys
from pathlib import Path


def run(program: str, lake: str, tile: str, month: str, *path: str) -> None:
    """Run the month, and print as JSON what ran, and the record of each asset by its audit hash.

    Args:
        program: The programme file.
        lake: Where to.
        tile: Which tile.
        month: Which month.
        path: Folders that come before everything installed; the package in them is run.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == "mrv_assets"]:
        del sys.modules[name]
    sys.path[:0] = path
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()

    import numba

    # Its variables are other ones now than when it was imported.
    numba.config.reload_config()

    import mrv_assets
    from mrv_assets.deployment import Deployment

    deployment = Deployment(program_path=Path(program), lake_path=Path(lake))
    done = dict(deployment.run(tile, month))
    found = {
        "package": mrv_assets.__file__,
        "hashes": {asset: one.audit_hash for asset, one in done.items()},
        "records": {asset: one.record.document for asset, one in done.items()},
    }
    print(json.dumps(found))
