"""The determinism matrix: whoever computes a month, wherever and with whatever, gets the same records."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy as np
import pytest
from demo_lake import REPOSITORY, python
from matrix_programmes import programmes
from stage_names import PRODUCT, STAGES

import mrv_assets

Json = dict[str, Any]
Records = dict[str, dict[str, Json]]
"""By programme and asset: outcome, audit hash, and the record's bytes as text."""

DRIVER = REPOSITORY / "tests" / "support" / "materialize_driver.py"
PACKAGE = Path(mrv_assets.__file__).parent
PROGRAMMES = {
    **dict.fromkeys(("real", "blocks", "coarse"), ("sentinel2",)),
    "radar": ("sentinel1",),
    "substitute": ("sentinel2", "landsat", "sentinel1"),
}
"""With the missions of each."""
DECIDED = ("sentinel2/gated_tiles", PRODUCT)
"""What rests on a manual decision."""
KERNELS = 16
"""How many the package has at least: those that stages call, and those that kernels call."""
ALONE = "1 thread"
FUSED = re.compile(r"\bv?fn?m(?:add|sub)\w*")
"""x86's mnemonics for a * b + c that is rounded once instead of twice, scalar or packed."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The programmes, materialized once in a clone by one thread; then all of it was moved elsewhere."""

    records: Records
    programs: tuple[Path, ...]
    """The programme files where they lie now."""
    lakes: Path
    """Where the lakes lie now."""
    assembly: Path
    """Machine code of the clone's kernels, compiled in that run."""


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Baseline:
    """A run that compiles every kernel for this CPU, in a folder that is gone when the others run."""
    folder = tmp_path_factory.mktemp("baseline")
    clone = a_clone(folder / "clone")
    assembly = folder / "assembly"
    assembly.mkdir()
    first = folder / "first"
    made = materialize(
        programmes(first),
        first / "lakes",
        *("--threads", "1", "--assembly", str(assembly)),
        PYTHONPATH=str(clone),
        PYTHONHASHSEED="0",
        NUMBA_CACHE_DIR=str(folder / "numba"),
    )
    moved = first.rename(folder / "moved")
    assert made["package"] == str(clone / "mrv_assets")
    assert made["ways"][ALONE]["spread"] == 1
    records = made["ways"][ALONE]["programmes"]
    assert outcomes(records) == {"computed"}
    return Baseline(
        records=records,
        programs=tuple(sorted(moved.glob("*/program.yaml"))),
        lakes=moved / "lakes",
        assembly=assembly,
    )


def an_older_cpu() -> dict[str, str]:
    """Variables by which kernels, numpy and the C library's functions use none of this CPU's newer instructions."""
    simd: Any = np.show_config(mode="dicts")
    return {
        "NUMBA_CPU_NAME": "generic",
        "NPY_DISABLE_CPU_FEATURES": " ".join(simd["SIMD Extensions"].get("found", ())),
        # PROJ's sines and cosines.
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4",
    }


WAYS = {"4 threads": 4, "cluster of 3": 3}
"""With how many threads or worker processes share the blocks."""


@pytest.fixture(scope="module")
def under_another_seed(baseline: Baseline, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The programmes, materialized in other ways by the installed package, strings hashed otherwise."""
    threads = [f"--threads={number}" for name, number in WAYS.items() if "thread" in name]
    clusters = [f"--cluster={number}" for name, number in WAYS.items() if "cluster" in name]
    lakes = tmp_path_factory.mktemp("ways")
    return materialize(baseline.programs, lakes, *threads, *clusters, PYTHONHASHSEED="12345")


@pytest.mark.parametrize("way", WAYS)
def test_how_it_is_run_changes_no_record(way: str, baseline: Baseline, under_another_seed: Json) -> None:
    """Under another hash seed, by more threads, on a cluster: the same bytes; and the blocks were really spread."""
    made = under_another_seed["ways"][way]

    assert under_another_seed["package"] == str(PACKAGE)
    assert made["spread"] == WAYS[way]
    check_the_same(baseline.records, made["programmes"])
    assert outcomes(made["programmes"]) == {"computed"}


def test_another_clone_on_another_cpu_reproduces_every_record_of_a_lake_that_was_moved(
    baseline: Baseline, tmp_path: Path
) -> None:
    """Package, kernels, programme, catalogue and lake lie elsewhere than when it was made: computed again, the same.

    The kernels are compiled for any x86-64, and libraries hold back what this CPU could do. Either of the two could
    only hide the other by undoing its every bit.
    """
    clone = a_clone(tmp_path / "a clone elsewhere")
    lakes, numba_cache = shutil.copytree(baseline.lakes, tmp_path / "lakes"), tmp_path / "numba"

    made = materialize(
        baseline.programs,
        lakes,
        "--threads=1",
        PYTHONPATH=str(clone),
        **an_older_cpu(),
        NUMBA_CACHE_DIR=str(numba_cache),
    )

    assert made["package"] == str(clone / "mrv_assets")
    assert list(numba_cache.rglob("*.nbc"))
    check_the_same(baseline.records, made["ways"][ALONE]["programmes"])
    assert outcomes(made["ways"][ALONE]["programmes"]) == {"reproduced"}


def test_an_audit_hash_is_the_hash_of_the_stored_bytes(baseline: Baseline) -> None:
    """So that equal hashes are equal bytes, whichever computed them."""
    records = records_of(baseline.records)

    assert {name: tuple(assets) for name, assets in baseline.records.items()} == {
        **{
            name: (*(f"{mission}/{stage}" for mission in missions for stage in STAGES), PRODUCT)
            for name, missions in PROGRAMMES.items()
        },
        "approved": DECIDED,
    }
    for asset, (audit_hash, record) in records.items():
        assert sha256(record.encode()).hexdigest() == audit_hash, asset


def test_every_way_to_decide_is_among_them(baseline: Baseline) -> None:
    """What passed, was rejected, stands in, was not needed, and was approved by hand: the month's product says so."""
    decisions = {
        name: json.loads(assets[PRODUCT]["record"])["output"]["decisions"] for name, assets in baseline.records.items()
    }

    assert decisions == {
        "real": {"sentinel2": "PASSED"},
        "blocks": {"sentinel2": "PASSED"},
        "coarse": {"sentinel2": "PASSED"},
        "radar": {"sentinel1": "PASSED"},
        "substitute": {"sentinel2": "REJECTED", "landsat": "PASSED", "sentinel1": "NOT_EVALUATED"},
        "approved": {"sentinel2": "APPROVED_MANUAL"},
    }


def test_no_kernel_fuses_multiply_and_add(baseline: Baseline) -> None:
    """A CPU without the instruction would round twice: the last bit, and with it the record, would be another."""
    if not llvmlite.binding.get_host_cpu_features().get("fma"):
        pytest.skip("this CPU has no fused multiply-add, so no kernel compiled for it can hold one")
    careless = numba.njit(fastmath=True)(multiply_and_add)
    careless(2.0, 3.0, 4.0)
    # The pattern finds what a careless decorator would do.
    assert any(FUSED.search(text) for text in careless.inspect_asm().values())

    kernels = {path.stem: path.read_text() for path in baseline.assembly.glob("*.s")}

    assert len(kernels) >= KERNELS, sorted(kernels)
    # A kernel that no programme here runs, or one from a cache, shows no machine code.
    assert [name for name, text in kernels.items() if not re.search(r"\bretq?\b", text)] == []
    assert {name: found for name, text in kernels.items() if (found := sorted(set(FUSED.findall(text))))} == {}


def multiply_and_add(a: float, b: float, c: float) -> float:
    """What a fused multiply-add computes."""
    return a * b + c


def a_clone(folder: Path) -> Path:
    """A copy of the package; gives the folder to import it from."""
    shutil.copytree(PACKAGE, folder / "mrv_assets", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def materialize(programs: tuple[Path, ...], lakes: Path, *arguments: str, **environment: str) -> Json:
    """Run the driver in a process of its own."""
    lakes.mkdir(exist_ok=True)
    variables = {"PYTHONPATH": str(PACKAGE.parent), **environment}
    done = python(str(DRIVER), *map(str, programs), "--lakes", str(lakes), *arguments, cwd=lakes, **variables)
    assert done.returncode == 0, done.stderr
    found: Json = json.loads(done.stdout)
    return found


def outcomes(records: Records) -> set[str]:
    """What was done for any asset."""
    return {one["outcome"] for assets in records.values() for one in assets.values()}


def check_the_same(expected: Records, found: Records) -> None:
    """Every record is the expected one; where one is not, say what in it differs, the first cause first."""
    different = [
        difference
        for name, assets in found.items()
        for asset, one in assets.items()
        for difference in differences(
            json.loads(expected[name][asset]["record"]), json.loads(one["record"]), f"{name}: {asset}: "
        )
    ]
    assert different == []
    assert records_of(found) == records_of(expected)


def records_of(records: Records) -> dict[tuple[str, str], tuple[str, str]]:
    """Audit hash and bytes of each programme's and asset's record."""
    return {
        (name, asset): (one["audit_hash"], one["record"])
        for name, assets in records.items()
        for asset, one in assets.items()
    }


def differences(expected: object, found: object, name: str) -> Iterator[str]:
    """Which fields of a document differ, as ``output.arrays.ndvi``."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}):
            dot = "" if name.endswith(" ") else "."
            yield from differences(expected.get(key), found.get(key), f"{name}{dot}{key}")
    elif expected != found:
        yield f"{name}: {expected} became {found}"
