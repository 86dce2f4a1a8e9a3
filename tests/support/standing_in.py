"""Builders of small months in which missions stand in for one another: one block, one parcel, three missions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from block_scenes import CLOUD, Box, SceneSpec, parcels, publish, shaded
from demo_lake import a_deployment, a_program
from mission_scenes import CLEAR, COLLECTIONS, Look, around, landsat, publish_looks, sentinel1
from numpy.typing import NDArray
from stage_names import PRODUCT, STAGES

from mrv_assets.deployment import Deployment
from mrv_assets.science.blocks import BLOCK

ORDER = ("sentinel2", "landsat", "sentinel1")
ASSETS = (*(f"{mission}/{stage}" for mission in ORDER for stage in STAGES), PRODUCT)
"""Upstream first."""
PARCEL = Box(row=10 * BLOCK + 300, col=10 * BLOCK + 300, height=18, width=18)
"""In the tile's last block, which is smaller than the others; six of Landsat's pixels a side."""
SNOWY = Box(row=PARCEL.row, col=PARCEL.col, height=4, width=4)
SEEN = Box(row=PARCEL.row - 20, col=PARCEL.col - 20, height=58, width=58)
"""Where Sentinel-2's scenes lie."""
SNOW = 11
LANDSAT_CLOUD = 22280


def months_of(folder: Path, chosen: Mapping[str, str], **changed: Any) -> Deployment:
    """A programme of three missions, not yet materialized; where the folder has one already, its lake goes on.

    Args:
        folder: Where to.
        chosen: By month, the first mission that sees enough: the parcel is under clouds for those before it, all but
            a corner with snow. Those behind it would see it, too.
        changed: As for ``a_program``.
    """
    if not (folder / "catalogues").exists():
        publish(folder / "catalogues" / "sentinel2", [_sentinel2(*one) for one in chosen.items()])
        publish_looks(folder / "catalogues" / "landsat", [_landsat(*one) for one in chosen.items()], "landsat")
        publish_looks(folder / "catalogues" / "sentinel1", [_sentinel1(month) for month in chosen], "sentinel1")
    collections = {"sentinel2": "sentinel-2", **COLLECTIONS}
    given = {
        "parcels": parcels(p=PARCEL),
        # Other tiles hold this ground too, and lie nearer.
        "tiles": {"p": "34TER"},
        "missions": {name: {"catalog": f"catalogues/{name}", "collection": collections[name]} for name in ORDER},
        "substitution": list(ORDER),
        "months": {"start": min(chosen), "end": max(chosen)},
        "allow_sar": True,
        "gate": {"dilation_px": 0},
        **changed,
    }
    return a_deployment(a_program(folder, **given))


def _sentinel2(month: str, chosen: str) -> SceneSpec:
    random = np.random.default_rng(int(month[-2:]))
    base = 4 if chosen == "sentinel2" else CLOUD
    return SceneSpec(
        id=f"s2-{month}",
        when=f"{month}-10T09:30:00Z",
        box=SEEN,
        dn={
            band: random.integers(low, high, (SEEN.height, SEEN.width), np.uint16)
            for band, (low, high) in {"red": (1200, 2000), "nir": (3000, 6000), "nir08": (3000, 6000)}.items()
        },
        scl=shaded(SEEN, (SNOWY, SNOW), base=base),
    )


def _landsat(month: str, chosen: str) -> Look:
    random = np.random.default_rng(int(month[-2:]))
    grid = around(PARCEL, margin=30)
    return landsat(
        f"landsat-{month}",
        grid,
        when=f"{month}-12T09:10:00Z",
        dn={"red": random.integers(8200, 8800, (grid.height, grid.width), np.uint16)},
        qa=LANDSAT_CLOUD if chosen == "sentinel1" else CLEAR,
    )


def _sentinel1(month: str) -> Look:
    random = np.random.default_rng(int(month[-2:]))
    grid = around(PARCEL, margin=30, pixel=10, offset=0)
    vv, vh = (_speckled(random, mean, (grid.height, grid.width)) for mean in (0.1, 0.02))
    return sentinel1(f"s1-{month}", grid, when=f"{month}-14T04:40:00Z", vv=vv, vh=vh)


def _speckled(random: np.random.Generator, mean: float, shape: Sequence[int]) -> NDArray[np.float32]:
    return (mean * random.gamma(4.4, 1 / 4.4, shape)).astype(np.float32)
