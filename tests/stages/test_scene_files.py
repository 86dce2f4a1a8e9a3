"""Bringing a month's files: none takes another's place, what is not compared is said, and memory has a bound."""

import gc
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest
from block_scenes import CORNER, MONTH, TILE, Box, SceneSpec, a_programme_of, publish
from demo_lake import run_months
from scene_builders import a_document, write_json

from mrv_assets.audit.record import Partition, Record
from mrv_assets.cog.header import Header
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import observations_of
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.reports.verify import answer as verify
from mrv_assets.stac.source import Published
from mrv_assets.stages import scene_files
from mrv_assets.stages.parallel import FILES_AT_ONCE, Budget
from mrv_assets.stages.raw_tiles import copy_scenes, published_for
from mrv_assets.transport.store import ByteRange, ObjectInfo, Transport
from mrv_assets.verify.verification import Options

PARCEL = {"p": Box(row=CORNER - 70, col=CORNER - 70, height=10, width=10)}
# The first eight digits of their digests are the same, and so is all that is left of them as plain letters.
LIKE, ALIKE = "S2B_34TER_!%,<#", "S2B_34TER_!^?^*"


@dataclass
class Watched:
    """Another transport; looks on when COG tiles are read."""

    inner: Transport
    look: Callable[[], None]
    under_way: int = 0
    most_under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def stat(self, href: str) -> ObjectInfo:
        """As the other has it."""
        return self.inner.stat(href)

    def digest(self, href: str, algorithm: str) -> str:
        """As the other has it."""
        return self.inner.digest(href, algorithm)

    def read_digested(self, href: str, algorithm: str, ranges: Sequence[ByteRange]) -> tuple[str, list[bytes]]:
        """As the other has it."""
        return self.inner.read_digested(href, algorithm, ranges)

    def read(self, href: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        """As the other has it; a header is one range."""
        if len(ranges) == 1:
            return self.inner.read(href, ranges)
        with self.lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            self.look()
            return self.inner.read(href, ranges)
        finally:
            with self.lock:
                self.under_way -= 1


def brought(deployment: Deployment, look: Callable[[], None]) -> tuple[Record, Watched]:
    """The month's raw tiles, and what was seen while they were read."""
    plan = deployment.plan(TILE, MONTH, SENTINEL2)
    published: Published = published_for(plan)
    watched = Watched(inner=published.transport, look=look)
    return copy_scenes(deployment.lake, plan, replace(published, transport=watched)).record, watched


def headers() -> list[Header]:
    """All that this process holds."""
    # By its type: isinstance asks an object for its class, and one that is a dead proxy has none.
    return [one for one in gc.get_objects() if type(one) is Header]


def raw(deployment: Deployment) -> Record:
    """The month's raw tiles."""
    return deployment.lake.current(Partition("sentinel2/raw_tiles", TILE, MONTH))


@pytest.mark.parametrize("refused", [False, True], ids=["both are used", "one is refused"])
def test_ids_whose_digests_begin_alike_keep_apart(tmp_path: Path, refused: bool) -> None:
    """Whoever looks for such ids finds them: then the whole digest tells one folder from the other."""
    scenes = [SceneSpec(id=LIKE), SceneSpec(id=ALIKE, when="2018-07-20T09:30:00Z", dn={"nir": 5500})]
    deployment = a_programme_of(tmp_path, scenes, PARCEL)
    nir = [tmp_path / "catalogue" / "items" / str(number) / "nir.tif" for number in (0, 1)]
    if refused:
        nir[0].write_bytes(nir[0].read_bytes()[:-500])

    run_months(deployment, [MONTH])

    stored = {s["id"]: s["bands"]["nir"] for o in observations_of(raw(deployment)) for s in o["scenes"]}
    assert sha256(LIKE.encode()).hexdigest()[:8] == sha256(ALIKE.encode()).hexdigest()[:8]
    assert set(stored) == ({ALIKE} if refused else {LIKE, ALIKE})
    assert len({band["file"] for band in stored.values()}) == len(stored)
    for name, path in zip((LIKE, ALIKE), nir, strict=True):
        band = stored.get(name, {"file": "", "ranges": []})
        assert all(
            path.read_bytes()[offset : offset + length] in (raw(deployment).data / band["file"]).read_bytes()
            for offset, length in band["ranges"]
        )
    assert verify(deployment.lake_path, Options(), again=False, progress=lambda *_: None)["findings"] == []


@pytest.mark.parametrize("multihash", [f"1114{'ab' * 20}", f"1210{'ab' * 16}"], ids=["sha1", "half a sha2-256"])
def test_a_checksum_that_is_not_compared_is_said(tmp_path: Path, multihash: str) -> None:
    """Neither compared nor unpublished: a finding of the scene, and a word of its own at the file."""
    deployment = a_programme_of(tmp_path, [SceneSpec(id="s")], PARCEL)
    program, path = deployment.program_path, tmp_path / "catalogue" / "items" / "0" / "item.json"
    program.write_text(program.read_text().replace("    collection:", "    integrity: full\n    collection:"))
    item = json.loads(path.read_bytes())
    item["assets"]["red"]["file:checksum"] = multihash
    path.write_text(json.dumps(item))

    run_months(deployment, [MONTH])

    [scene] = (scene for observation in observations_of(raw(deployment)) for scene in observation["scenes"])
    assert [finding for finding in scene["findings"] if finding.startswith("checksum_unverifiable: red")]
    assert scene["bands"]["red"]["integrity"] == "unverifiable"
    assert scene["bands"]["nir"]["integrity"] == "unpublished"


def test_an_id_may_stand_in_two_collections(tmp_path: Path) -> None:
    """The programme names one of them; its files are those that are read."""
    publish(tmp_path / "catalogue" / "mine", [SceneSpec(id="s")], "sentinel-2")
    publish(tmp_path / "catalogue" / "others", [SceneSpec(id="s", dn={"nir": 5500})], "sentinel-2-of-others")
    links = [("child", "others/collection.json"), ("child", "mine/collection.json")]
    write_json(tmp_path / "catalogue" / "catalog.json", a_document("Catalog", "both", links))
    deployment = a_programme_of(tmp_path, [], PARCEL)

    run_months(deployment, [MONTH])

    nir = (tmp_path / "catalogue" / "mine" / "items" / "0" / "nir.tif").read_bytes()
    assert raw(deployment).inputs["items"][0]["checksums"]["nir"]["sha256"] == sha256(nir).hexdigest()
    assert raw(deployment).output["completeness"]["kept"] == 1


def test_headers_are_not_held_until_the_last_is_read(tmp_path: Path) -> None:
    """One is megabytes: only those of files under way are there, however many files a month has."""
    scenes = [SceneSpec(id=f"s{day}", when=f"2018-07-{day:02d}T09:30:00Z") for day in range(1, 5)]
    deployment = a_programme_of(tmp_path, scenes, PARCEL)
    of_other_tests = headers()
    held: list[int] = []

    def look() -> None:
        if len(held) < 3:
            held.append(sum(all(one is not other for other in of_other_tests) for one in headers()))

    record, _ = brought(deployment, look)

    files = [name for name in record.output["files"] if name.endswith(".tif")]
    assert len(files) == 28 > FILES_AT_ONCE
    assert held
    assert max(held) <= FILES_AT_ONCE


@pytest.mark.parametrize(("room", "at_once"), [(1, 1), (1 << 30, 2)], ids=["no room for two", "room for all"])
def test_files_wait_until_there_is_room_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, at_once: int
) -> None:
    """Their COG tiles are read only then: one that is larger than the room is held alone."""
    deployment = a_programme_of(tmp_path, [SceneSpec(id="s")], PARCEL)
    monkeypatch.setattr(scene_files, "BYTES_AT_ONCE", room)

    _, watched = brought(deployment, lambda: time.sleep(0.1))

    assert watched.most_under_way == 1 if at_once == 1 else watched.most_under_way >= at_once


def test_a_budget_is_never_exceeded_but_by_one_alone() -> None:
    """Many threads take some of it, of all sizes; what is larger than all of it waits until nobody holds any."""
    budget, lock = Budget(100), threading.Lock()
    held: list[int] = []
    seen: list[list[int]] = []

    def work(size: int) -> None:
        with budget.taken(size):
            with lock:
                held.append(size)
                seen.append(list(held))
            time.sleep(0.002)
            with lock:
                held.remove(size)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, [10, 40, 60, 250, 1, 100, 0, 30] * 8))

    assert all(sum(sizes) <= 100 or [size for size in sizes if size] == [250] for sizes in seen)
    assert max(len(sizes) for sizes in seen) > 1
    assert len(seen) == 64
