"""Lakes made to do harm: each is a finding, and no reader crashes, waits, reads elsewhere or takes what it is given."""

import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demo_lake import TILE
from tampering import PASSED, RAW, data_of, findings, partition, the_only

from mrv_assets.audit.record import Partition
from mrv_assets.errors import MrvError
from mrv_assets.formats.artifacts import observations_of
from mrv_assets.formats.picture import stored_picture
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.formats.stored_table import StoredTable
from mrv_assets.lake.store import Lake
from mrv_assets.science.grid import Window
from mrv_assets.stages.table import PRODUCT

MEMORY_BYTES = 3 << 30
"""How much more address space a reader may take than there is already: files here claim terabytes."""
TERABYTES = 10 << 40

Harm = Callable[[Path], object]
"""Given the lake."""


def product(lake: Path) -> Path:
    """The data of the month."""
    return data_of(lake, PRODUCT, PASSED)


def nested(lake: Path) -> None:
    """Two thousand folders, each in the one before."""
    handle = os.open(product(lake), os.O_RDONLY)
    for _ in range(2_000):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)


def unnested(folder: Path) -> None:
    """Remove what is nested too deep for any path."""
    handle = os.open(folder, os.O_RDONLY)
    depth = 0
    with suppress(FileNotFoundError):
        while True:
            below = os.open("d", os.O_RDONLY, dir_fd=handle)
            os.close(handle)
            handle, depth = below, depth + 1
    for _ in range(depth):
        above = os.open("..", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = above
        os.rmdir("d", dir_fd=handle)
    os.close(handle)


def claims(path: Callable[[Path], Path]) -> Harm:
    """A file that says it has ten terabytes."""

    def harm(lake: Path) -> None:
        with path(lake).open("r+b") as file:
            file.truncate(TERABYTES)

    return harm


def becomes(path: Callable[[Path], Path], make: Callable[[Path], object]) -> Harm:
    """Another thing where a file was."""

    def harm(lake: Path) -> None:
        place = path(lake)
        place.unlink()
        make(place)

    return harm


def chunk(lake: Path) -> Path:
    """A chunk of the month's NDVI."""
    return next(path for path in sorted((product(lake) / "rasters.zarr/ndvi/c").rglob("*")) if path.is_file())


def older_zarr(lake: Path) -> None:
    """An array of an older format, whose filter runs what it reads."""
    folder = product(lake) / "rasters.zarr" / "ndvi"
    (folder / "zarr.json").unlink()
    filters = [{"id": "pickle"}]
    document = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "compressor": None, "filters": filters}
    (folder / ".zarray").write_text(json.dumps({**document, "fill_value": None, "order": "C"}))


def many_rows(lake: Path) -> None:
    """Two million rows in a few kilobytes."""
    pq.write_table(pa.table({"parcel_id": pa.array(["a"] * 2_000_000)}), product(lake) / "parcels.parquet")


PLACES: dict[str, Callable[[Path], Path]] = {
    "table": lambda lake: product(lake) / "parcels.parquet",
    "picture": lambda lake: product(lake) / "preview.png",
    "chunk": chunk,
    "document": lambda lake: product(lake) / "rasters.zarr" / "ndvi" / "zarr.json",
    "scenes": lambda lake: data_of(lake, RAW, PASSED) / "scenes.json",
    "record": lambda lake: the_only(partition(lake, PRODUCT, PASSED) / "records"),
    "run": lambda lake: the_only(partition(lake, PRODUCT, PASSED) / "runs"),
    "head": lambda lake: the_only(partition(lake, PRODUCT, PASSED) / "heads"),
}
HARMS: dict[str, Harm] = {
    **{f"ten terabytes of a {name}": claims(path) for name, path in PLACES.items()},
    **{f"a pipe for a {name}": becomes(path, os.mkfifo) for name, path in PLACES.items()},
    **{
        f"a link to /dev/zero for a {name}": becomes(path, lambda place: place.symlink_to("/dev/zero"))
        for name, path in PLACES.items()
    },
    "a link to itself": becomes(PLACES["table"], lambda place: place.symlink_to(place.name)),
    "a link to the lake": lambda lake: (product(lake) / "again").symlink_to(lake),
    "a folder for a table": becomes(PLACES["table"], Path.mkdir),
    "a thousand levels of JSON": lambda lake: PLACES["document"](lake).write_text("[" * 1000 + "]" * 1000),
    "a program for a picture": lambda lake: PLACES["picture"](lake).write_bytes(b"%!PS-Adobe-3.0\n(/etc/passwd) run\n"),
    "an older Zarr that runs what it reads": older_zarr,
    "two million rows": many_rows,
    "two thousand folders": nested,
    "a name that is not text": lambda lake: (product(lake) / os.fsdecode(b"\xff\x1b[2J")).touch(),
}


@contextmanager
def bounded() -> Iterator[None]:
    """Address space that no file here can fill, on systems that say how much of it a process has."""
    statm, before = Path("/proc/self/statm"), resource.getrlimit(resource.RLIMIT_AS)
    if statm.exists():
        there = int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (there + MEMORY_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def read_everything(lake: Path) -> None:
    """Every reader of a month's data, which raises or returns."""
    opened = Lake.at(lake, json.loads((lake / "lake.json").read_bytes())["programme"])
    monthly = opened.current(Partition(PRODUCT, TILE, PASSED))
    raw = opened.current(Partition(RAW, TILE, PASSED))
    arrays = StoredArrays.rasters_of(monthly)
    readers: list[Callable[[], object]] = [
        lambda: StoredTable(monthly).table,
        lambda: stored_picture(monthly),
        lambda: observations_of(raw),
        *(lambda name=name: arrays.read(name, Window(9216, 8704, 64, 64)) for name in arrays.names),
        lambda: list(arrays.check()),
    ]
    for reader in readers:
        with suppress(MrvError):
            reader()


@pytest.mark.parametrize("name", HARMS)
def test_harm_is_a_finding_and_costs_nothing(name: str, lake: Path) -> None:
    """Found by verify, with a cure; readers refuse it, or do not meet it."""
    HARMS[name](lake)

    with bounded():
        found = findings(lake)
        with suppress(MrvError):
            read_everything(lake)

    assert found
    assert all(finding["cure"] for finding in found)
    if name == "two thousand folders":
        unnested(product(lake))
    else:
        shutil.rmtree(lake)
