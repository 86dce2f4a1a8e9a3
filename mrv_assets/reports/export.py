"""`mrv export`: the files that were written, and the months and indices without values."""

from itertools import groupby
from pathlib import Path

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.deployment import Deployment
from mrv_assets.export.build import Progress, export
from mrv_assets.export.options import Options

_LISTED = 20
"""Files that the page lists; --json and the folder's own list have all."""


def answer(deployment: Deployment, options: Options, folder: Path, progress: Progress) -> Json:
    """The JSON document of `mrv export`.

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
    exported = export(deployment, options, folder, progress)
    return {
        "folder": str(exported.folder),
        "outcome": exported.outcome,
        **exported.manifest,
        # The manifest cannot list itself.
        "files": exported.files,
    }


def text(answer: Json) -> str:
    """The terminal page: files, months and indices without values, and a summary."""
    return "\n\n".join(part for part in (_files(answer), _without_values(answer), _summary(answer)) if part)


def _files(answer: Json) -> str:
    files = answer["files"]
    rows = [[file["path"], file["bytes"], file["sha256"]] for file in files[:_LISTED]]
    more = f"\n... and {len(files) - _LISTED} more" if len(files) > _LISTED else ""
    table = tabulate(rows, headers=["file", "bytes", "SHA-256"], disable_numparse=True)
    return table + more if rows else ""


def _without_values(answer: Json) -> str:
    def reason(entry: Json) -> tuple[str, str, str]:
        return entry["because"], entry["index"] or "", entry["detail"]

    rows = [
        [", ".join(f"{entry['tile']} {entry['month']}" for entry in group), index or "all", f"{because}: {detail}"]
        for (because, index, detail), group in groupby(sorted(answer["without_values"], key=reason), key=reason)
    ]
    return "Without values\n\n" + tabulate(rows, headers=["tile and month", "index", "because"]) if rows else ""


def _summary(answer: Json) -> str:
    if answer["outcome"] == "nothing":
        return "Nothing was written: no month has values that may leave the lake."
    size = sum(file["bytes"] for file in answer["files"])
    rows = answer["rows"] or {}
    statuses = ", ".join(f"{count} {status}" for status, count in rows.items())
    counts = f"; {sum(rows.values())} rows: {statuses}" if rows else ""
    outcome = "written" if answer["outcome"] == "written" else "there already, the same byte for byte"
    credits = "".join(f"\nPublish it with the attribution: {credit}." for credit in answer["attributions"])
    return f"{answer['folder']}: {len(answer['files'])} files, {size / 1e6:.2f} MB, {outcome}{counts}.{credits}"
