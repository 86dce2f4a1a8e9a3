"""Whatever is changed in the data of a lake, with its run record: it is found, and no reader returns another number."""

import json
import os
import random
import shutil
import tempfile
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import xarray as xr
from export_months import exported
from field_cases import field_month
from tampering import rewrite_run, the_only

from mrv_assets.audit.canonical import canonical
from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import MrvError
from mrv_assets.formats.artifacts import observations_of
from mrv_assets.lake.runs import stored_files
from mrv_assets.lake.view import open_parcels, open_raw_band
from mrv_assets.reports.explain import answer as explain
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.proof import proof_of
from mrv_assets.verify.walk import Contents, partition_at

Json = dict[str, Any]

MUTATIONS = {"fuzz": 29, "nightly": 3_000}
"""Random changes by Hypothesis profile, beside one of every kind on every file."""
SEED = 20261201
MONTH = "2018-07"
SQUARE = {"y": slice(4990, 5120), "x": slice(4990, 5120)}


@dataclass(frozen=True, kw_only=True)
class Lake:
    """A small lake, and what its readers returned before it was changed."""

    deployment: Deployment
    before: dict[str, str]

    @property
    def tile(self) -> str:
        """Its only tile."""
        return self.deployment.tiles[0]

    def folder(self, asset: str) -> Path:
        """The data of an asset."""
        return self.deployment.lake.current(Partition(asset, self.tile, MONTH)).data


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One month of few pixels, and its readers' answers."""
    month = field_month("a40_item_collection_file", tmp_path_factory.mktemp("readers"))
    return Lake(
        deployment=month.deployment,
        before={name: read(month.deployment) for name, read in READERS.items()},
    )


def said(dataset: xr.Dataset) -> str:
    """A digest of all that a dataset says of the ground that was seen."""
    part = dataset.isel({dim: part for dim, part in SQUARE.items() if dim in dataset.dims}).load()
    values = {str(name): [str(of.dtype), str(of.attrs), of.values.tobytes()] for name, of in part.variables.items()}
    return sha256(repr((sorted(values.items()), sorted(dataset.attrs.items()))).encode()).hexdigest()


def opened(asset: str) -> Callable[[Deployment], str]:
    """An asset as ``lake.open`` gives it."""
    return lambda deployment: said(deployment.lake.open(asset, deployment.tiles[0], MONTH))


def raw_bands(deployment: Deployment) -> str:
    """Every band of every scene."""
    tile = deployment.tiles[0]
    raw = deployment.lake.current(Partition("sentinel2/raw_tiles", tile, MONTH))
    with warnings.catch_warnings():
        # Of affine, about rioxarray.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        bands = [
            open_raw_band(deployment.lake, "sentinel2", tile, MONTH, scene["id"], name).load()
            for observation in observations_of(raw)
            for scene in observation["scenes"]
            for name in scene["bands"]
        ]
    return sha256(repr([(band.values.tobytes(), band.x.values.tobytes()) for band in bands]).encode()).hexdigest()


def parcels(deployment: Deployment) -> str:
    """The month's table."""
    frame = open_parcels(deployment.lake, deployment.tiles[0], MONTH)
    return f"{frame.drop(columns='geometry').to_json()} {list(frame.geometry.to_wkb(hex=True))} {frame.crs}"


def explained(deployment: Deployment) -> str:
    """A parcel's explanation."""
    return json.dumps(explain(deployment, "P1", MONTH))


def proven(deployment: Deployment) -> str:
    """A parcel's proof."""
    return json.dumps(proof_of(deployment.lake, "P1", deployment.tiles[0], MONTH))


def exported_as(kind: str) -> Callable[[Deployment], str]:
    """An export, by the digests of its files."""

    def read(deployment: Deployment) -> str:
        folder = deployment.lake_path.parent / f"export-{kind}"
        shutil.rmtree(folder, ignore_errors=True)
        return json.dumps(exported(deployment, kind, folder)["files"])

    return read


READERS: dict[str, Callable[[Deployment], str]] = {
    "raw bands": raw_bands,
    **{f"sentinel2/{stage}": opened(f"sentinel2/{stage}") for stage in ("aligned_tiles", "masked_tiles", "indices")},
    "sentinel2/gated_tiles": opened("sentinel2/gated_tiles"),
    PRODUCT: opened(PRODUCT),
    "parcels": parcels,
    "explain": explained,
    "proof": proven,
    "csv": exported_as("csv"),
    "cog": exported_as("cog"),
}
OF: dict[str, tuple[str, ...]] = {
    "sentinel2/raw_tiles": ("raw bands", "explain", "csv"),
    "sentinel2/aligned_tiles": ("sentinel2/aligned_tiles", "sentinel2/masked_tiles"),
    "sentinel2/masked_tiles": ("sentinel2/masked_tiles",),
    "sentinel2/indices": ("sentinel2/indices", "sentinel2/gated_tiles"),
    "sentinel2/gated_tiles": ("sentinel2/gated_tiles", PRODUCT, "explain", "csv"),
    PRODUCT: (PRODUCT, "parcels", "explain", "proof", "csv", "cog"),
}
"""The readers that read something of an asset's data."""

Mutation = Callable[[Path, random.Random], None]


def a_byte(path: Path, chance: random.Random) -> None:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    path.write_bytes(data)


def shorter(path: Path, chance: random.Random) -> None:
    """Cut the end off."""
    path.write_bytes(path.read_bytes()[: -chance.randrange(1, 40)])


def longer(path: Path, chance: random.Random) -> None:
    """Write something after the end."""
    path.write_bytes(path.read_bytes() + chance.randbytes(9))


def gone(path: Path, chance: random.Random) -> None:
    """Remove it."""
    path.unlink()


def a_link(path: Path, chance: random.Random) -> None:
    """Let it be a link to a copy of itself that somebody may change."""
    aside = Path(tempfile.gettempdir()) / f"aside-{os.getpid()}"
    shutil.copy(path, aside)
    path.unlink()
    path.symlink_to(aside)


def a_pipe(path: Path, chance: random.Random) -> None:
    """Let it be a pipe that nobody writes to."""
    path.unlink()
    os.mkfifo(path)


def of_a_neighbour(path: Path, chance: random.Random) -> None:
    """Give it the bytes of another file of its kind."""
    root = path.parents[1] if path.name != "parcels.parquet" else path.parent
    others = [other for other in sorted(root.rglob(f"*{path.suffix}")) if other != path and other.is_file()]
    if others:
        path.write_bytes(chance.choice(others).read_bytes())


def a_number(path: Path, chance: random.Random) -> None:
    """Change a number, or a word, of a JSON document, or a word in a Parquet file's or a PNG's metadata."""
    data = path.read_bytes()
    match path.suffix:
        case ".json":
            document = json.loads(data)
            places = list(_leaves(document))
            holder, key = chance.choice(places)
            old = holder[key]
            holder[key] = old + 1 if isinstance(old, int | float) else f"{old}x"
            path.write_bytes(canonical(document))
        case ".parquet":
            table = pq.read_table(path)
            metadata = {**(table.schema.metadata or {}), b"pandas": b"{}"}
            pq.write_table(table.replace_schema_metadata(metadata), path)
        case ".png":
            body = b"Comment\x00verified"
            chunk = len(body).to_bytes(4, "big") + b"tEXt" + body + zlib.crc32(b"tEXt" + body).to_bytes(4, "big")
            path.write_bytes(data[:33] + chunk + data[33:])
        case _:
            a_byte(path, chance)


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, dict | list):
            yield from _leaves(inner)
        else:
            yield value, key


def beside(path: Path, chance: random.Random) -> None:
    """Put a copy of it beside it, under another name."""
    copied = path.with_name(f"{chance.randrange(3)}{path.suffix}")
    shutil.copy(path, copied if copied != path else path.with_name(f"3{path.suffix}"))


KINDS: tuple[Mutation, ...] = (
    a_byte, shorter, longer, gone, a_link, a_pipe, of_a_neighbour, a_number, beside,
)  # fmt: skip


def mutations(lake: Lake) -> Iterator[tuple[str, Path, Mutation]]:
    """Every kind on one file of each name, then random ones."""
    chance = random.Random(SEED)
    files = [(asset, path) for asset in OF for path in sorted(lake.folder(asset).rglob("*")) if path.is_file()]
    named = {(asset, path.suffix or path.name): (asset, path) for asset, path in files}
    for asset, path in named.values():
        for kind in KINDS:
            yield asset, path, kind
    for _ in range(MUTATIONS[os.environ.get("HYPOTHESIS_PROFILE", "fuzz")]):
        yield (*chance.choice(files), chance.choice(KINDS))


@contextmanager
def mutated(lake: Lake, asset: str, path: Path, kind: Mutation, chance: random.Random) -> Iterator[None]:
    """A lake with one change, whose run record fits; as it was before afterwards."""
    data = lake.folder(asset)
    runs = data.parents[1] / "runs"
    kept = data.with_name("kept")
    shutil.copytree(data, kept)
    run = the_only(runs)
    run_bytes = run.read_bytes()
    try:
        kind(path, chance)
        if not any(part.is_fifo() for part in data.rglob("*")):
            rewrite_run(run, lambda document: document.update(stored=stored_files(data)))
        yield
    finally:
        if path.is_symlink():
            path.resolve().unlink()
        shutil.rmtree(data)
        kept.rename(data)
        the_only(runs).unlink()
        run.write_bytes(run_bytes)


def test_no_reader_returns_another_number(lake: Lake, listed: Callable[[str], None]) -> None:
    """It raises, or returns what it returned before; and verify finds it, or no reader returns anything else."""
    chance = random.Random(SEED)
    seen: Counter[str] = Counter()
    for asset, path, kind in mutations(lake):
        case = f"{kind.__name__} of {path.relative_to(lake.deployment.lake_path)}"
        before = sha256(path.read_bytes()).hexdigest()
        with mutated(lake, asset, path, kind, chance):
            slot = lake.deployment.lake.slot(Partition(asset, lake.tile, MONTH))
            found = [*partition_at(slot).findings(), *Contents.of(lake.deployment.lake_path).unexpected]
            changed = not path.is_file() or path.is_symlink() or kind is beside
            changed = changed or sha256(path.read_bytes()).hexdigest() != before
            answers = {name: _answer(lake, name) for name in OF[asset]}
        wrong = [name for name, answer in answers.items() if answer not in (None, lake.before[name])]
        assert wrong == [], case
        silent = not found and changed
        assert not silent or all(answer == lake.before[name] for name, answer in answers.items()), case
        seen["silent" if silent else "found" if found else "unchanged"] += 1
    listed(
        f"{seen.total()} changes of data and run record: {dict(sorted(seen.items()))}; no reader told another number"
    )


def test_what_gdal_finds_beside_a_file_says_nothing(lake: Lake) -> None:
    """A sidecar would move the scene and call its pixels missing."""
    moved = "<PAMDataset><GeoTransform>0,10,0,0,0,-10</GeoTransform></PAMDataset>"
    sidecars = [
        path.with_name(f"{path.name}.aux.xml") for path in sorted(lake.folder("sentinel2/raw_tiles").glob("*/*.tif"))
    ]
    for path in sidecars:
        path.write_text(moved)

    found = raw_bands(replace(lake.deployment))

    for path in sidecars:
        path.unlink()
    assert found == lake.before["raw bands"]


def _answer(lake: Lake, name: str) -> str | None:
    """What a reader returns; None where it refuses."""
    try:
        return READERS[name](replace(lake.deployment))
    except MrvError:
        return None
