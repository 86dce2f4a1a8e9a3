"""The sensor: it runs months whose catalogue offers other scenes than the lake has."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest
from block_scenes import TILE, SceneSpec, publish
from demo_lake import a_deployment, run_months
from shapely.geometry import box, mapping
from stac_servers import Asked, Json, Reply, StacServer, Twist, stac_server
from three_months import AUGUST, JULY, JUNE, SCENES, keys_of

from mrv_assets.defs import sensors
from mrv_assets.defs.build import build_definitions
from mrv_assets.defs.partitions import register_tiles
from mrv_assets.defs.resources import MrvResource
from mrv_assets.defs.sensors import new_scenes_sensor
from mrv_assets.deployment import Deployment
from mrv_assets.settings import current


def tick(deployment: Deployment, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    """One evaluation of the sensor."""
    mrv = MrvResource(program_path=str(deployment.program_path), lake_path=str(deployment.lake_path), loopback=True)
    result = new_scenes_sensor(deployment.program)(
        dg.build_sensor_context(instance=instance, cursor=cursor, resources={"mrv": mrv})
    )
    assert isinstance(result, dg.SensorResult)
    return result


def keys(result: dg.SensorResult) -> list[str | None]:
    """Partitions a tick asks for."""
    return [request.partition_key for request in result.run_requests or []]


def test_a_tick_asks_for_months_with_scenes_the_lake_does_not_have(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    """June is in the lake: its scenes are known. A scene processed again makes it wanted once more."""
    run_months(deployment, [JUNE])
    first = tick(deployment, instance)
    run_months(deployment, [JULY, AUGUST])
    quiet = tick(deployment, instance, first.cursor)
    shutil.rmtree(deployment.program_path.parent / "catalogue")
    publish(
        deployment.program_path.parent / "catalogue", [*SCENES[1:], SceneSpec(id=JUNE, properties={"view:azimuth": 1})]
    )

    withdrawn = tick(deployment, instance, quiet.cursor)

    assert keys(first) == keys_of(JULY, AUGUST)
    assert keys(quiet) == []
    # The scene of June now has July's date: June lost it, and July has one more.
    assert keys(withdrawn) == keys_of(JUNE, JULY)


def test_a_run_key_is_of_the_scenes(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    """Asked again before the run is done, a month has the same key, so Dagster starts it once."""
    once, again = tick(deployment, instance), tick(deployment, instance)

    run_keys = [request.run_key for request in once.run_requests or []]
    assert len(set(run_keys)) == 3
    assert [request.run_key for request in again.run_requests or []] == run_keys


def test_a_tick_is_bounded_and_the_next_goes_on_behind_it(
    deployment: Deployment, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs a tick: June and July, then August, and then from the beginning."""
    monkeypatch.setattr(sensors, "RUNS_PER_TICK", 2)

    first = tick(deployment, instance)
    second = tick(deployment, instance, first.cursor)

    assert keys(first) == keys_of(JUNE, JULY)
    assert json.loads(first.cursor or "") == {"tile": TILE, "month": JULY}
    assert keys(second)[0] == keys_of(AUGUST)[0]


FAR = "34TGR"
"""The tile of a second parcel, of which no scene is published."""


@pytest.fixture
def two_tiles(deployment: Deployment, instance: dg.DagsterInstance) -> Deployment:
    """The programme with a parcel in a tile further east, registered too."""
    outlines = json.loads((deployment.program_path.parent / "parcels.geojson").read_text())
    far = {"type": "Feature", "properties": {"parcel_id": "far"}, "geometry": mapping(box(24.5, 45.6, 24.51, 45.61))}
    outlines["features"].append(far)
    (deployment.program_path.parent / "parcels.geojson").write_text(json.dumps(outlines))
    both = a_deployment(deployment.program_path)
    register_tiles(instance, both.program, both.tiles)
    return both


def test_a_tick_searches_so_many_tiles_and_the_next_goes_on_behind_them(
    two_tiles: Deployment, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A programme of hundreds of tiles does not ask a catalogue hundreds of questions at once."""
    monkeypatch.setattr(sensors, "TILES_PER_TICK", 1)

    first = tick(two_tiles, instance)
    second = tick(two_tiles, instance, first.cursor)
    third = tick(two_tiles, instance, second.cursor)

    assert [json.loads(one.cursor or "")["tile"] for one in (first, second, third)] == [TILE, FAR, TILE]
    assert [keys(one) for one in (first, second, third)] == [
        keys_of(JUNE, JULY, AUGUST),
        [],
        keys_of(JUNE, JULY, AUGUST),
    ]


@contextmanager
def searched(deployment: Deployment, twist: Twist) -> Iterator[StacServer]:
    """The programme's catalogue as an API, which answers as twisted."""
    items = [json.loads(path.read_bytes()) for path in deployment.program_path.parent.glob("catalogue/items/*/*.json")]
    with stac_server(items, twist=twist) as server:
        text = deployment.program_path.read_text()
        deployment.program_path.write_text(text.replace("catalog: catalogue", f"catalog: {server.root}"))
        yield server


def test_a_tile_that_cannot_be_searched_does_not_keep_the_others_waiting(
    two_tiles: Deployment, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tick says which and why, and goes on; once all were looked at, that tile is asked about again."""
    refusing = True

    def twist(asked: Asked, document: Json) -> Json | Reply:
        if asked.path != "/search":
            return document
        west = min(position[0] for position in asked.body["intersects"]["coordinates"][0])
        if west > 24:
            return {**document, "features": [], "numberMatched": 0}
        return Reply(status=400, body=b'{"detail": "not now"}') if refusing else document

    monkeypatch.setattr(sensors, "TILES_PER_TICK", 1)
    with searched(two_tiles, twist):
        failed = tick(two_tiles, instance)
        behind = tick(two_tiles, instance, failed.cursor)
        refusing = False
        again = tick(two_tiles, instance, behind.cursor)

    assert [json.loads(one.cursor or "")["tile"] for one in (failed, behind, again)] == [TILE, FAR, TILE]
    assert f"The search of tile {TILE} failed. Catalogue http" in str(failed.skip_reason)
    assert "not now" in str(failed.skip_reason)
    assert "0 tiles searched" in str(failed.skip_reason)
    assert [keys(one) for one in (failed, behind, again)] == [[], [], keys_of(JUNE, JULY, AUGUST)]


def test_months_that_are_too_many_for_one_search_are_asked_for_apart(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    """Years of a tile have more scenes than one search may bring: it is halved until it may."""

    def twist(asked: Asked, document: Json) -> Json | Reply:
        if asked.path != "/search":
            return document
        start, end = (datetime.fromisoformat(instant) for instant in asked.body["datetime"].split("/"))
        if (end - start).days > 31:
            [item, *_] = document["features"]
            bare = {key: item[key] for key in ("type", "collection", "bbox", "geometry")}
            return {**document, "features": [{**bare, "id": str(n)} for n in range(5001)], "numberMatched": 5001}
        inside = [
            i for i in document["features"] if start <= datetime.fromisoformat(i["properties"]["datetime"]) <= end
        ]
        return {**document, "features": inside, "numberMatched": len(inside)}

    with searched(deployment, twist) as server:
        result = tick(deployment, instance)

    months = [asked.body["datetime"][:7] for asked in server.asked("/search")]
    assert months == [JUNE, JUNE, JULY, JULY, AUGUST]
    assert keys(result) == keys_of(JUNE, JULY, AUGUST)


def test_a_cursor_of_another_programme_starts_anew(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    """Tiles and months come and go; a cursor that names none of them is no error."""
    gone = json.dumps({"tile": "35TLM", "month": "2011-01"})

    assert keys(tick(deployment, instance, gone)) == keys_of(JUNE, JULY, AUGUST)


def test_without_registered_tiles_a_tick_says_what_to_run(deployment: Deployment) -> None:
    """It would ask for partitions that do not exist."""
    result = tick(deployment, dg.DagsterInstance.ephemeral())

    assert keys(result) == []
    assert "mrv tiles" in str(result.skip_reason)


def test_the_run_a_tick_asks_for_runs(deployment: Deployment, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Partition and job fit together: what is asked for materializes the month, and is not asked for again."""
    [request, *_] = tick(deployment, instance).run_requests or []
    environ = {"MRV_PROGRAM": str(deployment.program_path), "MRV_LAKE": str(deployment.lake_path)}
    job = build_definitions(current(environ, tmp_path)).resolve_job_def("tile_month")

    done = job.execute_in_process(partition_key=request.partition_key, instance=instance)

    assert done.success
    assert keys(tick(deployment, instance)) == keys_of(JULY, AUGUST)
