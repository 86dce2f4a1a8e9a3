"""Verification of a lake: a walk that compares every object with what names it; needs the lake and nothing else."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from mrv_assets.errors import BadInputError
from mrv_assets.lake.layout import LAKE
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.verify.again import Compute, Job, here
from mrv_assets.verify.expected import expected_findings, passed_over
from mrv_assets.verify.finding import Finding
from mrv_assets.verify.partition import StoredPartition
from mrv_assets.verify.rerun import RAW_TILES, Compared, not_rerun
from mrv_assets.verify.source import Publisher, SourceCompared, compare_source
from mrv_assets.verify.walk import Contents

Progress = Callable[[str, int, int], None]
"""Called with the name of each finished step, the number of finished steps, and the number of all steps."""


class NotALake(BadInputError):
    """A folder holds no lake, or none of the partitions that were asked for."""

    def __init__(self, folder: str, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        return f"{self.folder}: {self.reason}"


class Verdict(Enum):
    """Results of verifying."""

    VERIFIED = "VERIFIED"
    """Everything that was asked for is what its record says."""
    NOT_VERIFIED = "NOT VERIFIED"
    """Something is not."""
    INCOMPLETE = "INCOMPLETE"
    """Nothing is wrong in what was looked at, and something that was asked for could not be looked at."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The partitions to verify; None takes all."""

    tile: str | None = None
    month: str | None = None
    asset: str | None = None

    def takes(self, partition: StoredPartition) -> bool:
        """Whether a partition is to be verified."""
        asset, tile, month = partition.partition.names
        pairs = ((self.tile, tile), (self.month, month), (self.asset, asset))
        return all(asked is None or asked == actual for asked, actual in pairs)

    @property
    def whole(self) -> bool:
        """True when the whole lake is to be verified."""
        return self == Options()


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The result of verifying a lake, or part of one."""

    partitions: tuple[StoredPartition, ...]
    """Partitions that were verified."""
    findings: tuple[Finding, ...]
    """Findings on the lake itself, then on each partition, then of computing again."""
    hidden: tuple[str, ...]
    """Paths that were not looked at: files of unfinished runs, and damaged ones that were set aside."""
    compared: tuple[Compared, ...] | None
    """Outputs computed again; None where this was not asked for."""
    source: SourceCompared | None
    """The publisher's files, read again; None where this was not asked for."""
    incomplete: tuple[str, ...]
    """Things that were asked for and could not be looked at, each with the reason."""
    limits: tuple[str, ...]
    """Things that it does not look at, because nobody asked for it or because it cannot."""

    @property
    def verdict(self) -> Verdict:
        """NOT VERIFIED by any finding or DIFFERENT output, else INCOMPLETE where something could not be looked at."""
        if self.findings or any(output.answer == "DIFFERENT" for output in self.compared or ()):
            return Verdict.NOT_VERIFIED
        return Verdict.INCOMPLETE if self.incomplete else Verdict.VERIFIED


def verify(
    root: Path,
    options: Options,
    *,
    again: bool,
    progress: Progress,
    expected: Sequence[dict[str, str]] | None = None,
    compute: Compute = here,
    publisher: Publisher | None = None,
    sample: int | None = None,
) -> Verification:
    """Verify a lake, or part of one. Changes nothing.

    Args:
        root: The lake's folder.
        options: The partitions to verify.
        again: Compute again from the raw tiles, and compare.
        progress: Called after each partition.
        expected: Audit hashes that were kept elsewhere; None where there are none.
        compute: Where to compute again: in this process, or apart.
        publisher: Gives the publishers whose files are to be read again; None to ask none.
        sample: Number of byte ranges to draw from all of them; None for all.

    Raises:
        NotALake: When there is no lake, or none of the partitions asked for in it.
    """
    contents = Contents.of(root) if root.is_dir() else None
    if contents is None or not (contents.partitions or (root / LAKE).exists()):
        raise NotALake(str(root), "There is no lake. Name the folder that holds lake.json.")
    chosen = [partition for partition in contents.partitions if options.takes(partition)]
    if not chosen and not options.whole:
        raise NotALake(str(root), _nothing(options, contents.partitions))
    programmes: dict[str, str] = {}
    findings: list[Finding] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (partition, of_partition) in enumerate(zip(chosen, pool.map(_findings, chosen), strict=True), 1):
            findings += of_partition
            for name, run in partition.runs.sound.items():
                programmes.setdefault(run.programme, f"{partition.name}/runs/{name}.json")
            progress(partition.name, done, len(chosen))
    findings = [*contents.findings(programmes), *findings]
    findings += expected_findings(expected or (), chosen, options.whole)
    source = None if publisher is None else compare_source(chosen, publisher, sample, progress)
    compared, failed = _again(root, chosen, findings, progress, compute) if again else ([], [])
    return Verification(
        partitions=tuple(chosen),
        findings=(*findings, *(source.findings if source else ()), *failed),
        hidden=contents.hidden,
        compared=tuple(compared) if again else None,
        source=source,
        incomplete=(
            *_incomplete(chosen, compared),
            *_not_found(chosen, options, expected or ()),
            *(source.incomplete if source else ()),
        ),
        limits=tuple(_limits(options, again=again, kept=expected is not None, source=source)),
    )


def _incomplete(chosen: Sequence[StoredPartition], compared: Sequence[Compared]) -> Iterator[str]:
    """Reasons why something that was asked for could not be looked at."""
    if not chosen:
        yield "there is no partition in this lake"
    unknown = sorted({stored.partition.mission for stored in chosen} - {"", *MISSIONS})
    for mission in unknown:
        yield f"this version knows no mission {mission}, and cannot say what its numbers mean"
    for output in compared:
        if output.answer == "NOT_RERUN" and not output.asset.endswith(RAW_TILES):
            yield f"{output.tile} {output.month} was not computed again: {output.detail}"


def _not_found(
    chosen: Sequence[StoredPartition], options: Options, expected: Sequence[dict[str, str]]
) -> Iterator[str]:
    """The kept hashes of which a part of the lake cannot say whether they were removed."""
    if not options.whole and (count := passed_over(expected, chosen)):
        yield (
            f"{count} of the kept audit hashes say no partition and are not of this part of the lake: "
            "verify all of it, or keep what `mrv hashes` prints"
        )


def _limits(options: Options, *, again: bool, kept: bool, source: SourceCompared | None) -> Iterator[str]:
    """Things that this verification does not look at, because nobody asked for it or because it cannot."""
    if not options.whole:
        yield "the rest of the lake"
    yield "raw tiles in the re-run, which computes from them" if again else "computing again (--rerun)"
    if not kept:
        yield "audit hashes kept elsewhere (--expect)"
    if source is None:
        yield "the publisher's files (--source)"
    elif source.sampled is not None and source.sampled < source.of:
        yield f"{source.of - source.sampled} byte ranges of the publisher's files, which were not drawn"


def _findings(partition: StoredPartition) -> list[Finding]:
    return list(partition.findings())


def _nothing(options: Options, partitions: Sequence[StoredPartition]) -> str:
    def some(names: set[str]) -> str:
        return ", ".join(sorted(names)[:12]) + (", ..." if len(names) > 12 else "")

    asked = ", ".join(f"{name} {value}" for name, value in asdict(options).items() if value is not None)
    return (
        f"This lake holds no partition of {asked}. It holds the tiles {some({p.partition.tile for p in partitions})}; "
        f"the months {some({p.partition.month for p in partitions})}; "
        f"the assets {some({p.partition.asset for p in partitions})}."
    )


def _again(
    root: Path, chosen: Sequence[StoredPartition], findings: Sequence[Finding], progress: Progress, compute: Compute
) -> tuple[list[Compared], list[Finding]]:
    """Compute again every tile and month without a finding; one that cannot be computed gives a finding."""
    assets_of: dict[tuple[str, str], list[str]] = {}
    for partition in chosen:
        asset, tile, month = partition.partition.names
        assets_of.setdefault((tile, month), []).append(asset)
    compared: list[Compared] = []
    failed: list[Finding] = []
    jobs = []
    for (tile, month), assets in sorted(assets_of.items()):
        folder = f"/{tile}/{month}/"
        if any(finding.object == LAKE or folder in f"/{finding.object}/" for finding in findings):
            compared.append(not_rerun(assets[0], tile, month, "there are findings: nothing is computed from them"))
        else:
            jobs.append(Job(tile=tile, month=month, assets=tuple(assets)))
    for number, done in enumerate(compute(root, jobs) if jobs else ()):
        compared += done.compared
        failed += done.findings
        if number < len(jobs):
            progress(f"again {jobs[number].tile} {jobs[number].month}", number + 1, len(jobs))
    return sorted(compared, key=lambda one: (one.tile, one.month)), failed
