"""`mrv export` for a terminal: what was written, and what was not."""

from itertools import groupby

from tabulate import tabulate

from mrv_assets.audit.canonical import Json

_SHOWN = 20
"""Files that are listed; --json and the folder's own list have all."""


def shown(answer: Json) -> str:
    """The answer of `mrv export`."""
    return "\n\n".join(part for part in (_files(answer), _without_values(answer), _summary(answer)) if part)


def _files(answer: Json) -> str:
    files = answer["files"]
    rows = [[f["path"], f["bytes"], f["sha256"]] for f in files[:_SHOWN]]
    more = f"\n... and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    table = tabulate(rows, headers=["file", "bytes", "SHA-256"], disable_numparse=True)
    return table + more if rows else ""


def _without_values(answer: Json) -> str:
    def why(one: Json) -> tuple[str, str, str]:
        return one["because"], one["index"] or "", one["detail"]

    rows = [
        [", ".join(f"{one['tile']} {one['month']}" for one in group), index or "all", f"{because}: {detail}"]
        for (because, index, detail), group in groupby(sorted(answer["without_values"], key=why), key=why)
    ]
    return "Without values\n\n" + tabulate(rows, headers=["tile and month", "index", "because"]) if rows else ""


def _summary(answer: Json) -> str:
    if answer["outcome"] == "nothing":
        return "Nothing was written: no month has values that may leave the lake."
    size = sum(f["bytes"] for f in answer["files"])
    rows = answer["rows"] or {}
    counted = f"; {sum(rows.values())} rows: {', '.join(f'{n} {status}' for status, n in rows.items())}" if rows else ""
    held = "written" if answer["outcome"] == "written" else "there already, the same byte for byte"
    credited = "".join(f"\nWhoever publishes it says: {text}." for text in answer["attributions"])
    return f"{answer['folder']}: {len(answer['files'])} files, {size / 1e6:.2f} MB, {held}{counted}.{credited}"
