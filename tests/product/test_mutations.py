"""Random bytes: any byte of any file of a lake, changed, is found, and the file is named."""

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from demo_lake import TILE, Demo
from tampering import a_copy, findings, flip, kind, names

from mrv_assets.lake.layout import LAKE, LakePath
from mrv_assets.verify.walk import Contents

MUTATIONS = {"fuzz": 500, "nightly": 5_000}[os.environ.get("HYPOTHESIS_PROFILE", "fuzz")]
BY_FULL_VERIFY = 47
OF_THE_WHOLE_DEMO = 3
SEED = 20181


def mutations(root: Path) -> Iterator[tuple[Path, int, int]]:
    """Where to change a byte, and by which bits: every file of a lake once, then files by their size."""
    chance = random.Random(SEED)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    once = chance.sample(files, len(files))
    sizes = [path.stat().st_size for path in files]
    for path in (once + chance.choices(files, sizes, k=MUTATIONS))[:MUTATIONS]:
        yield path, chance.randrange(path.stat().st_size), chance.randrange(1, 256)


def test_any_changed_byte_is_found(demo: Demo, tmp_path: Path, listed: Callable[[str], None]) -> None:
    """Any byte of any file of the demo's lake: verifying the object that it belongs to names the file."""
    root = shutil.copytree(demo.folder / "lake", tmp_path / "lake", ignore=shutil.ignore_patterns(".*"))
    contents = Contents.of(root)
    partitions = {stored.partition: stored for stored in contents.partitions}
    programmes = {json.loads((root / LAKE).read_bytes())["programme"]: "a run record"}
    hit: Counter[str] = Counter()
    missed = []

    for path, offset, bits in mutations(root):
        name = path.relative_to(root).as_posix()
        flip(path, offset, bits)
        if name == LAKE:
            found = list(contents.findings(programmes))
        else:
            lake_path = LakePath.parse(name)
            assert lake_path
            partition = partitions[lake_path.partition]
            # What was read of the documents before stays true while only data is changed.
            checked = partition if lake_path.kind == "data" else replace(partition)
            found = list(checked.check(lake_path.kind, lake_path.name))
        if not any(finding.object == name for finding in found):
            missed.append((name, offset, bits))
        flip(path, offset, bits)
        hit[kind(root, path)] += 1

    assert missed == []
    assert hit.total() == MUTATIONS
    assert contents.hidden == contents.unexpected == ()
    listed(f"{MUTATIONS} changed bytes, each found: {', '.join(f'{n} in {of}' for of, n in sorted(hit.items()))}")
    listed("files of a lake without evidence: those with a leading dot (docs/audit.md); the demo's lake has none")


def check_by_full_verify(root: Path, count: int) -> None:
    """Change bytes, verify everything, and want each file named: as many at a time as lie in different partitions."""
    left = random.Random(SEED).sample(list(mutations(root)), count)
    while left:
        together = {partition_of(root, path): (path, offset, bits) for path, offset, bits in reversed(left)}
        left = [one for one in left if one not in together.values()]
        for path, offset, bits in together.values():
            flip(path, offset, bits)

        found = findings(root)

        for path, offset, bits in together.values():
            assert names(found, path.relative_to(root).as_posix()), (path, offset, bits)
            flip(path, offset, bits)


def partition_of(root: Path, path: Path) -> str:
    """The partition that a file belongs to: what is found in one says nothing of another's bytes."""
    asset, tile, within = path.relative_to(root).as_posix().partition(f"{TILE}/")
    return f"{asset}{tile}{within.partition('/')[0]}"


def test_changed_bytes_are_found_by_a_full_verify(demo: Demo, tmp_path: Path) -> None:
    """The same through everything that `mrv verify` does, on two months."""
    root = a_copy(demo.folder / "lake", tmp_path / "lake", "2018-11", "2018-12")

    check_by_full_verify(root, BY_FULL_VERIFY)


def test_changed_bytes_are_found_in_the_whole_demo(demo: Demo, tmp_path: Path) -> None:
    """And on twelve."""
    root = shutil.copytree(demo.folder / "lake", tmp_path / "lake", ignore=shutil.ignore_patterns(".*"))

    check_by_full_verify(root, OF_THE_WHOLE_DEMO)
