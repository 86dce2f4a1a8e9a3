"""Parcels files as people have them: read rightly, or refused with their place and a cure."""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
import yaml
from demo_lake import CATALOGUE, COLLECTION
from field_cases import a_parcels_case

from mrv_assets.errors import ProgramError
from mrv_assets.programme.file import check_program
from mrv_assets.programme.parcels import read_parcels
from mrv_assets.programme.parcels_crs import CrsError, lonlat_of
from mrv_assets.science.tiles import assign_parcels

Json = dict[str, Any]
SQUARE = [[[22.1485, 45.2065], [22.1505, 45.2065], [22.1505, 45.208], [22.1485, 45.208], [22.1485, 45.2065]]]


def read(case: str, folder: Path) -> gpd.GeoDataFrame:
    """The parcels of a case."""
    return read_parcels(a_parcels_case(case, folder).program.parcels_path)


def problems(case: str, folder: Path) -> list[str]:
    """What a case is refused for."""
    with pytest.raises(ProgramError) as caught:
        read(case, folder)
    return [str(problem) for problem in caught.value.problems]


def written(folder: Path, *features: Json, **members: object) -> Path:
    """A GeoJSON file."""
    path = folder / "parcels.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return path


def a_feature(parcel_id: object = "a", coordinates: object = None, **members: object) -> Json:
    """A feature of a square."""
    geometry = {"type": "Polygon", "coordinates": coordinates or SQUARE}
    return {"type": "Feature", "properties": {"parcel_id": parcel_id}, "geometry": geometry, **members}


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("geometry-level-crs", ("features[0].geometry", "EPSG:4179")),
        ("crs-member-without-properties", ("its CRS is",)),
        ("json-repeated-member", ("stands twice",)),
        ("longitude-sign-slip", ("features[1]", "km wide", "47.905")),
        ("geoparquet-local-crs", ("Local site grid", "no place on Earth")),
        ("geoparquet-id-is-index", ("index", "reset_index")),
        ("geoparquet-one-null-integer-id", ("row[2].parcel_id: it is missing",)),
        ("geoparquet-one-null-integer-id-no-pandas", ("row[2].parcel_id: it is missing",)),
        ("sliver-parcel", ("features[1]", "m wide")),
        ("unicode-composed-decomposed", ("spelled otherwise", "Mun<U+0303>oz-1", "Mu<U+00F1>oz-1")),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(case: str, words: tuple[str, ...], tmp_path: Path) -> None:
    """One problem, with its place, what is there, and what to do; never a traceback."""
    [problem] = problems(case, tmp_path)

    assert all(word in problem for word in words), problem


def test_a_sliver_is_refused_where_tiles_are_made(tmp_path: Path) -> None:
    """Not months later, when it is run."""
    with pytest.raises(ProgramError):
        a_parcels_case("sliver-parcel", tmp_path).assigned  # noqa: B018


@pytest.mark.parametrize("place", ["document", "feature", "geometry"])
@pytest.mark.parametrize(
    "name",
    [
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "urn:ogc:def:crs:OGC::CRS84",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "https://www.opengis.net/def/crs/OGC/0/CRS84",
        "OGC:CRS84",
        "CRS84",
        "EPSG:4326",
        "urn:ogc:def:crs:EPSG::4326",
        "http://www.opengis.net/def/crs/EPSG/0/4326",
    ],
)
def test_wgs84_in_every_spelling_is_wgs84(name: str, place: str, tmp_path: Path) -> None:
    """Wherever it stands."""
    crs = {"crs": {"type": "name", "properties": {"name": name}}}
    feature = a_feature(**(crs if place == "feature" else {}))
    if place == "geometry":
        feature["geometry"] |= crs

    assert len(read_parcels(written(tmp_path, feature, **(crs if place == "document" else {})))) == 1


def test_crs84_by_address_is_accepted(tmp_path: Path) -> None:
    """As some tools write it."""
    assert len(read("crs84-by-address", tmp_path)) == 1


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS83", "EPSG:3857", "EPSG:43260", "", None, 4326])
def test_any_other_crs_is_refused(name: object, tmp_path: Path) -> None:
    """Also what only looks like it."""
    with pytest.raises(ProgramError, match="its CRS is"):
        read_parcels(written(tmp_path, a_feature(), crs={"type": "name", "properties": {"name": name}}))


@pytest.mark.parametrize("member", ["features", "geometry", "parcel_id", "coordinates", "type"])
def test_members_that_stand_twice_are_refused(member: str, tmp_path: Path) -> None:
    """Programs differ in which of the two they read."""
    path = written(tmp_path, a_feature())
    path.write_text(path.read_text().replace(f'"{member}":', f'"{member}": null, "{member}":', 1))

    with pytest.raises(ProgramError, match=f"the member '{member}' stands twice"):
        read_parcels(path)


def test_heights_are_dropped_and_said_once(tmp_path: Path) -> None:
    """At some vertices only, null, or with a measure."""
    frame = read("mixed-2d-3d-positions", tmp_path)
    other = [[[22.15, 45.2, None], [22.16, 45.2, 3, 7], [22.16, 45.21], [22.15, 45.2, None]]]
    two = read_parcels(written(tmp_path, a_feature("a"), a_feature("b", other)))

    assert not shapely.has_z(np.asarray(frame.geometry)).any()
    assert frame.attrs["notes"] == ["Heights of 1 of 1 parcels were dropped."]
    assert two.attrs["notes"] == ["Heights of 1 of 2 parcels were dropped."]


def test_one_id_in_two_spellings_is_told_apart(tmp_path: Path) -> None:
    """What looks the same and is not: the difference is shown."""
    path = written(tmp_path, a_feature("P\u00e9rez"), a_feature("Pe\u0301rez"))

    with pytest.raises(ProgramError, match=r"spelled otherwise: P<U\+00E9>rez, here Pe<U\+0301>rez"):
        read_parcels(path)


def test_the_programme_s_spelling_of_an_id_finds_its_parcel(tmp_path: Path) -> None:
    """Composed in the one file, decomposed in the other."""
    frame = read_parcels(written(tmp_path, a_feature("Pe\u0301rez")))

    assigned = assign_parcels(frame, {"P\u00e9rez": "34TER"})

    assert (assigned.parcel_id, assigned.tile) == (("Pe\u0301rez",), ("34TER",))


def test_the_whole_check_of_a_programme_finds_it_too(tmp_path: Path) -> None:
    """As every command makes it; two forms of one id in the programme are refused."""
    path = tmp_path / "program.yaml"
    written(tmp_path, a_feature("Pe\u0301rez"))
    program = {
        "program": "p",
        "parcels": "parcels.geojson",
        "months": {"start": "2018-05", "end": "2018-05"},
        "missions": {"sentinel2": {"catalog": str(CATALOGUE), "collection": COLLECTION}},
    }
    path.write_text(yaml.safe_dump({**program, "tiles": {"P\u00e9rez": "34TER"}}, allow_unicode=True))

    check_program(path)

    both = {"P\u00e9rez": "34TER", "Pe\u0301rez": "34TER"}
    path.write_text(yaml.safe_dump({**program, "tiles": both}, allow_unicode=True))
    with pytest.raises(ProgramError, match="in two Unicode forms"):
        check_program(path)


@pytest.mark.parametrize("sign", [(-1, 1), (1, -1)], ids=["longitude", "latitude"])
@pytest.mark.parametrize("vertices", [(0,), (1,), (2,), (3,), (0, 1), (1, 2), (0, 3)], ids=str)
def test_slips_of_some_vertices_are_named(vertices: tuple[int, ...], sign: tuple[int, int], tmp_path: Path) -> None:
    """One, or the two of an edge; whether or not the outline then crosses itself."""
    ring = [list(position) for position in SQUARE[0][:4]]
    for vertex in vertices:
        ring[vertex] = [ring[vertex][0] * sign[0], ring[vertex][1] * sign[1]]

    with pytest.raises(ProgramError, match=r"km wide, because \d of its 4 vertices have the (longitude|latitude)"):
        read_parcels(written(tmp_path, a_feature("a", [[*ring, ring[0]]])))


@pytest.mark.parametrize(
    ("ring", "told"),
    [
        ([[0.9, 8], [0.91, 8], [0.91, 8.01], [-0.9, 8.01]], "1 of its 4 vertices have the longitude -0.9"),
        ([[9, 0.4], [9.01, 0.4], [9.01, -0.41], [9, 0.41]], "1 of its 4 vertices have the latitude -0.41"),
        ([[36, 35], [36.01, 35], [36.01, 35.01], [35.01, 36]], "latitude of 1 vertices are exchanged"),
        ([[22.1, 45.2], [22.11, 45.2], [22.11, 45.21], [21.1, 45.21]], "all of its vertices but one, at 21.1, 45.21"),
        ([[22.1, 45.2], [22.11, 45.2], [22.11, 54.21], [22.1, 45.21]], "all of its vertices but one, at 22.11, 54.21"),
        ([[0.1, 8], [0.104, 8], [0.104, 8.004], [-0.1, 8.004], [0.1, 8.002]], "the longitude -0.1"),
    ],
)
def test_slips_of_less_than_a_country_are_named(ring: list[list[float]], told: str, tmp_path: Path) -> None:
    """Near Greenwich, the equator and the diagonal a slip is not hundreds of kilometres wide, and no less wrong."""
    with pytest.raises(ProgramError, match=rf"km wide, because .*{told}"):
        read_parcels(written(tmp_path, a_feature("a", [[*ring, ring[0]]])))


@pytest.mark.parametrize(
    "ring",
    [
        [[-0.1, 8], [0.1, 8], [0.1, 8.05], [-0.1, 8.05]],
        [[-0.1, 8], [0.1, 8], [0.102, 8.01], [-0.1, 8.01]],
        [[-0.05, -0.05], [0.05, -0.05], [0, 0.05]],
        [[35, 35], [35.3, 35], [35.3, 35.3], [35, 35.3]],
        [[22, 45], [22.0001, 45], [22.0001, 45.08], [22, 45.08]],
        [[22, 45], [22.001, 45], [22.0005, 45.08]],
        [[22, 45], [22.4, 45.01], [22.8, 45.05], [23.2, 45.2], [22.8, 45.052], [22.4, 45.012]],
    ],
)
def test_parcels_of_some_kilometres_are_not_slips(ring: list[list[float]], tmp_path: Path) -> None:
    """On both sides of Greenwich and the equator, on the diagonal, strips, needles and winding ones."""
    assert len(read_parcels(written(tmp_path, a_feature("a", [[*ring, ring[0]]])))) == 1


@pytest.mark.parametrize("coordinate", [True, "22.15", None, [22.15], {}], ids=str)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_coordinate_that_is_no_number_is_named(coordinate: object, axis: int, tmp_path: Path) -> None:
    """Programs take some texts and truth values for numbers."""
    ring: list[list[object]] = [list(position) for position in SQUARE[0]]
    ring[1][axis] = coordinate

    with pytest.raises(ProgramError, match=r"features\[0\]\.geometry.*(is not a number|is not a GeoJSON)"):
        read_parcels(written(tmp_path, a_feature("a", [ring])))


@pytest.mark.parametrize("vertex", range(4))
def test_exchanged_axes_of_a_vertex_are_named(vertex: int, tmp_path: Path) -> None:
    """Latitude first, at one vertex of four."""
    ring = [list(position) for position in SQUARE[0][:4]]
    ring[vertex] = ring[vertex][::-1]

    with pytest.raises(ProgramError, match="longitude and latitude of 1 vertices are exchanged"):
        read_parcels(written(tmp_path, a_feature("a", [[*ring, ring[0]]])))


@pytest.mark.parametrize(
    "outline",
    [
        shapely.box(-1, -1, 1, 1),
        shapely.box(-109.05, 37, -102.05, 41),
        shapely.box(-4, 5, 2, 9),
        shapely.box(10, 82.5, 30, 83.9),
    ],
)
def test_large_parcels_are_not_slips(outline: shapely.Polygon, tmp_path: Path) -> None:
    """Across Greenwich and the equator, as wide as a state, near the pole."""
    coordinates = shapely.geometry.mapping(outline)["coordinates"]

    assert len(read_parcels(written(tmp_path, a_feature("a", coordinates)))) == 1


def test_problems_of_one_kind_are_folded_whatever_their_numbers(tmp_path: Path) -> None:
    """Slivers of many widths, and pairs of equal ids."""
    slivers = [
        a_feature(f"p{n}", [[[22, 45], [22 + n * 1e-10, 45], [22 + n * 1e-10, 45.01], [22, 45.01], [22, 45]]])
        for n in range(1, 400)
    ]
    pairs = [a_feature(f"q{n // 2}") for n in range(400)]

    with pytest.raises(ProgramError) as caught:
        read_parcels(written(tmp_path, *slivers, *pairs))

    assert len(caught.value.problems) == 22


def test_an_empty_file_in_another_crs_has_no_parcels(tmp_path: Path) -> None:
    """And no traceback."""
    path = tmp_path / "parcels.parquet"
    gpd.GeoDataFrame({"parcel_id": []}, geometry=[], crs="EPSG:3035").to_parquet(path)

    with pytest.raises(ProgramError, match="it has no parcels"):
        read_parcels(path)


def test_fifty_thousand_equal_problems_are_one_line(tmp_path: Path) -> None:
    """The first ten, and a count."""
    path = written(tmp_path, *(a_feature(None) for _ in range(50_000)))

    with pytest.raises(ProgramError) as caught:
        read_parcels(path)

    assert len(caught.value.problems) == 11
    assert "49990 more like this, 50000 in all" in str(caught.value.problems[-1])


@pytest.mark.parametrize(
    "column",
    [
        pa.array([101, None], pa.int64()),
        pa.array([101.0, float("nan")], pa.float64()),
        pa.array([101.0, None], pa.float64()),
        pa.array(["101", None], pa.string()),
        pa.array(["101", "  "], pa.string()),
    ],
    ids=str,
)
def test_a_missing_id_is_missing_in_every_type(column: pa.Array, tmp_path: Path) -> None:
    """And the others are the ids that they were."""
    path = tmp_path / "parcels.parquet"
    frame = gpd.GeoDataFrame(
        geometry=[shapely.box(22, 45, 22.01, 45.01), shapely.box(22.1, 45, 22.11, 45.01)], crs=4326
    )
    frame.to_parquet(path)
    table = pq.read_table(path)
    pq.write_table(table.append_column("parcel_id", column), path)

    with pytest.raises(ProgramError) as caught:
        read_parcels(path)
    [problem] = caught.value.problems
    assert (problem.field, problem.reason) == ("parcels.parquet: row[1].parcel_id", "it is missing")

    pq.write_table(table.append_column("parcel_id", column)[:1], path)
    assert list(read_parcels(path).parcel_id) == ["101"]


@pytest.mark.parametrize(
    "crs", ["EPSG:3148", "EPSG:2040", "+proj=utm +zone=34 +ellps=GRS80", "IAU_2015:30100", "EPSG:4978"]
)
def test_a_crs_whose_shift_is_not_known_is_refused_by_name(crs: str, tmp_path: Path) -> None:
    """PROJ would shift the first two not at all, 400 m off, and say nothing; the last is the Moon's."""
    place = shapely.box(105, 11, 105.01, 11.01) if crs == "EPSG:3148" else shapely.box(-5, 6, -4.99, 6.01)
    moved = place if "IAU" in crs else gpd.GeoSeries([place], crs=4326).to_crs(crs).iloc[0]
    path = tmp_path / "parcels.parquet"
    gpd.GeoDataFrame({"parcel_id": ["a"]}, geometry=[moved], crs=crs).to_parquet(path)

    with pytest.raises(ProgramError, match=r"is not known to 10 m|is not of the Earth|counts from the Earth's centre"):
        read_parcels(path)


@pytest.mark.parametrize(
    ("crs", "around"),
    [
        ("EPSG:4267", (-140, 25, -60, 70)),
        ("EPSG:4230", (-9, 35, 30, 65)),
        ("EPSG:4301", (124, 25, 146, 46)),
        ("EPSG:5514", (12, 47.7, 22.6, 51)),
        ("EPSG:4272", (166, -47, 178, -34)),
    ],
)
def test_no_parcel_is_moved_by_the_others_in_its_file(crs: str, around: tuple[float, float, float, float]) -> None:
    """What PROJ holds best for all together is metres off for some: each is transformed as it is alone."""
    random = np.random.default_rng(5)
    west, south, east, north = around
    places = zip(random.uniform(west, east, 80), random.uniform(south, north, 80), strict=True)
    drawn = gpd.GeoSeries([shapely.box(x, y, x + 0.003, y + 0.003) for x, y in places], crs=4326)
    frame = gpd.GeoDataFrame(geometry=drawn.to_crs(crs))
    alone = {}
    for position in range(len(frame)):
        with suppress(CrsError):
            alone[position] = lonlat_of(frame.iloc[[position]])[0]

    together = lonlat_of(frame.iloc[list(alone)])

    assert len(alone) > 40
    assert [outline.wkb for outline in together] == [outline.wkb for outline in alone.values()]


def test_a_neighbour_over_the_border_does_not_move_a_parcel(tmp_path: Path) -> None:
    """In NAD27 beside the 49th parallel Canada's shift differs from that of the United States by 15 m."""
    parcel, neighbour = shapely.box(-101, 49.1, -100.99, 49.11), shapely.box(-101, 48.5, -100.99, 48.51)

    [alone] = lonlat_of(gpd.GeoDataFrame(geometry=[parcel], crs="EPSG:4267"))
    beside = lonlat_of(gpd.GeoDataFrame(geometry=[parcel, neighbour], crs="EPSG:4267"))

    assert beside[0].equals_exact(alone, 0)


@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:32634", "EPSG:4258", "EPSG:3857", "OGC:CRS84", "EPSG:3844"])
def test_a_crs_whose_shift_is_known_is_transformed(crs: str, tmp_path: Path) -> None:
    """To less than a pixel: back where it was drawn."""
    place = shapely.box(22.1485, 45.2065, 22.1505, 45.208)
    path = tmp_path / "parcels.parquet"
    gpd.GeoDataFrame({"parcel_id": ["a"]}, geometry=[place], crs=4326).to_crs(crs).to_parquet(path)

    [found] = read_parcels(path).geometry

    assert shapely.hausdorff_distance(found, place) < 1e-4


def test_a_link_s_own_name_says_what_it_is(tmp_path: Path) -> None:
    """parquet, though the file that it leads to has no ending."""
    deployment = a_parcels_case("parquet-symlink-without-ending", tmp_path)
    folder = deployment.program_path.parent
    [target] = [path for path in folder.iterdir() if not path.suffix]
    (folder / deployment.program.parcels).unlink(missing_ok=True)
    shutil.move(target, folder / "content")
    (folder / deployment.program.parcels).symlink_to(folder / "content")

    assert len(read_parcels(deployment.program.parcels_path)) > 0
