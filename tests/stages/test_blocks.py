"""Blocks: parcels across their corners, and numbers that never depend on which other blocks are active."""

from pathlib import Path

import numpy as np
import pytest
from block_scenes import AROUND, CLOUD, CORNER, MONTH, SHADOW, TILE, Box, SceneSpec, a_programme_of, shaded
from demo_lake import evidence, rows, run_months
from numpy.typing import NDArray

from mrv_assets.deployment import Deployment

ACROSS_FOUR = Box(row=CORNER - 6, col=CORNER - 10, height=16, width=16)
ACROSS_TWO = Box(row=CORNER - 60, col=CORNER - 4, height=10, width=12)
AT_THE_EDGE = Box(row=CORNER - 40, col=CORNER - 9, height=8, width=8)
"""In the block (4, 4) alone, up to the last pixel but one before its eastern edge."""
NEXT_DOOR = Box(row=CORNER - 80, col=CORNER + 20, height=4, width=4)
"""In the block (4, 5) alone."""


def rough(seed: int) -> dict[str, NDArray[np.uint16]]:
    """Digital numbers that differ from pixel to pixel; DN 1000 is reflectance 0."""
    random = np.random.default_rng(seed)
    shape = (AROUND.height, AROUND.width)
    return {
        "red": random.integers(1200, 2000, shape, np.uint16),
        "nir": random.integers(3000, 6000, shape, np.uint16),
        "blue": random.integers(1100, 1400, shape, np.uint16),
    }


def ndvi_of(dn: dict[str, NDArray[np.uint16]]) -> NDArray[np.float64]:
    """NDVI of digital numbers with offset -0.1."""
    red, nir = (dn[band] * 1e-4 - 0.1 for band in ("red", "nir"))
    return (nir - red) / (nir + red)


LOOKS = (rough(1), rough(2))


def across_blocks(folder: Path, workers: int) -> Deployment:
    """Two observations of a parcel over four blocks and one over two; every asset materialized."""
    scenes = [SceneSpec(id=f"s{n}", when=f"2018-07-{n + 10}T09:30:00Z", dn=dn) for n, dn in enumerate(LOOKS)]
    deployment = a_programme_of(folder, scenes, {"four": ACROSS_FOUR, "two": ACROSS_TWO}, workers=workers)
    run_months(deployment, [MONTH])
    return deployment


@pytest.fixture(scope="module")
def by_one(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """They, worked on one block at a time. Nothing changes them."""
    return across_blocks(tmp_path_factory.mktemp("one"), workers=1)


@pytest.mark.parametrize(("name", "box"), [("four", ACROSS_FOUR), ("two", ACROSS_TWO)])
def test_a_parcel_across_blocks_has_the_mean_of_its_pixels(name: str, box: Box, by_one: Deployment) -> None:
    """Two observations, a parcel over two or four blocks: mean and deviation over space are numpy's."""
    row = rows(by_one, MONTH)[name]

    monthly = np.mean([ndvi_of(dn)[box.slices(AROUND)] for dn in LOOKS], axis=0)
    # Stored indices are rounded to 1e-4.
    assert row["ndvi_mean"] == pytest.approx(monthly.mean(), abs=1e-5)
    assert row["ndvi_std"] == pytest.approx(monthly.std(), abs=1e-5)
    assert (row["n_obs"], row["valid_fraction"]) == (2, 1.0)
    assert row["ndvi_valid_area_ha"] == pytest.approx(row["parcel_area_ha"])


def test_a_parcel_elsewhere_changes_no_row(tmp_path: Path) -> None:
    """With the neighbouring block active or not, the rows of the other parcels are identical."""
    clouds = shaded(AROUND, (Box(row=CORNER - 44, col=CORNER + 2, height=20, width=30), CLOUD))
    scenes = [SceneSpec(id="s", dn=rough(3), scl=clouds)]
    gate = {"dilation_px": 5, "min_coverage": 0.1}
    few = a_programme_of(tmp_path / "few", scenes, {"edge": AT_THE_EDGE}, gate=gate)
    many = a_programme_of(tmp_path / "many", scenes, {"edge": AT_THE_EDGE, "next": NEXT_DOOR}, gate=gate)

    for deployment in (few, many):
        run_months(deployment, [MONTH])

    assert [len(deployment.plan(TILE, MONTH).at.active) for deployment in (few, many)] == [1, 2]
    assert rows(few, MONTH)["edge"] == rows(many, MONTH)["edge"]


@pytest.fixture(scope="module")
def folder_of_gaps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each gap has a programme, whose lake goes on from one dilation to the next."""
    return tmp_path_factory.mktemp("gaps")


@pytest.mark.parametrize(
    ("gap", "dilation_px", "seen"), [(2, 0, 8), (2, 3, 8), (2, 4, 7), (2, 10, 1), (2, 11, 0), (14, 16, 7), (16, 16, 8)]
)
def test_dilation_looks_into_blocks_that_are_not_active(
    gap: int, dilation_px: int, seen: int, folder_of_gaps: Path
) -> None:
    """A shadow some pixels beyond a block's edge darkens the parcel's columns that are within the radius."""
    shadow = shaded(AROUND, (Box(row=CORNER - 80, col=CORNER + gap, height=80, width=40), SHADOW))
    gate = {"dilation_px": dilation_px, "min_coverage": 0.0}
    folder = folder_of_gaps / str(gap)
    deployment = a_programme_of(folder, [SceneSpec(id="s", scl=shadow)], {"edge": AT_THE_EDGE}, gate=gate)

    run_months(deployment, [MONTH])

    assert len(deployment.plan(TILE, MONTH).at.active) == 1
    assert rows(deployment, MONTH)["edge"]["valid_fraction"] == pytest.approx(seen / AT_THE_EDGE.width)


def test_any_number_of_workers_gives_the_same_lake(by_one: Deployment, tmp_path: Path) -> None:
    """Four blocks, one at a time or two: the same bytes under the same names, runs aside."""
    by_two = across_blocks(tmp_path, workers=2)

    assert len(by_one.plan(TILE, MONTH).at.active) == 4
    assert evidence(by_one.lake_path) == evidence(by_two.lake_path)
