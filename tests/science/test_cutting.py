"""Parcels too large for a tile are cut: no area is lost, no part overlaps another, whatever the holes."""

import os
from pathlib import Path

import numpy as np
import pytest
import shapely
from field_cases import a_parcels_case
from program_builders import parcels_of

from mrv_assets.programme.parcels import read_parcels
from mrv_assets.science.projection import transformed
from mrv_assets.science.tiles import AssignedParcels, assign_parcels
from mrv_assets.science.zonal import geodesic_area_ha, overlaps

SHAPES = {"fuzz": 120, "nightly": 5_000}
"""Random shapes by Hypothesis profile; one takes some 80 ms."""
SLIVER_HA = 1e-4
"""Overlap of two parts that is rounding: a square metre."""


def area_ha(geometry: shapely.Geometry) -> float:
    """Geodesic area of a polygon whose edges are lines of longitude and latitude."""
    return float(geodesic_area_ha(np.array([shapely.segmentize(geometry, 0.01)], dtype=object))[0])


def check_whole(geometry: shapely.Geometry, assigned: AssignedParcels) -> None:
    """The parts are the parcel: their areas sum to its, and none overlaps another."""
    parts = list(assigned.geometry)
    assert all(part.is_valid for part in parts)
    assert sum(map(area_ha, parts)) == pytest.approx(area_ha(geometry), rel=1e-6)
    assert [area for _, _, area in overlaps(assigned.geometry) if area > SLIVER_HA] == []


@pytest.mark.parametrize("east", [530_000, 570_000, 610_000])
def test_a_hole_beside_a_cut_keeps_its_area(east: float, tmp_path: Path) -> None:
    """400 m across, 40 m south of a square's edge: the chord of the edge would run through it."""
    [reserve] = read_parcels(a_parcels_case("hole-near-cut", tmp_path).program.parcels_path).geometry
    plane = shapely.box(east - 200, 4_999_560, east + 200, 4_999_960)
    hole = shapely.transform(plane, lambda xy: np.column_stack(transformed("EPSG:32634", "EPSG:4326", *xy.T)))
    parcel = shapely.difference(reserve, hole)

    assigned = assign_parcels(parcels_of(p=parcel), {})

    check_whole(parcel, assigned)
    assert sum(map(area_ha, assigned.geometry)) == pytest.approx(1_224_588.27, rel=1e-7)


def test_random_shapes_with_holes_near_cuts_are_whole() -> None:
    """Near squares' edges, all zones' edges, the equator, the antimeridian, both hemispheres: valid, whole, apart."""
    random = np.random.default_rng(20181207)
    for _ in range(SHAPES[os.environ.get("HYPOTHESIS_PROFILE", "fuzz")]):
        parcel = a_shape(random)

        assigned = assign_parcels(parcels_of(p=parcel), {})

        check_whole(parcel, assigned)


def a_shape(random: np.random.Generator) -> shapely.Polygon:
    """A polygon of one or two degrees with up to four holes, where zones, squares or hemispheres meet."""
    zone = int(random.integers(1, 61))
    lon = 6 * zone - 180 + random.choice([0.0, -3.0, random.uniform(-3, 3)])
    lat = float(random.choice([0.0, 45.15, 60.0, -30.0, random.uniform(-70, 70)]))
    if random.random() < 0.25:
        # Wider zones of Norway and Svalbard, and both sides of the antimeridian.
        places = [(3.0, 60.0), (6.0, 62.0), (9.0, 74.0), (21.0, 78.0), (33.0, 72.5), (179.5, -17.0), (-179.5, 66.0)]
        lon, lat = places[int(random.integers(len(places)))]
    lon -= 360 if lon > 180 else 0
    angles = np.sort(random.uniform(0, 2 * np.pi, int(random.integers(4, 12))))
    radius = random.uniform(0.7, 1.2, angles.size)
    shell = shapely.Polygon(np.column_stack([lon + radius * np.cos(angles), lat + 0.8 * radius * np.sin(angles)]))
    # A parcel across the antimeridian comes as one part on each side; this is one of them.
    shell = shapely.intersection(shapely.make_valid(shell), shapely.box(-180, -90, 180, 90))
    shell = max(shapely.get_parts(shell), key=lambda part: part.area)
    for _ in range(int(random.integers(0, 5))):
        # Some 40 m to 4 km across, often within metres of the zone's edge or the equator.
        x = random.choice([6 * zone - 180, lon]) + random.uniform(-0.002, 0.002)
        y = lat + random.uniform(-0.3, 0.3)
        hole = shapely.box(x, y, x + 10 ** random.uniform(-3.3, -1.4), y + 10 ** random.uniform(-3.3, -1.4))
        cut = shapely.difference(shell, hole)
        shell = cut if isinstance(cut, shapely.Polygon) and cut.is_valid else shell
    return shell
