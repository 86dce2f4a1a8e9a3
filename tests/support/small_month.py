"""Builders of the smallest month that has everything: one block, three parcels, all four leaves, no default left."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from block_scenes import CLOUD, MONTH, PLAIN, TILE, Box, SceneSpec, a_programme_of, shaded

from mrv_assets.deployment import Deployment
from mrv_assets.science.blocks import BLOCK

MIDDLE = 10 * BLOCK + BLOCK // 2
"""Row and column at which the four leaves of block (10, 10) meet: the tile's last, and smaller than the others."""
SEEN = Box(row=MIDDLE - 20, col=MIDDLE - 20, height=40, width=40)
"""Where scenes lie."""
PARCELS = {
    "a": Box(row=MIDDLE - 10, col=MIDDLE - 10, height=20, width=20),
    "b": Box(row=MIDDLE - 18, col=MIDDLE - 18, height=6, width=6),
    "c": Box(row=MIDDLE + 12, col=MIDDLE + 12, height=4, width=4),
}
"""Over all four leaves; in one; and one that is always under cloud, so that its values are null."""
GATE = {"min_coverage": 0.5, "cloud_probability": 0.2, "dilation_px": 2, "min_scene_clear": 0.3}
HOLE = Box(row=MIDDLE - 4, col=MIDDLE - 4, height=2, width=2)


def a_small_month(folder: Path, last: str = MONTH, **changed: Any) -> Deployment:
    """A programme with scenes in each of its months, not yet materialized; every parameter matters to its values.

    The composite of three scenes is their median; under a hole in one of them a dilation shows, and under a likely
    cloud in another a probability; a fourth is refused for what it does not show.

    Args:
        folder: Where to.
        last: Its last month, 2018-07 or the one after.
        changed: As for ``a_programme_of``.
    """
    months = [month for month in ("2018-07", "2018-08") if month <= last]
    scenes = [scene for month in months for scene in _scenes(month)]
    # Other tiles hold their corner too, and lie nearer.
    owners = dict.fromkeys(PARCELS, TILE)
    given = {"gate": GATE, "composite": "median", "tiles": owners, **changed}
    deployment = a_programme_of(folder, scenes, PARCELS, **given)
    program = yaml.safe_load(deployment.program_path.read_text())
    deployment.program_path.write_text(yaml.safe_dump({**program, "months": {"start": MONTH, "end": last}}))
    return deployment


def _scenes(month: str) -> Sequence[SceneSpec]:
    rows, cols = np.mgrid[: SEEN.height, : SEEN.width]
    likely = np.zeros((SEEN.height, SEEN.width), np.uint8)
    likely[Box(row=MIDDLE + 4, col=MIDDLE + 4, height=2, width=2).slices(SEEN)] = 30
    hidden = (PARCELS["c"], CLOUD)
    brightness = int(month[-1]) * 10
    return [
        SceneSpec(
            id=f"{month}-{day}",
            when=f"{month}-{day}T09:30:00Z",
            box=SEEN,
            dn={"nir": (PLAIN["nir"] + step * (7 * rows + 3 * cols) + brightness).astype(np.uint16)},
            scl=shaded(SEEN, *spots, base=base),
            extra={"cloud": likely} if day == "15" else {"cloud": np.zeros_like(likely)},
        )
        for day, step, base, spots in (
            ("05", 1, 4, [hidden, (HOLE, CLOUD)]),
            ("10", 2, 4, [hidden]),
            ("15", 9, 4, [hidden]),
            ("20", 4, CLOUD, []),
        )
    ]
