"""The parcels file: what is read from it, and that everything wrong with it is told at once."""

from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from program_builders import A_FIELD, a_feature, a_geojson
from pyproj import Transformer

from mrv_assets.errors import Problem, ProgramError
from mrv_assets.programme.parcels import read_parcels

BOWTIE = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


def problems_of(path: Path) -> dict[str, Problem]:
    """The problems reading a file tells of, by field; each field once."""
    with pytest.raises(ProgramError) as caught:
        read_parcels(path)
    problems = {problem.field: problem for problem in caught.value.problems}
    assert len(problems) == len(caught.value.problems)
    return problems


def test_parcels_come_sorted_by_id_in_degrees(tmp_path: Path) -> None:
    """Whatever the file's order; ids are text, and other properties stay in the file."""
    path = a_geojson(tmp_path, a_feature("b"), a_feature(12), a_feature("a"))

    parcels = read_parcels(path)

    assert list(parcels["parcel_id"]) == ["12", "a", "b"]
    assert list(parcels.columns) == ["parcel_id", "geometry"]
    assert parcels.crs == "EPSG:4326"
    assert list(parcels.index) == [0, 1, 2]
    assert all(geometry.equals(A_FIELD) for geometry in parcels.geometry)


def test_coordinates_are_taken_as_they_are(tmp_path: Path) -> None:
    """All digits: the digest of a parcel is of what its owner wrote. A height is no part of an outline."""
    points = [(22.123456789012, 45.1, 300.5), (22.2, 45.1, 300.5), (22.2, 45.2, 300.5)]
    path = a_geojson(tmp_path, a_feature("a", shapely.Polygon(points)))

    [geometry] = read_parcels(path).geometry

    assert not geometry.has_z
    assert shapely.get_coordinates(geometry)[0].tolist() == [22.123456789012, 45.1]


def test_an_older_geojson_may_say_that_it_is_in_degrees(tmp_path: Path) -> None:
    """QGIS and OGR write this member still."""
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}

    parcels = read_parcels(a_geojson(tmp_path, a_feature("a"), crs=crs))

    assert len(parcels) == 1


def test_a_geojson_in_another_crs_is_refused(tmp_path: Path) -> None:
    """RFC 7946 knows degrees only; reading metres as degrees would be a parcel elsewhere."""
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32634"}}

    problems = problems_of(a_geojson(tmp_path, a_feature("a"), crs=crs))

    assert "EPSG::32634" in problems["parcels.geojson"].reason
    assert "GeoParquet" in problems["parcels.geojson"].cure


def test_geoparquet_in_degrees_is_read_as_it_is(tmp_path: Path) -> None:
    """Both files of the same parcels give the same parcels, to the bit."""
    odd = shapely.Polygon([(22.123456789012345, 45.1), (22.2, 45.1), (22.2, 45.2)])
    path = tmp_path / "parcels.parquet"
    gpd.GeoDataFrame({"parcel_id": ["b", "a"]}, geometry=[A_FIELD, odd], crs="OGC:CRS84").to_parquet(path)

    parcels = read_parcels(path)

    assert parcels.equals(read_parcels(a_geojson(tmp_path, a_feature("a", odd), a_feature("b"))))


def test_geoparquet_in_another_crs_is_brought_to_degrees(tmp_path: Path) -> None:
    """Within the lattice of 1e-9 degrees that computed coordinates lie on."""
    to_lonlat = Transformer.from_crs("EPSG:32634", "EPSG:4326", always_xy=True)
    path = tmp_path / "parcels.geoparquet"
    box = shapely.box(600_000, 5_000_000, 600_100, 5_000_100)
    frame = gpd.GeoDataFrame({"parcel_id": [7]}, geometry=gpd.GeoSeries([box], crs="EPSG:32634"))
    frame.rename_geometry("outline").to_parquet(path)

    [geometry] = read_parcels(path).geometry

    expected = to_lonlat.transform(600_000, 5_000_000)
    corner = min(shapely.get_coordinates(geometry).tolist(), key=lambda point: point[0] + point[1])
    assert corner == pytest.approx(expected, abs=6e-10)
    assert corner == [round(corner[0], 9), round(corner[1], 9)]


def test_a_parcel_split_at_the_antimeridian_is_one_parcel(tmp_path: Path) -> None:
    """RFC 7946 has it as a multipolygon, one piece on each side."""
    fiji = shapely.MultiPolygon([shapely.box(179.9, -17, 180, -16.9), shapely.box(-180, -17, -179.9, -16.9)])

    parcels = read_parcels(a_geojson(tmp_path, a_feature("fiji", fiji)))

    assert parcels.geometry[0].equals(fiji)


def test_every_problem_of_every_feature_is_told_at_once(tmp_path: Path) -> None:
    """Each with its feature's place in the file, and each geometry once."""
    path = a_geojson(
        tmp_path,
        a_feature("good"),
        a_feature(None),
        a_feature("good"),
        a_feature("bowtie", BOWTIE),
        a_feature("null", None),
        a_feature("empty", {"type": "Polygon", "coordinates": []}),
        a_feature("point", shapely.Point(1, 1)),
        a_feature("north", shapely.box(10, 83.9, 11, 84.1)),
        a_feature("south", shapely.box(10, -80.1, 11, -80)),
        a_feature("swapped", shapely.box(45.2, 122.1, 45.3, 122.2)),
        a_feature("far", shapely.box(179.9, 0, 180.1, 1)),
        a_feature("around", shapely.box(-179.9, 0, 179.9, 1)),
        a_feature("flat", {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}),
        a_feature("words", {"type": "Polygon", "coordinates": "here"}),
        a_feature("odd", {"type": "Blob", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 0]]]}),
        a_feature(1.5),
        a_feature(True),
        a_feature(" spaced"),
        a_feature("two\nlines"),
        a_feature(""),
    )

    problems = problems_of(path)

    names = {field.partition("features")[2]: problem.reason for field, problem in problems.items()}
    assert all(field.startswith("parcels.geojson: features[") for field in problems)
    assert list(names) == [
        *(f"[{number}].geometry" for number in range(3, 15)),
        "[1].properties.parcel_id",
        "[2].properties.parcel_id",
        *(f"[{number}].properties.parcel_id" for number in range(15, 20)),
    ]
    assert names["[3].geometry"] == "it is not a valid polygon"
    assert problems["parcels.geojson: features[3].geometry"].value == "Self-intersection[0.5 0.5]"
    assert names["[4].geometry"] == names["[5].geometry"] == "it is empty"
    assert names["[6].geometry"] == "it is not a polygon"
    assert names["[7].geometry"] == names["[8].geometry"] == "its latitude is beyond UTM"
    assert "leaves longitude" in names["[9].geometry"]
    assert "leaves longitude" in names["[10].geometry"]
    assert "more than half around" in names["[11].geometry"]
    assert names["[13].geometry"] == names["[14].geometry"] == "it is not a GeoJSON geometry"
    assert names["[1].properties.parcel_id"] == "it is missing"
    assert "features[0].properties.parcel_id has the same id" in names["[2].properties.parcel_id"]


def test_the_number_1_and_the_text_1_are_the_same_id(tmp_path: Path) -> None:
    """Both would be the row "1" of every table."""
    problems = problems_of(a_geojson(tmp_path, a_feature(1), a_feature("1")))

    assert "has the same id" in problems["parcels.geojson: features[1].properties.parcel_id"].reason


def test_latitudes_up_to_the_ends_of_utm_are_allowed(tmp_path: Path) -> None:
    """80 degrees south and 84 north belong to it."""
    path = a_geojson(
        tmp_path, a_feature("a", shapely.box(10, 83.9, 11, 84)), a_feature("b", shapely.box(10, -80, 11, -79.9))
    )

    parcels = read_parcels(path)

    assert len(parcels) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"type": "FeatureCollection", "features": [NaN]}', "NaN is not a number"),
        ("[]", "not a FeatureCollection"),
        ('{"type": "Feature"}', "not a FeatureCollection"),
        ('{"type": "FeatureCollection"}', "not a FeatureCollection"),
        ('{"type": "FeatureCollection", "features": []}', "no parcels"),
    ],
)
def test_a_file_that_is_no_feature_collection_is_one_message(tmp_path: Path, text: str, says: str) -> None:
    """Named by its file, never a stack trace."""
    path = tmp_path / "parcels.geojson"
    path.write_text(text)

    problems = problems_of(path)

    assert says in problems["parcels.geojson"].reason


def test_features_of_other_things_are_told_each(tmp_path: Path) -> None:
    """A feature that is null, or whose properties are a list, has no id and no geometry."""
    path = tmp_path / "parcels.geojson"
    path.write_text('{"type": "FeatureCollection", "features": [null, {"properties": [1], "geometry": 3}]}')

    problems = problems_of(path)

    assert {field.removeprefix("parcels.geojson: ") for field in problems} == {
        "features[0].properties.parcel_id",
        "features[0].geometry",
        "features[1].properties.parcel_id",
        "features[1].geometry",
    }


@pytest.mark.parametrize("name", ["parcels.geojson", "parcels.parquet"])
def test_a_missing_file_is_a_message(tmp_path: Path, name: str) -> None:
    """With the file's name."""
    problems = problems_of(tmp_path / name)

    assert problems[name].reason == "there is no such file"


def test_a_damaged_geoparquet_is_a_message(tmp_path: Path) -> None:
    """Cut off, or plain Parquet without geometry."""
    path = tmp_path / "parcels.parquet"
    path.write_bytes(b"PAR1 and nothing else")

    problems = problems_of(path)

    assert "not GeoParquet" in problems["parcels.parquet"].reason


def test_geoparquet_problems_name_their_row(tmp_path: Path) -> None:
    """Ids and geometries as for GeoJSON."""
    path = tmp_path / "parcels.parquet"
    frame = gpd.GeoDataFrame({"parcel_id": ["a", "a", None, "b"]}, geometry=[A_FIELD, A_FIELD, BOWTIE, None], crs=4326)
    frame.to_parquet(path)

    problems = problems_of(path)

    assert {field.removeprefix("parcels.parquet: ") for field in problems} == {
        "row[1].parcel_id",
        "row[2].parcel_id",
        "row[2].geometry",
        "row[3].geometry",
    }


def test_geoparquet_without_ids_or_crs_is_refused(tmp_path: Path) -> None:
    """Neither can be guessed."""
    path = tmp_path / "parcels.parquet"

    gpd.GeoDataFrame(geometry=[A_FIELD], crs=4326).to_parquet(path)
    assert problems_of(path)["parcels.parquet: row[0].parcel_id"].reason == "it is missing"

    gpd.GeoDataFrame({"parcel_id": ["a"]}, geometry=[A_FIELD]).to_parquet(path)
    assert "which CRS" in problems_of(path)["parcels.parquet"].reason


def test_coordinates_that_cannot_be_brought_to_degrees_are_told(tmp_path: Path) -> None:
    """A wrong CRS puts parcels where there is no Earth."""
    path = tmp_path / "parcels.parquet"
    frame = gpd.GeoDataFrame({"parcel_id": ["a"]}, geometry=[shapely.box(1e12, 1e12, 2e12, 2e12)], crs="EPSG:32634")
    frame.to_parquet(path)

    problems = problems_of(path)

    assert list(problems) == ["parcels.parquet: row[0].geometry"]
