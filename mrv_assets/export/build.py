"""`mrv export`: what is written, what has no values, and why."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mrv_assets import __version__
from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import ExportError, NotMaterialized
from mrv_assets.export.attribution import attributions
from mrv_assets.export.csv_file import write_csv, write_csvw
from mrv_assets.export.folder import MANIFEST, checked, files_of, put_in_place, staged
from mrv_assets.export.months import Month, read_month
from mrv_assets.export.options import Format, Wanted
from mrv_assets.export.rasters import Raster, variables, write_rasters
from mrv_assets.export.rows import all_rows, counts_by_status, without_geometry, write_geoparquet
from mrv_assets.stages.table import PRODUCT

SCHEMA = "mrv-export/1"

Progress = Callable[[str, int, int], None]
"""Told what is under way, how many are done, and of how many."""


def export_answer(deployment: Deployment, wanted: Wanted, folder: Path, progress: Progress) -> Json:
    """Export months of a programme's lake into a new folder.

    The folder appears whole, or not at all. Where it is there already it stays as it is: with the very same files the
    outcome is ``unchanged``, otherwise it is refused. Where nothing may be written, because every gate is closed, there
    is no folder and the outcome is ``nothing``.

    Args:
        place: The programme and its lake.
        wanted: What, and how.
        folder: Where to; outside of any lake.
        progress: Told of each step that is done.

    Raises:
        UnknownPartition: When the programme has no such tile or month.
        NotMaterialized: When none of the months is in the lake.
        ExportError: When the folder or an option cannot be used.
        DamagedLake: When anything that would be exported is not as its record says.
    """
    final = checked(folder, deployment.lake_path)
    pairs = _partitions(deployment, wanted)
    there = [pair for pair in pairs if deployment.lake.head(Partition(PRODUCT, *pair)) is not None]
    if not there:
        raise NotMaterialized(PRODUCT, *pairs[0])
    steps = _Steps(progress=progress, of=len(there) * (2 if wanted.format.has_rasters else 1))
    months = []
    for pair in there:
        months.append(read_month(deployment.lake, *pair))
        steps.done(f"{' '.join(pair)} verified")
    indices = _indices(wanted, months)
    stated: Json = {
        "schema": SCHEMA,
        "programme": deployment.program.program,
        "software": f"mrv_assets {__version__}",
        "format": wanted.format.value,
        "crs": wanted.crs if wanted.format.has_rasters else None,
        "resolution_deg": wanted.step_deg if wanted.in_degrees else None,
        "resampling": wanted.resampling.value if wanted.in_degrees else None,
        "indices": list(indices),
        "attributions": attributions(scene for month in months for scene in month.scenes),
        "months": [_month(month) for month in months],
        "without_values": list(_without_values(months, indices, set(pairs) - set(there))),
    }
    with staged(final) as made:
        rows = _written(wanted, months, indices, made, steps)
        files = files_of(made)
        stated |= {"rows": rows, "files": files}
        if not files:
            return {"folder": str(final), "outcome": "nothing", **stated}
        (made / MANIFEST).write_text(json.dumps(stated, indent=2) + "\n")
        files = files_of(made)
        outcome = "written" if put_in_place(made, final) else "unchanged"
    return {"folder": str(final), "outcome": outcome, **stated, "files": files}


class _Steps:
    """Counts what is done."""

    def __init__(self, progress: Progress, of: int) -> None:
        self._progress, self._of, self._done = progress, of, 0

    def done(self, name: str) -> None:
        """Say that one step more is done."""
        self._done += 1
        self._progress(name, self._done, self._of)


def _partitions(deployment: Deployment, wanted: Wanted) -> list[tuple[str, str]]:
    tiles = (wanted.tile,) if wanted.tile else deployment.tiles
    months = (wanted.month,) if wanted.month else deployment.months
    deployment.plan(tiles[0], months[0])
    return [(tile, month) for tile in tiles for month in months]


def _indices(wanted: Wanted, months: Sequence[Month]) -> tuple[str, ...]:
    known = tuple(dict.fromkeys(name for month in months for name in month.indices))
    for name in wanted.indices:
        if name not in known:
            raise ExportError("--index", name, "these months have no such index", f"Name one of {', '.join(known)}")
    return tuple(wanted.indices) or known


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


def _without_values(months: Sequence[Month], indices: Sequence[str], absent: set[tuple[str, str]]) -> Iterator[Json]:
    """What nobody will find in the export, and why; by tile and month."""
    found = [
        {"tile": tile, "month": month, "index": None, "because": "not_in_lake", "detail": "it was not run"}
        for tile, month in absent
    ]
    for month in months:
        at = {"tile": month.tile, "month": month.month}
        if not month.has_values:
            detail = "; ".join(map(str, month.decided))
            found.append({**at, "index": None, "because": "gate_closed", "detail": detail})
        found += [
            {**at, "index": name, "because": "unavailable", "detail": reason}
            for name, reason in month.missing_indices.items()
            if name in indices
        ]
    yield from sorted(found, key=lambda one: (one["tile"], one["month"]))


def _written(
    wanted: Wanted, months: Sequence[Month], indices: tuple[str, ...], folder: Path, steps: _Steps
) -> Json | None:
    """Write all files into a folder; gives how many rows there are of each value_status, None where there is no row."""
    if wanted.format is Format.COG:
        for month in months:
            _rasters(month, wanted, indices, folder, steps)
        return None
    table = all_rows(months, indices)
    match wanted.format:
        case Format.STAC:
            _catalogue(wanted, months, indices, folder, steps)
        case Format.GEOPARQUET:
            write_geoparquet(table, folder / "parcels.parquet")
        case Format.CSV:
            csv = folder / "parcels.csv"
            write_csv(without_geometry(table), csv)
            credited = attributions(scene for month in months for scene in month.scenes)
            write_csvw(without_geometry(table), csv, credited, folder / "parcels.csv-metadata.json")
        case Format.XLSX:
            from mrv_assets.export.workbook import write_workbook

            write_workbook(without_geometry(table), months, folder / "parcels.xlsx")
    return counts_by_status(table)


def _rasters(month: Month, wanted: Wanted, indices: tuple[str, ...], folder: Path, steps: _Steps) -> list[Raster]:
    names = variables(month, indices)
    made = []
    if names:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside what is made, where there is room for it; a killed export's goes with the rest of it.
        with TemporaryDirectory(dir=folder, prefix=".scratch-") as scratch:
            made = list(write_rasters(month, wanted, names, folder, Path(scratch)))
    steps.done(f"{month.tile} {month.month} {len(made)} rasters")
    return made


def _catalogue(wanted: Wanted, months: Sequence[Month], indices: tuple[str, ...], folder: Path, steps: _Steps) -> None:
    # Only this format needs pystac.
    from mrv_assets.export.catalogue import Entry, folder_of, write_catalogue

    entries = []
    for month in months:
        mine = folder_of(folder, month)
        mine.mkdir(parents=True)
        table = mine / f"{month.name}_parcels.parquet"
        write_geoparquet(all_rows([month], indices), table)
        entries.append(Entry(month=month, rasters=_rasters(month, wanted, indices, mine, steps), table=table))
    write_catalogue(folder, entries)
