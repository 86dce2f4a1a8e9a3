"""Builder of the month whose graph digests are kept, and the command that writes them anew.

``python tests/support/golden_graphs.py --write-golden`` rewrites tests/golden/graphs.json; the commit that does so says
why the graphs changed.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from block_scenes import CLOUD, CORNER, MONTH, Box, SceneSpec, publish
from demo_lake import TILE, a_deployment, a_program, run_months
from shapely.geometry import box, mapping

from mrv_assets.stages.materialize import Materialized

Json = dict[str, Any]

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "graphs.json"
COMMAND = ".venv/bin/python tests/support/golden_graphs.py --write-golden"

SEEN = Box(row=CORNER - 40, col=CORNER - 40, height=80, width=80)
# In degrees as they are written in a file: pixels projected here would bring the projection's last digits into graphs.
PARCELS = {"across": (21.6552, 45.5902, 21.6571, 45.5915), "within": (21.6580, 45.5928, 21.6588, 45.5933)}
"""West, south, east, north: one over the corner of four blocks, one in a single block."""


def a_month(folder: Path) -> dict[str, Materialized]:
    """Every asset of a month of two looks, one clear and one all cloud, so that what was measured is whole numbers.

    The clouded look is refused, which is the gate's longer graph.
    """
    scenes = [
        SceneSpec(id="clear", box=SEEN),
        SceneSpec(id="clouded", when="2018-07-20T09:30:00Z", box=SEEN, scl=CLOUD),
    ]
    publish(folder / "catalogue", scenes)
    parcels = [
        {"type": "Feature", "properties": {"parcel_id": name}, "geometry": mapping(box(*bounds))}
        for name, bounds in PARCELS.items()
    ]
    program = a_program(
        folder,
        parcels={"type": "FeatureCollection", "features": parcels},
        catalog="catalogue",
        collection="sentinel-2",
        months={"start": MONTH, "end": MONTH},
        gate={"dilation_px": 3, "min_scene_clear": 0.1},
        composite="mean",
    )
    return run_months(a_deployment(program), [MONTH], TILE)[MONTH]


def graphs_of(month: dict[str, Materialized]) -> Json:
    """What the golden file holds: the graph digest of each asset."""
    return {
        "written_by": COMMAND,
        "graphs": {asset: one.record.document["graph"] for asset, one in month.items()},
    }


def write_golden() -> None:
    """Run the month and write the golden file."""
    with tempfile.TemporaryDirectory() as folder:
        golden = graphs_of(a_month(Path(folder)))
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write-golden"]:
        sys.exit("usage: python tests/support/golden_graphs.py --write-golden")
    write_golden()
