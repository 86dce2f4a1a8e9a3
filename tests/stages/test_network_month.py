"""A month over the network: a real STAC API and a real server of byte ranges, both on this machine."""

import itertools
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from block_scenes import AROUND, CORNER, GRID, MONTH, TILE, Box, SceneSpec, parcels, publish
from demo_lake import a_deployment, a_program, rows, run_months, up_to
from servers import Fault, RangeServer, range_server
from stac_servers import rustac_server

from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.errors import CatalogueError, NotReproducible, SceneReadError
from mrv_assets.formats.artifacts import observations_of
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.reports.verify import answer as verify
from mrv_assets.stac import open as opening
from mrv_assets.stac.open import not_a_file
from mrv_assets.stages.materialize import Materialized, Outcome
from mrv_assets.stages.options import NotAnswered, RunOptions
from mrv_assets.stages.raw_tiles import copy_scenes, published_for, raw_tiles
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.http import HttpTransport
from mrv_assets.transport.limits import Limits
from mrv_assets.verify.verification import Options

Json = dict[str, Any]

PARCEL = {"p": Box(row=CORNER - 40, col=CORNER - 40, height=20, width=20)}
SCENES = (
    SceneSpec(id="first", when="2018-07-10T09:30:00Z"),
    SceneSpec(id="last", when="2018-07-31T23:59:59.999Z", dn={"nir": 5500}),
    SceneSpec(id="of August", when="2018-08-01T00:00:00Z"),
)
SECRET = "s3cr3t-t0k3n"


@dataclass(frozen=True, kw_only=True)
class Network:
    """The scenes' files on a server of ranges; their items and the static catalogue they came from."""

    files: RangeServer
    items: tuple[Json, ...]
    on_disk: Path


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """Scenes published on a server, with a token in each link."""
    catalogue = publish(tmp_path / "catalogue", SCENES)
    with range_server() as server:
        items = []
        for number, path in enumerate(sorted(catalogue.glob("items/*/*.json"))):
            item = json.loads(path.read_bytes())
            for key, asset in item["assets"].items():
                data = (path.parent / asset["href"]).read_bytes()
                asset["href"] = f"{server.put(f'{number}/{key}.tif', data)}?sig={SECRET}"
                asset["file:checksum"] = f"1220{sha256(data).hexdigest()}"
            items.append(item)
        yield Network(files=server, items=tuple(items), on_disk=catalogue)
    opening.forget_connections()


@pytest.fixture
def deployment(network: Network, tmp_path: Path) -> Iterator[Deployment]:
    """A programme whose catalogue is an API, not yet run."""
    (tmp_path / "api").mkdir()
    with rustac_server(tmp_path / "api", network.items) as root:
        yield a_programme(tmp_path / "network", root)


def a_programme(folder: Path, catalog: str, **mission: str) -> Deployment:
    """A programme of one month and one parcel, by a catalogue; this machine may be asked."""
    program = a_program(
        folder,
        parcels=parcels(**PARCEL),
        catalog=catalog,
        collection="sentinel-2",
        months={"start": MONTH, "end": MONTH},
        **({"integrity": mission["integrity"]} if mission else {}),
    )
    return replace(a_deployment(program), loopback=True)


def raw(deployment: Deployment) -> Record:
    """The month's raw tiles."""
    return deployment.lake.current(Partition("sentinel2/raw_tiles", TILE, MONTH))


def bands(deployment: Deployment) -> dict[tuple[str, str], Json]:
    """What the lake says of each band of each scene."""
    return {
        (scene["id"], name): band
        for observation in observations_of(raw(deployment))
        for scene in observation["scenes"]
        for name, band in scene["bands"].items()
    }


def test_a_month_is_the_same_from_the_network_and_from_disk(
    deployment: Deployment, network: Network, tmp_path: Path
) -> None:
    """Every value of the table, and the bytes of every file; the last millisecond of the month belongs to it."""
    local = a_programme(tmp_path / "disk", str(network.on_disk))
    run_months(local, [MONTH])

    run_months(deployment, [MONTH])

    assert rows(deployment, MONTH) == rows(local, MONTH)
    assert rows(deployment, MONTH)["p"]["n_obs"] == 2
    stored, there = bands(deployment), bands(local)
    assert {key: band["sha256"] for key, band in stored.items()} == {key: b["sha256"] for key, b in there.items()}
    assert {scene for scene, _ in stored} == {"first", "last"}
    assert raw(deployment).document["plan"]["catalogue"].startswith("http://127.0.0.1:")


def test_no_link_in_the_lake_has_its_token(deployment: Deployment) -> None:
    """Links are kept without what signs them, in records, sidecars, run records and items, whose digests are those."""
    run_months(deployment, [MONTH])

    assert all("?" not in band["href"] for band in bands(deployment).values())
    files = [path for path in deployment.lake_path.rglob("*") if path.is_file()]
    assert [path.name for path in files if SECRET.encode() in path.read_bytes()] == []
    items = {item["id"]: item["item_sha256"] for item in raw(deployment).inputs["items"]}
    kept = [path.read_bytes() for path in files if path.name == "item.json"]
    assert sorted(sha256(data).hexdigest() for data in kept) == sorted(items.values())


def test_faults_change_no_byte(deployment: Deployment, network: Network, tmp_path: Path) -> None:
    """With the first answer for every file spoilt, in one way or another: the same record as over a calm network."""
    up_to("raw_tiles", deployment)
    stormy = replace(deployment, lake_path=tmp_path / "stormy")
    opening.forget_connections()
    faults = itertools.cycle(["reset", "truncate", "busy", "broken", "lying_length", "other_range", "truncated_chunks"])
    for name, fault in zip(network.files.contents, faults):
        network.files.fail(name, fault)

    up_to("raw_tiles", stormy)

    asked = {name: len(network.files.asked(name)) for name in network.files.contents if name[0] in "01"}
    assert min(asked.values()) >= 3
    assert raw(stormy).audit_hash == raw(deployment).audit_hash


def test_a_run_that_failed_is_taken_up_where_it_stopped(deployment: Deployment, network: Network) -> None:
    """One file is kept back by its server: the error names it. Given again, only what is missing is read again."""
    network.files.always["1/swir22.tif"] = Fault(kind="status", status=401)
    with pytest.raises(SceneReadError, match=r"last.*swir22.*127\.0\.0\.1") as error:
        up_to("raw_tiles", deployment)
    del network.files.always["1/swir22.tif"]
    opening.forget_connections()
    before = len(network.files.log)

    up_to("raw_tiles", deployment)

    assert SECRET not in str(error.value)
    # Tiles lie behind the header; the small files of the test are a header and little more.
    again = [asked.range for asked in network.files.log[before:] if asked.range != "bytes=0-16383"]
    assert again == []
    assert len(bands(deployment)) == 14
    assert not list((deployment.lake_path / ".unfinished").rglob("*.tif"))


@pytest.mark.parametrize("right", [True, False], ids=["the published file", "another"])
def test_full_integrity_compares_each_file_with_its_checksum(network: Network, tmp_path: Path, right: bool) -> None:
    """A file that is not the one its checksum is of refuses its scene, with both digests; the other one counts."""
    items = json.loads(json.dumps(network.items))
    if not right:
        items[0]["assets"]["red"]["file:checksum"] = f"1220{'00' * 32}"
    (tmp_path / "api").mkdir()
    with rustac_server(tmp_path / "api", items) as root:
        deployment = a_programme(tmp_path / "full", root)
        program = deployment.program_path
        program.write_text(
            program.read_text().replace("collection: sentinel-2", "collection: sentinel-2\n    integrity: full")
        )

        up_to("raw_tiles", deployment)

    refused = raw(deployment).output["refused"]
    assert [(one["id"], one["code"]) for one in refused] == ([] if right else [("first", "checksum_mismatch")])
    assert {band["integrity"] for band in bands(deployment).values()} == {"full"}
    assert {scene for scene, _ in bands(deployment)} == ({"first", "last"} if right else {"last"})
    if not right:
        assert "00" * 32 in refused[0]["detail"]


@pytest.fixture
def checked(network: Network, tmp_path: Path) -> Iterator[Deployment]:
    """A programme that compares each file with its checksum, not yet run.

    One file is of noise, so that it does not fit into what is read of its header.
    """
    noise = np.random.default_rng(4).integers(1400, 1600, (AROUND.height, AROUND.width), np.uint16)
    data = (publish(tmp_path / "noise", [replace(SCENES[0], dn={"red": noise})]) / "items/0/red.tif").read_bytes()
    network.files.put("0/red.tif", data)
    network.items[0]["assets"]["red"]["file:checksum"] = f"1220{sha256(data).hexdigest()}"
    (tmp_path / "api").mkdir()
    with rustac_server(tmp_path / "api", network.items) as root:
        deployment = a_programme(tmp_path / "full", root)
        program = deployment.program_path
        program.write_text(
            program.read_text().replace("collection: sentinel-2", "collection: sentinel-2\n    integrity: full")
        )
        yield deployment


def test_full_integrity_is_of_the_bytes_that_are_stored(checked: Deployment, network: Network) -> None:
    """A server that gives the right file from its start, and other bytes where it is asked for a part further in."""
    network.files.always["0/red.tif"] = Fault(kind="lies_inside")
    published = network.files.contents["0/red.tif"].data

    up_to("raw_tiles", checked)

    red = bands(checked)["first", "red"]
    assert len(published) > 16_384
    assert red["integrity"] == "full"
    parts = [published[offset : offset + length] for offset, length in red["ranges"]]
    assert red["sha256"] == [sha256(part).hexdigest() for part in parts]
    # The header and, once, the whole.
    assert network.files.asked("0/red.tif") == ["bytes=0-16383", f"bytes=0-{len(published) - 1}"]


def test_full_integrity_is_of_the_header_too(checked: Deployment, network: Network) -> None:
    """Pixels are placed by it: where the server gives another when asked for it alone, the scene is refused."""
    content = network.files.contents["0/red.tif"]
    west = GRID.x0 + AROUND.col * 10
    moved = content.data[:16_384].replace(struct.pack("<d", west), struct.pack("<d", west + 20))
    headers = {"ETag": str(content.etag), "Content-Range": f"bytes 0-16383/{len(content.data)}"}
    network.files.fail("0/red.tif", Fault(kind="status", status=206, headers=headers, body=moved))

    up_to("raw_tiles", checked)

    [refused] = raw(checked).output["refused"]
    assert moved != content.data[:16_384]
    assert (refused["id"], refused["code"]) == ("first", "checksum_mismatch")
    assert "another header" in refused["detail"]


def test_a_link_to_a_host_nobody_named_is_not_followed(network: Network, tmp_path: Path) -> None:
    """Its scene is refused, and says which host; nothing is asked of it."""
    items = json.loads(json.dumps(network.items))
    items[0]["assets"]["red"]["href"] = "https://metadata.internal.example/latest/red.tif?sig=1"
    (tmp_path / "api").mkdir()
    with rustac_server(tmp_path / "api", items) as root:
        deployment = a_programme(tmp_path / "network", root)

        up_to("raw_tiles", deployment)

    [refused] = raw(deployment).output["refused"]
    assert (refused["id"], refused["code"]) == ("first", "host_refused")
    assert "metadata.internal.example" in refused["detail"]
    assert "MRV_ALLOW_HOSTS" in refused["detail"]
    assert "sig=" not in refused["detail"]


def test_this_machine_is_not_asked_unless_it_is_said(deployment: Deployment) -> None:
    """A programme file alone cannot make a deployment read from services of its own."""
    with pytest.raises(CatalogueError, match=r"127\.0\.0\.1"):
        run_months(replace(deployment, loopback=False), [MONTH])


def test_a_stalled_file_is_read_again(deployment: Deployment, network: Network) -> None:
    """A connection that falls silent is given up, and another brings the rest."""
    network.files.fail("0/red.tif", Fault(kind="reset", after=100))

    up_to("raw_tiles", deployment)

    assert len(network.files.asked("0/red.tif")) >= 2
    assert ("first", "red") in bands(deployment)


@pytest.mark.parametrize("body", [b"<html>Please log in</html>", b'{"message": "Too many requests"}'])
def test_a_page_instead_of_a_file_is_asked_for_again(deployment: Deployment, network: Network, body: bytes) -> None:
    """It is of the server, as an error is, and no scene is refused for it."""
    network.files.fail("0/red.tif", Fault(kind="status", status=200, body=body))

    up_to("raw_tiles", deployment)

    assert raw(deployment).output["refused"] == []
    assert ("first", "red") in bands(deployment)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>Please log in</html>", r"html_page: it is a web page.*needs an account"),
        (b'{"message": "Not here"}', r"not_tiff: it is JSON.*leads to a GeoTIFF"),
    ],
)
def test_a_page_that_stays_fails_the_month(deployment: Deployment, network: Network, body: bytes, told: str) -> None:
    """As a file that cannot be had does: with scene, band, host, code and cure; nothing is recorded."""
    network.files.always["0/red.tif"] = Fault(kind="status", status=200, body=body)
    plan = deployment.plan(TILE, MONTH, SENTINEL2)
    soon = Limits(attempts=3, backoff_s=0.01)

    with HttpTransport(HostRules(loopback=True), limits=soon, doubt=not_a_file) as transport:
        published = replace(published_for(plan), transport=transport)
        with pytest.raises(SceneReadError, match=rf"first.*red.*127\.0\.0\.1.*{told}") as error:
            copy_scenes(deployment.lake, plan, published)

    assert "after 3 attempts" in str(error.value)
    assert deployment.lake.head(Partition("sentinel2/raw_tiles", TILE, MONTH)) is None
    network.files.always.clear()
    up_to("raw_tiles", deployment)
    assert {scene for scene, _ in bands(deployment)} == {"first", "last"}


def test_a_host_that_is_named_later_makes_another_request(network: Network, tmp_path: Path) -> None:
    """What the host rules refuse is known before anything is read: it is part of what was asked."""
    items = json.loads(json.dumps(network.items))
    items[0]["assets"]["red"]["href"] = "https://data.example.org/red.tif"
    (tmp_path / "api").mkdir()
    with rustac_server(tmp_path / "api", items) as root:
        deployment = a_programme(tmp_path / "network", root)
        up_to("raw_tiles", deployment)
        named = replace(deployment, hosts=("data.example.org",))

        same, other = (one.plan(TILE, MONTH, SENTINEL2, RunOptions(known_only=True)) for one in (deployment, named))

        assert raw_tiles(deployment.lake, same).record.audit_hash == raw(deployment).audit_hash
        with pytest.raises(NotAnswered) as not_answered:
            raw_tiles(deployment.lake, other)
    assert not_answered.value.args == ("sentinel2/raw_tiles", ("inputs",))
    inputs = {item["id"]: item for item in raw(deployment).inputs["items"]}
    assert inputs["first"]["unfollowed"] == {"red": "host_refused"}
    assert "unfollowed" not in inputs["last"]


def cut_short(files: RangeServer, whole: bytes, by: int) -> None:
    """The file ends before its header says."""
    files.put("0/red.tif", whole[:-by])


def sent_elsewhere(files: RangeServer, whole: bytes, by: int) -> None:
    """The server redirects to a host that nobody named."""
    headers = {"Location": f"https://elsewhere-{by}.example/red.tif"}
    files.always["0/red.tif"] = Fault(kind="status", status=302, headers=headers)


@pytest.mark.parametrize(("wrong", "code"), [(cut_short, "truncated"), (sent_elsewhere, "host_refused")])
def test_a_refused_scene_comes_back_by_force(
    deployment: Deployment, network: Network, wrong: Callable[[RangeServer, bytes, int], None], code: str
) -> None:
    """Refused, refused otherwise, then right: each is a record that names the one before; the last is current."""
    whole = network.files.contents["0/red.tif"].data
    wrong(network.files, whole, 10)
    run_months(deployment, [MONTH])
    first = raw(deployment)
    wrong(network.files, whole, 20)
    opening.forget_connections()
    by_force(deployment)
    second = raw(deployment)
    network.files.always.clear()
    network.files.put("0/red.tif", whole)
    opening.forget_connections()

    ordinary = deployment.materialize("raw_tiles", deployment.plan(TILE, MONTH, SENTINEL2))
    forced = by_force(deployment)
    after = run_months(deployment, [MONTH])[MONTH]["sentinel2/raw_tiles"]
    again = by_force(deployment)

    [refused] = first.output["refused"]
    assert (refused["id"], refused["code"]) == ("first", code)
    assert "mrv run --force" in refused["detail"]
    assert (ordinary.outcome, ordinary.audit_hash) == (Outcome.UNCHANGED, second.audit_hash)
    assert (forced.outcome, forced.record.output["refused"]) == (Outcome.COMPUTED, [])
    assert [one.inputs.get("reopened") for one in (first, second, forced.record)] == [
        None,
        first.audit_hash,
        second.audit_hash,
    ]
    assert (after.outcome, after.audit_hash) == (Outcome.UNCHANGED, forced.audit_hash)
    assert (again.outcome, again.audit_hash) == (Outcome.REPRODUCED, forced.audit_hash)
    assert rows(deployment, MONTH)["p"]["n_obs"] == 2
    told = verify(deployment.lake_path, Options(), again=True, progress=lambda *_: None)
    assert told["findings"] == []
    assert {one["answer"] for one in told["rerun"]} == {"IDENTICAL"}


def test_nothing_else_may_change_when_a_scene_comes_back(deployment: Deployment, network: Network) -> None:
    """Other pixels of a scene that was read before are no reopening: the request gave another output."""
    whole = network.files.contents["0/red.tif"].data
    cut_short(network.files, whole, 10)
    up_to("raw_tiles", deployment)
    network.files.put("0/red.tif", whole)
    network.files.put("1/red.tif", network.files.contents["1/blue.tif"].data)
    opening.forget_connections()

    with pytest.raises(NotReproducible, match="raw_tiles"):
        by_force(deployment)


def by_force(deployment: Deployment) -> Materialized:
    """The month's raw tiles, known or not."""
    return deployment.materialize("raw_tiles", deployment.plan(TILE, MONTH, SENTINEL2, RunOptions(force=True)))
