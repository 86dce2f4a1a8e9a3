"""Places and times as people's catalogues write them, through a whole month."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from export_months import exported
from field_cases import NDVI, a_case_served, a_field_case, field_month, run_all
from stac_servers import Asked, Json, Reply

from mrv_assets.reports.explain import answer as explain
from mrv_assets.scenes.bbox import touches_bbox


def as_published(asked: Asked, document: Json) -> Json:
    """An API that filters by longitudes as its items have them, and knows no circle."""
    if asked.path != "/search":
        return document
    shapes = (asked.body or {"intersects": json.loads(asked.query["intersects"])})["intersects"]["coordinates"]
    rings = [shape[0] for shape in shapes] if isinstance(shapes[0][0][0], list) else [shapes[0]]

    def met(item: Json) -> bool:
        west, south, east, north = item["bbox"]
        return any(
            min(x for x, _ in ring) <= east
            and west <= max(x for x, _ in ring)
            and min(y for _, y in ring) <= north
            and south <= max(y for _, y in ring)
            for ring in rings
        )

    features = [item for item in document["features"] if met(item)]
    return {**document, "features": features, "numberMatched": len(features)}


def test_longitudes_west_of_180_are_the_same_place(tmp_path: Path) -> None:
    """From disk, and from an API that compares them as they are written."""
    month = field_month("a1_bbox_west_of_180", tmp_path)
    with a_case_served("a37_api_box_west_of_180", tmp_path, as_published) as (deployment, _, _):
        served = run_all(deployment)

    for found in (month, served):
        assert found.rows["P1"]["ndvi_mean"] == pytest.approx(0.7610, abs=1e-4)


def test_an_api_that_takes_no_longitude_beyond_180_is_asked_without(tmp_path: Path) -> None:
    """Its refusal of the second outline is not the month's end."""

    def strict(asked: Asked, document: Json) -> Json | Reply:
        beyond = any(abs(x) > 180 for x in _longitudes(asked.body.get("intersects", {}).get("coordinates", [])))
        return Reply(status=400, body=b'{"detail": "longitude"}') if beyond else document

    with a_case_served("a2c_parcels_both_sides_api", tmp_path, strict) as (deployment, api, _):
        month = run_all(deployment)

    [asked, refused] = api.asked("/search")
    assert asked.body["intersects"]["type"] == "MultiPolygon"
    assert max(map(abs, _longitudes(refused.body["intersects"]["coordinates"]))) > 180
    assert month.used() == ["S2A_LOCAL"]


def _longitudes(coordinates: list[object]) -> list[float]:
    if coordinates and isinstance(coordinates[0], int | float):
        return [float(coordinates[0])]
    return [x for part in coordinates if isinstance(part, list) for x in _longitudes(part)]


def test_parcels_on_both_sides_are_not_the_world_s_belt(tmp_path: Path) -> None:
    """A scene of the same latitude half a world away is neither planned nor read nor counted."""
    month = field_month("a2_parcels_both_sides", tmp_path)

    assert month.used() == ["S2A_LOCAL"]
    assert month.excluded() == {}
    assert [row["ndvi_mean"] for row in month.rows.values()] == [pytest.approx(NDVI, abs=1e-4)] * 2


def test_a_file_that_lies_elsewhere_is_no_observation(tmp_path: Path) -> None:
    """Its item's bbox touches the parcels; its pixels do not."""
    with a_case_served("a2c_parcels_both_sides_api", tmp_path) as (deployment, _, _):
        month = run_all(deployment)

    [refused] = month.record("sentinel2/raw_tiles").output["refused"]
    assert refused["code"] == "elsewhere"
    assert month.decision()["observations"] == []


@pytest.mark.parametrize(
    ("case", "code"), [("a25_bbox_in_metres", "bbox_invalid"), ("a25b_bbox_lat_lon", "bbox_conflict")]
)
def test_an_impossible_bbox_is_settled_with_a_finding(case: str, code: str, tmp_path: Path) -> None:
    """The scene counts, and the doubt is where people look."""
    month = field_month(case, tmp_path)

    assert month.rows["P1"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)
    [part] = explain(month.deployment, "P1", month.month)["parts"]
    assert [doubt["finding"].partition(":")[0] for doubt in part["doubts"]] == [code]
    exported(month.deployment, "geoparquet", tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "parcels.parquet").to_pylist()
    assert {row["mrv_doubts"] for row in rows} == {f"{part['doubts'][0]['id']} {code}"}


def test_a_belt_around_the_globe_is_no_scene_of_this_place(tmp_path: Path) -> None:
    """It is not planned, and the month says that there were no scenes."""
    month = field_month("a26_box_belts_globe", tmp_path)

    assert month.used("sentinel1") == []
    assert month.decision("sentinel1")["reasons"] == ["no_scenes"]


def test_the_interval_decides_on_the_month(tmp_path: Path) -> None:
    """A datetime that is an upload's: the scene is of July, with a finding, and not of September."""
    month = field_month("a11_datetime_is_insertion", tmp_path)

    assert month.rows["P1"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)
    [observation] = month.decision()["observations"]
    [[finding]] = observation["findings"].values()
    assert finding.startswith("datetime_outside: ")
    assert observation["datetime"].startswith("2018-07-05")

    deployment = a_field_case("a11_datetime_is_insertion", tmp_path / "september")
    program = deployment.program_path
    program.write_text(program.read_text().replace("2018-07", "2018-09"))
    assert run_all(deployment).used() == []


def test_items_of_field_cases_are_what_they_say() -> None:
    """The far scene of the belt lies on the parcels' latitude: only longitude keeps it out."""
    item = {"bbox": [28.409, -17.0116, 28.421, -16.9999]}

    assert touches_bbox(item, (-180.0, -17.01, 180.0, -17.0))
    assert not touches_bbox(item, (179.99, -17.01, -179.99, -17.0))
