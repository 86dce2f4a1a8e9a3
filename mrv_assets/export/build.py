"""An export, built: months verified and written, and months without values listed with the reason."""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrv_assets import __version__
from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import ExportError, NotMaterialized, StaleUpstream
from mrv_assets.export.content import Content
from mrv_assets.export.folder import MANIFEST, checked, files_of, put_in_place, staged
from mrv_assets.export.formats import Format
from mrv_assets.export.months import Month, read_month
from mrv_assets.export.options import Options
from mrv_assets.export.rows import counts_by_status
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.present import Stale, history, stale_months

SCHEMA = "mrv-export/1"

Progress = Callable[[str, int, int], None]
"""Called with the name of each finished step, the number of finished steps, and the number of all steps."""
Step = Callable[[str], None]
"""Called with the name of a finished step."""
Writer = Callable[[Content, Path, Step], None]
"""Writes the content of an export into an empty folder; reports one step a month where it writes rasters."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The result of an export."""

    folder: Path
    """The export's folder, absolute."""
    outcome: str
    """``written``; ``unchanged``, when the same files were there already; ``nothing``, when nothing may be written."""
    manifest: Json
    """The content of ``mrv-export.json``, which lists all files but itself."""
    files: list[Json]
    """Path, SHA-256 and size of every file, the manifest included."""


def export(deployment: Deployment, options: Options, folder: Path, progress: Progress) -> Exported:
    """Export months of a programme's lake into a new folder.

    The folder appears whole, or not at all. A folder that is there already stays as it is: with the same files the
    outcome is ``unchanged``, with other files the export is refused. When every gate is closed no folder is made, and
    the outcome is ``nothing``.

    Args:
        deployment: The programme and its lake.
        options: The months, indices and format.
        folder: The export's folder; outside of any lake.
        progress: Called after each step.

    Raises:
        UnknownPartition: When the programme has no such tile or month.
        NotMaterialized: When none of the months is in the lake.
        ExportError: When the folder or an option cannot be used.
        DamagedLake: When data to export is not as its record says.
    """
    final = checked(folder, deployment.lake_path)
    partitions = _partitions(deployment, options)
    stored = [partition for partition in partitions if deployment.lake.head(Partition(PRODUCT, *partition)) is not None]
    if not stored:
        raise NotMaterialized(PRODUCT, *partitions[0])
    tiles, named = ({partition[part] for partition in partitions} for part in (0, 1))
    old = {(each.tile, each.month): each for each in stale_months(deployment, sorted(tiles), sorted(named))}
    stored = [partition for partition in stored if partition not in old]
    if not stored:
        raise StaleUpstream(PRODUCT, *min(old), old[min(old)].reason)
    steps = _Steps(progress=progress, total=len(stored) * (2 if options.format.has_rasters else 1))
    months = []
    for partition in stored:
        months.append(read_month(deployment.lake, *partition))
        steps.done(f"{' '.join(partition)} verified")
    content = Content(months=months, indices=_indices(options, months), options=options)
    manifest: Json = {
        "schema": SCHEMA,
        "programme": deployment.program.program,
        "software": f"mrv_assets {__version__}",
        "format": options.format.name,
        "crs": options.crs if options.format.has_rasters else None,
        "resolution_deg": options.step_deg if options.in_degrees else None,
        "resampling": options.resampling.value if options.in_degrees else None,
        "indices": list(content.indices),
        "attributions": content.attributions,
        "months": [_month(month) for month in months],
        "without_values": list(
            _without_values(content, set(partitions) - set(stored) - set(old), _outdated(deployment, options, old))
        ),
    }
    with staged(final) as building:
        writer_of(options.format)(content, building, steps.done)
        files = files_of(building)
        manifest["rows"] = counts_by_status(content.table) if options.format.has_rows else None
        manifest["files"] = files
        if not files:
            return Exported(folder=final, outcome="nothing", manifest=manifest, files=[])
        (building / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        files = files_of(building)
        outcome = "written" if put_in_place(building, final) else "unchanged"
    return Exported(folder=final, outcome=outcome, manifest=manifest, files=files)


def writer_of(format: Format) -> Writer:
    """The function that writes a format. Its module is imported only now: each brings large libraries."""
    writer: Writer = importlib.import_module(f"mrv_assets.export.{format.name}").write
    return writer


class _Steps:
    """A count of finished steps."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def done(self, name: str) -> None:
        """Report one more finished step."""
        self._done += 1
        self._progress(name, self._done, self._total)


def _partitions(deployment: Deployment, options: Options) -> list[tuple[str, str]]:
    tiles = (options.tile,) if options.tile else deployment.tiles
    months = (options.month,) if options.month else deployment.months
    deployment.plan(tiles[0], months[0])
    return [(tile, month) for tile in tiles for month in months]


def _indices(options: Options, months: Sequence[Month]) -> tuple[str, ...]:
    known = tuple(dict.fromkeys(name for month in months for name in month.indices))
    for name in options.indices:
        if name not in known:
            raise ExportError("--index", name, "these months have no such index", f"Name one of {', '.join(known)}")
    return tuple(options.indices) or known


def _month(month: Month) -> Json:
    return {
        "tile": month.tile,
        "month": month.month,
        "audit_hash": month.record.audit_hash,
        "mission": month.used.mission if month.has_values else None,
        "missions": list(month.missions),
        "substituted": month.substituted,
        "gate_status": month.used.status.value,
    }


def _outdated(deployment: Deployment, options: Options, old: Mapping[tuple[str, str], Stale]) -> list[Json]:
    """Months that are not what the programme would make of them now, and those of tiles that have left it."""
    found: list[Json] = [
        {"tile": tile, "month": month, "index": None, "because": change.because, "detail": str(change)}
        for (tile, month), change in old.items()
    ]
    for tile, months in history(deployment).items() if options.tile is None else ():
        for month in months:
            if options.month in (None, month):
                detail = "the tile owns no parcel of the programme any more"
                found.append({"tile": tile, "month": month, "index": None, "because": "history", "detail": detail})
    return found


def _without_values(content: Content, absent: set[tuple[str, str]], outdated: list[Json]) -> Iterator[Json]:
    """Months and indices that have no values in the export, with the reason; by tile and month."""
    missing: list[Json] = outdated + [
        {"tile": tile, "month": month, "index": None, "because": "not_in_lake", "detail": "it was not run"}
        for tile, month in absent
    ]
    for month in content.months:
        partition = {"tile": month.tile, "month": month.month}
        if not month.has_values:
            detail = "; ".join(map(str, month.decided))
            missing.append({**partition, "index": None, "because": "gate_closed", "detail": detail})
        missing += [
            {**partition, "index": name, "because": "unavailable", "detail": reason}
            for name, reason in month.missing_indices.items()
            if name in content.indices
        ]
    yield from sorted(missing, key=lambda entry: (entry["tile"], entry["month"]))
