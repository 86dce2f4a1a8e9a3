"""A month through all stages: scenes found by stac-fastapi-pgstac, their files read in ranges from a server."""

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from block_scenes import CORNER, MONTH, TILE, Box, SceneSpec, parcels, publish
from demo_lake import a_deployment, a_program, rows, run_months
from pgstac_servers import Pgstac
from servers import range_server

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import observations_of
from mrv_assets.stac import open as opening

PARCEL = {"p": Box(row=CORNER - 40, col=CORNER - 40, height=20, width=20)}
SCENES = [
    *(SceneSpec(id=f"of {day:02d}", when=f"2018-07-{day:02d}T09:30:00Z") for day in range(1, 12)),
    SceneSpec(id="last", when="2018-07-31T23:59:59.999Z", dn={"nir": 5500}),
    SceneSpec(id="of August", when="2018-08-01T00:00:00Z"),
]
COLLECTION = "sentinel-2"
ASSETS = [
    *(f"sentinel2/{name}" for name in ("raw_tiles", "aligned_tiles", "masked_tiles", "indices", "gated_tiles")),
    "monthly_proxies",
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Deployment]:
    """The month from a static catalogue, run."""
    publish(tmp_path / "catalogue", SCENES)
    deployment = a_programme(tmp_path / "disk", str(tmp_path / "catalogue"))
    run_months(deployment, [MONTH])
    yield deployment
    opening.forget_connections()


def a_programme(folder: Path, catalog: str) -> Deployment:
    """A programme of one month and one parcel; this machine may be asked."""
    months = {"start": MONTH, "end": MONTH}
    program = a_program(folder, parcels=parcels(**PARCEL), catalog=catalog, collection=COLLECTION, months=months)
    return replace(a_deployment(program), loopback=True)


def digests(deployment: Deployment) -> dict[tuple[str, str], str]:
    """Of each band of each scene that was read."""
    return {
        (scene["id"], name): band["sha256"]
        for observation in observations_of(deployment.lake.current(Partition("sentinel2/raw_tiles", TILE, MONTH)))
        for scene in observation["scenes"]
        for name, band in scene["bands"].items()
    }


def test_a_month_is_the_same_from_the_api_and_from_disk(stac: Pgstac, disk: Deployment, tmp_path: Path) -> None:
    """All six assets: every value of the table, the bytes of every file, and how many scenes there were and counted."""
    with range_server() as files:
        items = []
        for number, path in enumerate(sorted((tmp_path / "catalogue").glob("items/*/*.json"))):
            item = json.loads(path.read_bytes())
            for key, asset in item["assets"].items():
                data = (path.parent / asset["href"]).read_bytes()
                asset["href"] = files.put(f"{number}/{key}.tif", data)
                asset["file:checksum"] = f"1220{sha256(data).hexdigest()}"
            items.append(item)
        stac.load(items, {"red": {"type": "image/tiff", "title": "Red"}})
        deployment = a_programme(tmp_path / "network", stac.root)

        done = run_months(deployment, [MONTH])[MONTH]
        again = run_months(deployment, [MONTH])[MONTH]

    assert list(done) == ASSETS
    assert {name: one.audit_hash for name, one in again.items()} == {name: o.audit_hash for name, o in done.items()}
    assert rows(deployment, MONTH) == rows(disk, MONTH)
    assert rows(deployment, MONTH)["p"]["n_obs"] == 12
    assert digests(deployment) == digests(disk)
    raw = deployment.lake.current(Partition("sentinel2/raw_tiles", TILE, MONTH))
    assert raw.document["plan"]["catalogue"] == stac.root
    # Ranges alone were read, of files and not from the API.
    assert all(asked.range for asked in files.log)
