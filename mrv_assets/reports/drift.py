"""`mrv drift` for a terminal: what came, changed and went, what is stale, and which values moved."""

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.reports.terminal import plain


def drifted(answer: Json) -> str:
    """The answer of `mrv drift`."""
    parts = [_scenes(answer), _stale(answer), _values(answer), _summary(answer)]
    return "\n\n".join(part for part in parts if part)


def _scenes(answer: Json) -> str:
    rows = [
        [one["tile"], one["month"], what, scene]
        for one in answer["scenes"]
        for what, scenes in (
            ("appeared", one["appeared"]),
            ("reprocessed", one["reprocessed"]),
            ("superseded", [f"{pair['id']} by {pair['by']}" for pair in one["superseded"]]),
            ("withdrawn", one["withdrawn"]),
        )
        for scene in scenes
    ]
    return _table(rows, ["tile", "month", "upstream", "scene"])


def _stale(answer: Json) -> str:
    rows = [
        [one["tile"], one["month"], one["asset"], ", ".join(one["because"]) or "not in the lake"]
        for one in answer["stale"]
    ]
    return _table(rows, ["tile", "month", "stale from", "because of its"])


def _values(answer: Json) -> str:
    rows = [
        [
            one["parcel_id"] if one["part"] is None else f"{one['parcel_id']} ({one['part']})",
            one["month"],
            one["column"],
            _shown(one["old"]),
            _shown(one["new"]),
            "in the lake" if one["new_record"] else "if run now",
        ]
        for one in answer["values"]
    ]
    return _table(rows, ["parcel", "month", "value", "old", "new", ""])


def _shown(value: object) -> str:
    if value is None:
        return "null"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _table(rows: list[list[str]], headers: list[str]) -> str:
    return tabulate([list(map(plain, row)) for row in rows], headers=headers, disable_numparse=True) if rows else ""


def _summary(answer: Json) -> str:
    looked = f"{answer['partitions']} tile-months of the lake looked at: "
    changed, stale, moved = (len(answer[name]) for name in ("scenes", "stale", "values"))
    found = f"{changed} with other scenes upstream, {stale} stale, {moved} values that moved."
    if not answer["stale"]:
        return looked + found
    month = answer["stale"][0]
    cure = f"Bring one up to date: mrv run --tile {month['tile']} --month {month['month']}"
    return f"{looked}{found}\n{cure}"
