"""Every stage of one tile and month in a process of its own, by whatever ``mrv_assets`` comes first on its path.

``python month_driver.py PROGRAM LAKE TILE MONTH`` prints one JSON document: the package that ran, and the record of
each asset by its audit hash.
"""

import json
import sys
from pathlib import Path

import mrv_assets
from mrv_assets.workplace import Workplace


def run(program: str, lake: str, tile: str, month: str) -> dict[str, object]:
    """Run the month, and say what ran and what came out."""
    place = Workplace(program_path=Path(program), lake_path=Path(lake))
    done = dict(place.run(tile, month))
    return {
        "package": mrv_assets.__file__,
        "hashes": {asset: one.audit_hash for asset, one in done.items()},
        "records": {asset: one.record.document for asset, one in done.items()},
    }


if __name__ == "__main__":
    print(json.dumps(run(*sys.argv[1:])))
