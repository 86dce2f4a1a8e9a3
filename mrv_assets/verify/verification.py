"""`mrv verify`: walks a lake and compares everything it holds with what it says; needs the lake and nothing else."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.errors import BadInputError, DamagedLake, MrvError
from mrv_assets.lake.layout import LAKE
from mrv_assets.verify.finding import Finding, text_of
from mrv_assets.verify.partition import StoredPartition
from mrv_assets.verify.rerun import Compared, not_rerun, rerun
from mrv_assets.verify.walk import Contents

NOT_PRESENT = ("log", "signatures")
"""What a lake will hold that there is none of yet."""

Progress = Callable[[str, int, int], None]
"""Told what is under way, how many are done, and of how many."""


class NotALake(BadInputError):
    """A folder holds no lake, or nothing of what was asked for."""

    def __init__(self, folder: str, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        return f"{self.folder}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which partitions to verify; None means all."""

    tile: str | None = None
    month: str | None = None
    asset: str | None = None

    def takes(self, partition: StoredPartition) -> bool:
        """Whether a partition is among them."""
        stored = partition.partition
        asked = ((self.tile, stored.tile), (self.month, stored.month), (self.asset, stored.asset))
        return all(wanted is None or wanted == found for wanted, found in asked)

    @property
    def whole(self) -> bool:
        """True when everything is."""
        return self == Wanted()


def verify(root: Path, wanted: Wanted, *, again: bool, progress: Progress) -> Json:
    """Check a lake, or part of one.

    Args:
        root: The lake's folder.
        wanted: Which partitions.
        again: Compute again from the raw tiles, and compare.
        progress: Told of each partition that is done.

    Returns:
        The answer of `mrv verify`: findings, what was looked at, and what there is none of.

    Raises:
        NotALake: When there is no lake, or none of what was asked for in it.
    """
    contents = Contents.of(root) if root.is_dir() else None
    if contents is None or not (contents.partitions or (root / LAKE).exists()):
        raise NotALake(str(root), "There is no lake. Name the folder that holds lake.json.")
    chosen = [partition for partition in contents.partitions if wanted.takes(partition)]
    if not chosen and not wanted.whole:
        raise NotALake(str(root), _nothing(wanted, contents.partitions))
    programmes: dict[str, str] = {}
    findings: list[Finding] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (partition, found) in enumerate(zip(chosen, pool.map(_findings, chosen), strict=True), 1):
            findings += found
            for name, run in partition.runs.sound.items():
                programmes.setdefault(run.programme, f"{partition.name}/runs/{name}.json")
            progress(partition.name, done, len(chosen))
    findings = [*contents.findings(programmes), *findings]
    compared, failed = _again(root, chosen, findings, progress) if again else ([], [])
    findings += failed
    return {
        "lake": str(root),
        "verified": not findings and not any(one.answer == "DIFFERENT" for one in compared),
        "checked": _counted(chosen),
        "findings": [asdict(finding) for finding in findings],
        "not_present": list(NOT_PRESENT),
        "hidden": list(contents.hidden),
        "rerun": [asdict(one) for one in compared] if again else None,
    }


def _findings(partition: StoredPartition) -> list[Finding]:
    return list(partition.findings())


def _nothing(wanted: Wanted, partitions: Sequence[StoredPartition]) -> str:
    def some(names: set[str]) -> str:
        return ", ".join(sorted(names)[:12]) + (", ..." if len(names) > 12 else "")

    asked = ", ".join(f"{name} {value}" for name, value in asdict(wanted).items() if value is not None)
    return (
        f"Nothing in this lake is of {asked}. It holds the tiles {some({p.partition.tile for p in partitions})}; "
        f"the months {some({p.partition.month for p in partitions})}; "
        f"the assets {some({p.partition.asset for p in partitions})}."
    )


def _counted(partitions: Sequence[StoredPartition]) -> Json:
    counts = Counter(dict.fromkeys(("records", "heads", "requests", "runs", "decisions", "data"), 0))
    for partition in partitions:
        counts.update({kind: len(names) for kind, names in partition.names.items()})
    return {
        "partitions": len(partitions),
        **counts,
        "files": sum(partition.files for partition in partitions),
        "bytes": sum(partition.bytes for partition in partitions),
    }


def _again(
    root: Path, chosen: Sequence[StoredPartition], findings: Sequence[Finding], progress: Progress
) -> tuple[list[Compared], list[Finding]]:
    """Compute again every tile and month that has nothing wrong with it; what failed is a finding."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for partition in chosen:
        stored = partition.partition
        wanted.setdefault((stored.tile, stored.month), []).append(stored.asset)
    compared: list[Compared] = []
    failed: list[Finding] = []
    for done, ((tile, month), assets) in enumerate(sorted(wanted.items()), 1):
        place = f"/{tile}/{month}/"
        if any(finding.object == LAKE or place in f"/{finding.object}/" for finding in findings):
            compared.append(not_rerun(assets[0], tile, month, "there are findings: nothing is computed from them"))
        else:
            try:
                compared += rerun(root, tile, month, assets)
            except Exception as error:
                # Nothing is wrong with these records by themselves; what they ask for together can still not be done.
                failed.append(_failed(assets[0], tile, month, error))
        progress(f"again {tile} {month}", done, len(wanted))
    return compared, failed


def _failed(asset: str, tile: str, month: str, error: Exception) -> Finding:
    known = isinstance(error, DamagedLake) and f"/{tile}/{month}/" in error.object_name
    return Finding(
        object=error.object_name if isinstance(error, DamagedLake) and known else f"{asset}/{tile}/{month}",
        check="can be computed again",
        expected="an output to compare",
        found=text_of(str(error) if isinstance(error, MrvError) else f"{type(error).__name__}: {error}"),
        cure="Verify the whole month. Where nothing else is found, its records do not fit together: no run made them.",
    )
