"""Parcels to tiles: one owner for each parcel, everywhere on Earth, whatever the order of the parcels."""

import hashlib
import struct
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from program_builders import A_FIELD, parcels_of
from pyproj import Geod, Transformer

from mrv_assets.errors import ProgramError
from mrv_assets.science import tiles
from mrv_assets.science.grid import tile_grid
from mrv_assets.science.tiles import (
    AssignedParcels,
    assign_parcels,
    geom_sha256,
    override_problems,
    project,
)

WGS84 = Geod(ellps="WGS84")


def a_field(west: float, south: float, size: float = 0.01) -> shapely.Polygon:
    """A rectangular parcel."""
    return shapely.box(west, south, west + size, south + size)


def across_180(south: float, size: float = 0.05) -> shapely.MultiPolygon:
    """A parcel on both sides of the antimeridian, split there."""
    return shapely.MultiPolygon(
        [shapely.box(180 - size, south, 180, south + size), shapely.box(-180, south, -180 + size, south + size)]
    )


def owner(geometry: shapely.Geometry) -> str:
    """The tile that owns a parcel whole."""
    assigned = assign_parcels(parcels_of(p=geometry), {})
    assert assigned.part == (None,)
    return assigned.tile[0]


def contains(tile: str, geometry: shapely.Geometry, within_m: float = 0.0) -> bool:
    """Whether a tile's footprint holds a parcel, vertex by vertex, without the code under test."""
    grid = tile_grid(tile)
    lon, lat = shapely.get_coordinates(geometry).T
    x, y = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(lon, lat)
    east, south = x - grid.x0, grid.y0 - y
    return bool(min(east.min(), south.min()) >= -within_m and max(east.max(), south.max()) <= 109_800 + within_m)


def area_m2(geometry: shapely.Geometry) -> float:
    """Geodesic area."""
    return abs(float(WGS84.geometry_area_perimeter(shapely.orient_polygons(geometry))[0]))


def candidate_tiles(bounds: tuple[float, float, float, float]) -> list[str]:
    """Tiles whose footprint may meet some bounds in degrees, sorted."""
    near = tiles._candidates(np.array([bounds]))
    return sorted(set(near["tile"][near.intersects(shapely.box(*bounds))]))


def test_a_parcel_in_the_middle_of_a_tile_is_that_tiles() -> None:
    """The demo's place, whole, with no alternative: no other tile contains it."""
    assigned = assign_parcels(parcels_of(p=A_FIELD), {})

    assert (assigned.parcel_id, assigned.tile, assigned.part) == (("p",), ("34TER",), (None,))
    assert assigned.alternatives == ((),)
    assert assigned.geometry[0].equals(A_FIELD)


@pytest.mark.parametrize(
    ("west", "south", "tile"),
    [
        (151.2, -33.87, "56HLH"),  # Sydney
        (-47.9, -15.8, "22LHH"),  # Brasilia
        (36.8, -1.3, "37MBU"),  # Nairobi, south of the equator
        (-3.7, 40.4, "30TVK"),  # Madrid; 30SVK is the same square's name below 40 degrees
        (16.35, 48.2, "33UWP"),  # west of Vienna; 33TWP is the same square's name below 48 degrees
        (-122.5, 47.9, "10UEU"),  # Puget Sound
        (15.6, 78.2, "33XWG"),  # Longyearbyen: in Svalbard's zone 33, though 15.6 is regular there too
        (-70.0, -54.5, "19FDV"),  # Tierra del Fuego
    ],
)
def test_known_places_have_their_known_tiles(west: float, south: float, tile: str) -> None:
    """As the published names have them, in both hemispheres."""
    assert owner(a_field(west, south)) == tile


def test_norway_goes_by_its_own_zones() -> None:
    """32V begins at 3 degrees east; 31V, where Sentinel-2 has tiles past 3 degrees, stays a choice."""
    assigned = assign_parcels(parcels_of(bergen=a_field(5.3, 60.4)), {})

    choices = {assigned.tile[0], *assigned.alternatives[0]}
    assert {tile[:3] for tile in choices} == {"31V", "32V"}


@pytest.mark.parametrize(("west", "zones"), [(8.99, {31, 33}), (20.99, {33, 35}), (32.99, {35, 37}), (15.0, {33})])
def test_svalbard_has_no_even_zones(west: float, zones: set[int]) -> None:
    """32X, 34X and 36X do not exist; zones 31, 33, 35 and 37 are wider instead."""
    assigned = assign_parcels(parcels_of(p=a_field(west, 78.2, 0.02)), {})

    found = {int(tile[:2]) for tile in (assigned.tile[0], *assigned.alternatives[0])}
    assert found == zones


@pytest.mark.parametrize(("west", "south"), [(5.995, 48.1), (6.0, -48.1), (-6.005, 0.0), (11.995, 70.0), (-179.99, 10)])
def test_a_parcel_on_a_zones_edge_belongs_to_one_tile(west: float, south: float) -> None:
    """Tiles of both zones contain it; the nearest centre has it, and the others are alternatives."""
    parcel = a_field(west, south)

    assigned = assign_parcels(parcels_of(p=parcel), {})

    assert len(assigned.tile) == 1
    choices = (assigned.tile[0], *assigned.alternatives[0])
    assert all(contains(tile, parcel) for tile in choices)
    middles = []
    for tile in choices:
        grid = tile_grid(tile)
        centre = project(np.array([parcel], dtype=object), grid.crs)[0].centroid
        middles.append(np.hypot(centre.x - grid.x0 - 54_900, centre.y - grid.y0 + 54_900))
    assert all(near <= far + 0.002 for near, far in pairwise(middles))


def test_a_parcel_across_the_antimeridian_is_whole() -> None:
    """Its two pieces are neighbours in zone 60 and in zone 1, and one tile owns both."""
    parcel = across_180(-16.5)

    assigned = assign_parcels(parcels_of(fiji=parcel), {})

    assert assigned.part == (None,)
    choices = {assigned.tile[0], *assigned.alternatives[0]}
    assert {int(tile[:2]) for tile in choices} == {1, 60}
    assert len(choices) == 1 + len(assigned.alternatives[0])
    assert all(contains(tile, parcel) for tile in choices)
    assert assigned.geometry[0].equals(parcel)


@pytest.mark.parametrize("west", [179.9, -179.91])
def test_tiles_reach_over_the_antimeridian(west: float) -> None:
    """A parcel on one side is in tiles of both zones, as at any other edge of a zone."""
    parcel = a_field(west, -16.5)

    assigned = assign_parcels(parcels_of(p=parcel), {})

    choices = {assigned.tile[0], *assigned.alternatives[0]}
    assert {int(tile[:2]) for tile in choices} == {1, 60}
    assert all(contains(tile, parcel) for tile in choices)


def test_a_parcel_on_the_equator_is_whole() -> None:
    """A northern and a southern tile each reach over it by their margin of 9.8 km, southwards."""
    parcel = a_field(30.0, -0.005)

    assert contains(owner(parcel), parcel)


def test_a_square_with_two_names_goes_by_the_larger_part() -> None:
    """The other name is the same ground, and stays an alternative."""
    assigned = assign_parcels(parcels_of(p=a_field(15.5, 48.2)), {})

    assert assigned.tile == ("33UWP",)
    assert "33TWP" in assigned.alternatives[0]
    assert tile_grid("33TWP") == tile_grid("33UWP")


def test_phantom_names_are_no_candidates() -> None:
    """The formula takes any letters; a candidate's square meets its own zone and latitude band."""
    found = candidate_tiles((15.0, 45.0, 21.0, 47.0))

    assert "33TWM" in found
    # Zone 33 ends at 833 km east at the equator, but at 47 degrees before 800 km: column Z has no ground there.
    assert not [tile for tile in found if tile[:2] == "33" and tile[3] in "SZ"]
    # Row R of zone 34 is at 45 degrees in band T, and some 18 degrees from there in every other.
    assert {tile for tile in found if tile[:2] == "34" and tile[3:] == "ER"} == {"34TER"}


def test_a_square_that_only_touches_a_band_has_no_name_there() -> None:
    """Squares begin at the equator, where bands M and N meet; on either side they have one name."""
    found = [tile for tile in candidate_tiles((31.0, -0.5, 35.0, 0.5)) if tile[:2] == "36"]

    assert {(tile[2], tile_grid(tile).y0) for tile in found} == {("M", 10_000_000.0), ("N", 100_020.0)}


@given(west=st.floats(-180, 179.9), south=st.floats(-80, 83.9))
@settings(deadline=None, max_examples=60)
def test_every_small_parcel_on_earth_has_one_owner_that_contains_it(west: float, south: float) -> None:
    """No gap between zones, bands or hemispheres: tiles overlap by 9.8 km."""
    parcel = a_field(west, south, 0.02)

    assigned = assign_parcels(parcels_of(p=parcel), {})

    assert assigned.part == (None,)
    assert contains(assigned.tile[0], parcel)
    assert assigned.tile[0] in candidate_tiles(parcel.bounds)


def some_parcels(count: int, seed: int = 0) -> gpd.GeoDataFrame:
    """Small parcels of eastern Europe, many on the edges of zones and tiles, and one too large for a tile."""
    random = np.random.default_rng(seed)
    west, south = random.uniform(17, 25, count), random.uniform(43, 48.5, count)
    geometries = [*shapely.box(west, south, west + 0.01, south + 0.01), shapely.box(23.5, 45, 25.5, 46)]
    return gpd.GeoDataFrame({"parcel_id": [f"p{i:05d}" for i in range(count + 1)]}, geometry=geometries, crs=4326)


def as_rows(assigned: AssignedParcels) -> list[tuple[object, ...]]:
    """Everything that was assigned, comparable."""
    digests = [geom_sha256(geometry) for geometry in assigned.geometry]
    columns = (assigned.parcel_id, assigned.tile, assigned.part, assigned.alternatives, digests)
    return list(zip(*columns, strict=True))


def test_the_order_and_company_of_parcels_do_not_matter() -> None:
    """Adding a parcel, or sorting the file anew, moves no other parcel to another tile."""
    parcels = some_parcels(200)
    rows = as_rows(assign_parcels(parcels, {}))

    shuffled = as_rows(assign_parcels(parcels.sample(frac=1, random_state=1), {}))
    few = as_rows(assign_parcels(parcels.iloc[50:60], {}))

    assert shuffled == rows
    assert few == [row for row in rows if row[0] in {f"p{i:05d}" for i in range(50, 60)}]
    assert [row[:2] for row in rows] == sorted(row[:2] for row in rows)


def test_the_join_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions of the join are for speed only."""
    parcels = some_parcels(50)
    whole = as_rows(assign_parcels(parcels, {}))

    monkeypatch.setattr("mrv_assets.science.tiles._PARTITION", 7)

    assert as_rows(assign_parcels(parcels, {})) == whole


def test_an_override_moves_a_parcel_to_another_tile_that_contains_it() -> None:
    """The nearest centre becomes an alternative."""
    parcel = a_field(5.995, 48.1)
    first = assign_parcels(parcels_of(p=parcel, q=parcel), {})
    chosen = first.alternatives[0][-1]

    assigned = assign_parcels(parcels_of(p=parcel, q=parcel), {"p": chosen})

    assert assigned.tile == (chosen, first.tile[1])
    assert set(assigned.alternatives[0]) == {first.tile[0], *first.alternatives[0]} - {chosen}
    assert assigned.part == (None, None)


def test_overrides_that_cannot_be_are_all_told() -> None:
    """By parcel, with the tiles that would do."""
    large = shapely.box(22, 44, 25, 46)
    overrides = {"p": "34TDR", "gone": "34TER", "large": "34TER", "odd": "34IER"}
    parcels = parcels_of(p=A_FIELD, large=large, odd=A_FIELD)

    with pytest.raises(ProgramError) as caught:
        assign_parcels(parcels, overrides)

    problems = {problem.field: problem for problem in caught.value.problems}
    assert list(problems) == ["tiles.gone", "tiles.large", "tiles.odd", "tiles.p"]
    assert "does not contain parcel p" in problems["tiles.p"].reason
    assert "34TER" in problems["tiles.p"].cure
    assert "no parcel has this id" in problems["tiles.gone"].reason
    assert "cut into parts" in problems["tiles.large"].cure


def test_good_overrides_have_no_problem() -> None:
    """A published name that no rule of ours would find is taken, as long as its footprint contains the parcel."""
    assert list(override_problems(parcels_of(p=A_FIELD), {"p": "34TER"})) == []
    assert list(override_problems(parcels_of(p=a_field(15.5, 48.2)), {"p": "33TWP"})) == []


@pytest.mark.parametrize(
    "parcel",
    [
        shapely.box(22.0, 44.0, 25.0, 46.0),  # across the edge of zones 34 and 35
        shapely.box(-1.0, -1.0, 1.0, 1.0),  # across the equator and the edge of zones 30 and 31
        shapely.box(2.0, 55.5, 7.0, 56.5),  # where Norway's zones begin
        shapely.box(6.5, 71.5, 13.0, 73.0),  # where Svalbard's begin
        shapely.box(10.0, 82.5, 30.0, 84.0),  # tiles as wide as a zone
        shapely.MultiPolygon([shapely.box(178.5, -17, 180, -15), shapely.box(-180, -17, -179, -15)]),
        shapely.Point(25, -30).buffer(1) - shapely.Point(25, -30).buffer(0.5),
    ],
)
def test_a_parcel_too_large_for_a_tile_is_cut_without_loss_or_overlap(parcel: shapely.Geometry) -> None:
    """Parts sum to the whole, meet without a gap, and each lies in its own tile."""
    assigned = assign_parcels(parcels_of(p=parcel), {})

    assert len(assigned.tile) > 2
    assert assigned.part == assigned.tile
    assert len(set(assigned.tile)) == len(assigned.tile)
    assert set(assigned.alternatives) == {()}
    parts = assigned.geometry
    assert shapely.is_valid(parts).all()
    # A part's edge is on the lattice of 0.1 mm, and a square may begin where its tile does.
    assert all(contains(tile, part, within_m=0.001) for tile, part in zip(assigned.tile, parts, strict=True))
    whole = area_m2(shapely.segmentize(parcel, 0.01))
    assert sum(area_m2(part) for part in parts) == pytest.approx(whole, rel=1e-7)
    # 1e-7 of its area, in square degrees, may be missing, or doubled, along all cuts together.
    assert shapely.symmetric_difference(shapely.union_all(parts), parcel).area < 1e-7 * parcel.area
    assert sum(part.area for part in parts) == pytest.approx(parcel.area, rel=1e-7)


def test_parts_are_cut_along_100_km_squares() -> None:
    """The edge between two parts of one zone is a line of its UTM grid."""
    assigned = assign_parcels(parcels_of(p=shapely.box(21.5, 44.5, 23.5, 46.0)), {})

    squares = dict(zip(assigned.tile, assigned.geometry, strict=True))
    assert {"34TER", "34TFR"} <= set(squares)
    for tile, east in (("34TER", 600_000), ("34TFR", 600_000)):
        [part] = project(np.array([squares[tile]], dtype=object), "EPSG:32634")
        edge = part.bounds[2] if tile == "34TER" else part.bounds[0]
        assert edge == pytest.approx(east, abs=0.001)


def test_projecting_is_vertex_by_vertex() -> None:
    """Against pyproj itself, to 2^-16 m; holes and pieces stay what they are."""
    parcel = shapely.MultiPolygon([a_field(22, 45) - a_field(22.002, 45.002, 0.001), a_field(22.1, 45)])

    [projected] = project(np.array([parcel], dtype=object), "EPSG:32634")

    lon, lat = shapely.get_coordinates(parcel).T
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:32634", always_xy=True).transform(lon, lat)
    np.testing.assert_allclose(shapely.get_coordinates(projected), np.column_stack([x, y]), rtol=0, atol=2**-17)
    np.testing.assert_array_equal(shapely.get_coordinates(projected) * 65536 % 1, 0)
    assert [len(part.interiors) for part in projected.geoms] == [1, 0]


def test_the_digest_of_a_geometry_is_of_this_wkb() -> None:
    """Written out by hand: an auditor needs no library to check it."""
    triangle = shapely.Polygon([(2.5, 1.0), (1.0, 3.25), (1.0, 1.0)])
    points = [(1.0, 1.0), (2.5, 1.0), (1.0, 3.25), (1.0, 1.0)]
    wkb = struct.pack("<BIII", 1, 3, 1, 4) + b"".join(struct.pack("<dd", *point) for point in points)

    assert geom_sha256(triangle) == hashlib.sha256(wkb).hexdigest()


def test_the_digest_does_not_depend_on_how_a_geometry_is_written() -> None:
    """Ring starts and directions, order of holes and pieces, repeated points, heights, -0.0."""
    shell = [(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0)]
    one, two = [(1, 1), (1, 2), (2, 2), (2, 1)], [(5, 5), (5, 6), (6, 6), (6, 5)]
    far = a_field(20, 20)
    plain = shapely.MultiPolygon([shapely.Polygon(shell, [one, two]), far])
    other_shell = [(9.0, 9.0), (9.0, 9.0), (9.0, 0.0), (-0.0, -0.0), (0.0, 9.0)]
    other = shapely.MultiPolygon([shapely.reverse(far), shapely.Polygon(other_shell, [two[::-1], one[2:] + one[:2]])])

    assert geom_sha256(other) == geom_sha256(plain)
    assert geom_sha256(shapely.force_3d(plain, 7.0)) == geom_sha256(plain)
    assert geom_sha256(shapely.MultiPolygon([far])) == geom_sha256(far)


@pytest.mark.parametrize(
    "other",
    [
        shapely.Polygon([(0, 0), (1, 0), (1, 1.0000000000000002), (0, 1)]),
        shapely.Polygon([(0, 0), (0.5, 0), (1, 0), (1, 1), (0, 1)]),
        shapely.box(0, 0, 1, 1) - shapely.box(0.4, 0.4, 0.6, 0.6),
        shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(5, 5, 6, 6)]),
    ],
)
def test_another_geometry_has_another_digest(other: shapely.Geometry) -> None:
    """The last bit of a coordinate, a point more, a hole, a piece."""
    assert geom_sha256(other) != geom_sha256(shapely.box(0, 0, 1, 1))


def test_ten_thousand_parcels_take_seconds() -> None:
    """The join looks at tiles near the parcels only."""
    parcels = some_parcels(10_000)

    assigned = assign_parcels(parcels, {})

    assert len(set(assigned.parcel_id)) == 10_001
    assert assigned.part.count(None) == 10_000
