"""Where target pixels lie in the source: the lattice that makes interpolation exact."""

import numpy as np
import pytest
from resample_builders import a_grid, a_grid_around, exact_centres, whole

from mrv_assets.science.grid import Grid, Window
from mrv_assets.science.pixel_map import NODE_STEPS, nodes_of, whole_shift

TARGET = a_grid(width=200, height=150)


def test_control_points_are_rounded_and_no_worse_than_that() -> None:
    """PROJ's last bits differ between CPUs; 2^-16 of a pixel is less than 10 m by 0.2 mm."""
    source = a_grid_around(TARGET, "EPSG:3035", pixel=10, width=300, height=300)

    nodes = nodes_of(source, TARGET, whole(TARGET))

    assert np.array_equal(nodes.rows * NODE_STEPS, np.round(nodes.rows * NODE_STEPS))
    assert np.array_equal(nodes.cols * NODE_STEPS, np.round(nodes.cols * NODE_STEPS))
    rows, cols = exact_centres(source, TARGET)
    np.testing.assert_allclose(nodes.rows[:-1, :-1], rows[::32, ::32], rtol=0, atol=0.5 / NODE_STEPS)
    np.testing.assert_allclose(nodes.cols[:-1, :-1], cols[::32, ::32], rtol=0, atol=0.5 / NODE_STEPS)


def test_control_points_are_counted_from_the_grids_origin() -> None:
    """A window shares its control points with every other one, so no value depends on the window."""
    source = a_grid_around(TARGET, "EPSG:32633", pixel=10, width=300, height=300)
    all_nodes = nodes_of(source, TARGET, whole(TARGET))

    nodes = nodes_of(source, TARGET, Window(70, 33, 5, 40))

    assert (nodes.row, nodes.col) == (2, 1)
    assert np.array_equal(nodes.rows, all_nodes.rows[2:4, 1:4])
    assert np.array_equal(nodes.cols, all_nodes.cols[2:4, 1:4])


def test_within_one_crs_every_centre_is_exact() -> None:
    """10 m centres on Landsat pixels: thirds of a pixel, of which one in three is on an edge."""
    source = a_grid(x0=599_985, y0=5_100_015, pixel=30, width=80, height=80)

    nodes = nodes_of(source, TARGET, whole(TARGET))

    np.testing.assert_allclose(nodes.cols[0], (np.arange(200) + 2) / 3, rtol=0, atol=1e-9)
    np.testing.assert_allclose(nodes.rows[:, 0], (np.arange(150) + 2) / 3, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("grid", "shift"),
    [
        (a_grid(x0=600_300, y0=5_099_900), (10, 30)),
        (a_grid(x0=599_990, y0=5_100_010), (-1, -1)),
        (a_grid(x0=600_005), None),
        (a_grid(pixel=20), None),
        (a_grid(pixel=10.001), None),
        (a_grid("EPSG:32633"), None),
    ],
)
def test_grids_are_congruent_if_every_pixel_is_one_of_the_other(grid: Grid, shift: tuple[int, int] | None) -> None:
    """Same CRS, same pixels, a whole number of them apart; a millimetre a pixel adds up to a pixel."""
    assert whole_shift(a_grid(), grid) == shift
