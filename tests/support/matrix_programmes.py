"""Programmes that between them run every kernel and every way to decide, spread over several blocks; a month each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from block_scenes import CLOUD, CORNER, SHADOW, Box, SceneSpec, a_programme_of, shaded
from demo_lake import a_copied_catalogue, a_program
from mission_scenes import a_programme_with, around, sentinel1
from numpy.typing import NDArray
from reviewing import months_to_reject
from standing_in import months_of

from mrv_assets.science.blocks import BLOCK

MONTH = "2018-07"


def programmes(folder: Path) -> tuple[Path, ...]:
    """The programme files, each in a folder with its catalogue; nothing in them says where they lie."""
    return (
        _real_pixels(folder / "real"),
        _six_blocks(folder / "blocks"),
        _coarse(folder / "coarse"),
        _radar(folder / "radar"),
        _substitute(folder / "substitute"),
        _approved(folder / "approved"),
    )


def _real_pixels(folder: Path) -> Path:
    """The demo's July: five observations in another CRS, interpolated; one block."""
    a_copied_catalogue(folder / "catalogue", [MONTH])
    return a_program(folder, catalog="catalogue", months={"start": MONTH, "end": MONTH})


def _six_blocks(folder: Path) -> Path:
    """Two rows of three blocks, with parcels across both corners, and clouds that grow over the blocks' edges."""
    seen = Box(row=CORNER - 40, col=CORNER - 40, height=80, width=BLOCK + 80)
    boxes = {f"p{n}": Box(row=CORNER - 9, col=CORNER - 7 + n * BLOCK, height=17, width=19) for n in range(2)}
    clouds = [(Box(row=CORNER - 30, col=CORNER + 2 + n * BLOCK, height=24, width=30), CLOUD) for n in range(2)]
    scenes = [
        SceneSpec(id=f"s{n}", when=f"2018-07-{n + 10}T09:30:00Z", box=seen, dn=rough(n, seen), scl=shaded(seen, *spots))
        for n, spots in enumerate([(), clouds, ()])
    ]
    gate = {"dilation_px": 5, "min_coverage": 0.5}
    return a_programme_of(folder, scenes, boxes, gate=gate, composite="median").program_path


def _coarse(folder: Path) -> Path:
    """Pixels of 60 m: means of what lies under them, and the worst of its classes; four blocks."""
    # Their blocks are six times as wide.
    corner = 6 * BLOCK
    seen = Box(row=corner - 120, col=corner - 120, height=240, width=240)
    boxes = {"p": Box(row=corner - 40, col=corner - 50, height=90, width=100)}
    spot = (Box(row=corner - 20, col=corner + 6, height=14, width=22), SHADOW)
    scenes: Sequence[SceneSpec] = [
        SceneSpec(id=f"s{n}", when=f"2018-07-{n + 10}T09:30:00Z", box=seen, dn=rough(n, seen), scl=shaded(seen, *spots))
        for n, spots in enumerate([(), (spot,)])
    ]
    grid = {"crs": "utm", "resolution_m": 60}
    return a_programme_of(folder, scenes, boxes, gate={"min_coverage": 0.5}, grid=grid).program_path


def _radar(folder: Path) -> Path:
    """Backscatter under speckle, which is filtered; one block."""
    corner = 10 * BLOCK
    parcel = Box(row=corner + 100, col=corner + 100, height=30, width=30)
    grid = around(parcel, margin=60, pixel=10, offset=0)
    looks = []
    for number in range(2):
        vv, vh = (
            (mean * np.random.default_rng(number).gamma(4.4, 1 / 4.4, (grid.height, grid.width))).astype(np.float32)
            for mean in (0.1, 0.02)
        )
        looks.append(sentinel1(f"s{number}", grid, when=f"2018-07-{number + 10}T04:40:00Z", vv=vv, vh=vh))
    return a_programme_with(folder, "sentinel1", looks, {"p": parcel}).program_path


def _substitute(folder: Path) -> Path:
    """Landsat, interpolated, stands in for Sentinel-2, made comparable with it; a radar was not needed."""
    return months_of(folder, {MONTH: "landsat"}, bandpass="hls-s2a").program_path


def _approved(folder: Path) -> Path:
    """A month to reject, beside it the keys of reviewers who approve it."""
    return months_to_reject(folder).deployment.program_path


def rough(seed: int, box: Box) -> dict[str, NDArray[np.uint16]]:
    """Digital numbers of a box in every band, different from pixel to pixel; DN 1000 is reflectance 0."""
    random = np.random.default_rng(seed)
    ranges = {
        "blue": (1100, 1400),
        "red": (1200, 2000),
        "nir": (3000, 6000),
        "nir08": (3000, 6000),
        "swir16": (2000, 3000),
        "swir22": (1500, 2500),
    }
    shape = (box.height, box.width)
    return {band: random.integers(low, high, shape, np.uint16) for band, (low, high) in ranges.items()}
