"""What Dagster keeps of runs over signed links: metadata, events, stack traces, logs, on disk and in its databases."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from block_scenes import CORNER, MONTH, TILE, Box, SceneSpec, parcels, publish
from demo_lake import a_program
from servers import Fault, RangeServer, range_server
from stac_servers import stac_server

from mrv_assets.defs.partitions import register_tiles
from mrv_assets.defs.resources import MrvResource
from mrv_assets.defs.runs import dagster_instance, materialize_tile_month
from mrv_assets.errors import SceneReadError
from mrv_assets.settings import Settings, current
from mrv_assets.stac import open as opening

SECRET = "s3cr3t-t0k3n"
PARCEL = {"p": Box(row=CORNER - 40, col=CORNER - 40, height=20, width=20)}
SCENES = (SceneSpec(id="used", when="2018-07-10T09:30:00Z"), SceneSpec(id="refused", when="2018-07-20T09:30:00Z"))


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Settings, RangeServer]]:
    """A programme over an API whose links are signed; a band of its second scene lies where nobody may ask."""
    catalogue = publish(tmp_path / "catalogue", SCENES)
    with range_server() as server:
        items = [json.loads((catalogue / "items" / number / "item.json").read_bytes()) for number in ("0", "1")]
        for number, item in enumerate(items):
            for key, asset in item["assets"].items():
                data = (catalogue / "items" / str(number) / asset["href"]).read_bytes()
                asset["href"] = f"{server.put(f'{number}/{key}.tif', data)}?sig={SECRET}"
            item["assets"]["thumbnail"] = {"href": f"https://user:{SECRET}@example.com/a.png", "roles": ["thumbnail"]}
        items[1]["assets"]["red"]["href"] = f"https://user:{SECRET}@elsewhere.example.com/red.tif?sig={SECRET}"
        with stac_server(items) as api:
            program = a_program(
                tmp_path,
                parcels=parcels(**PARCEL),
                catalog=api.root,
                collection="sentinel-2",
                months={"start": MONTH, "end": MONTH},
            )
            home = tmp_path / "dagster"
            monkeypatch.setenv("DAGSTER_HOME", str(home))
            environ = {"MRV_PROGRAM": str(program), "MRV_ALLOW_LOOPBACK": "1", "DAGSTER_HOME": str(home)}
            yield current(environ, tmp_path), server
    opening.forget_connections()


def test_no_secret_reaches_dagster(month: tuple[Settings, RangeServer], tmp_path: Path) -> None:
    """Neither of a run that fails, with all its stack traces, nor of one that refuses a scene and counts another."""
    settings, server = month
    deployment = MrvResource.of(settings).deployment()
    server.always["0/nir.tif"] = Fault(kind="status", status=403, body=SECRET.encode())

    with dagster_instance(settings) as instance:
        register_tiles(instance, deployment.program, deployment.tiles)
        with pytest.raises(SceneReadError):
            materialize_tile_month(instance, settings, TILE, MONTH)
        del server.always["0/nir.tif"]
        opening.forget_connections()
        ran = materialize_tile_month(instance, settings, TILE, MONTH)

    kept = {path: path.read_bytes() for path in (tmp_path / "dagster").rglob("*") if path.is_file()}
    told = b"".join(kept.values())
    # What is looked through is what was told: the error, its scene and band; the refusal; and the records.
    assert b"could not read" in told
    assert b"host_refused" in told
    assert ran[0].audit_hash.encode() in told
    assert [path.name for path, data in kept.items() if SECRET.encode() in data] == []
    lake = [path for path in settings.lake_path.rglob("*") if path.is_file()]
    assert [path.name for path in lake if SECRET.encode() in path.read_bytes()] == []
