"""`mrv drift`: scenes that came, changed or went upstream, stale partitions, and values that moved."""

from collections.abc import Sequence
from dataclasses import asdict

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.deployment import Deployment
from mrv_assets.reports.terminal import escape
from mrv_assets.verify.drift import Progress, SceneDrift, drift


def answer(
    deployment: Deployment, tiles: Sequence[str], months: Sequence[str], *, compute: bool, progress: Progress
) -> Json:
    """The JSON document of `mrv drift`.

    Args:
        deployment: The programme and its lake.
        tiles: The tiles to compare.
        months: The months to compare; months that are not in the lake are left out.
        compute: Compute stale months in a temporary lake, and add the values that would move.
        progress: Called after each tile and month.

    Raises:
        CatalogueError: When a catalogue cannot be used.
    """
    drifted = drift(deployment, tiles, months, compute=compute, progress=progress)
    return {
        "programme": deployment.program.program,
        "partitions": drifted.partitions,
        "scenes": [_scene_drift(scenes) for scenes in drifted.scenes],
        "stale": [{**asdict(partition), "because": list(partition.because)} for partition in drifted.stale],
        "values": [asdict(value) for value in drifted.values],
        "computed": compute,
    }


def _scene_drift(scenes: SceneDrift) -> Json:
    return {
        "tile": scenes.tile,
        "month": scenes.month,
        "mission": scenes.mission,
        "appeared": list(scenes.appeared),
        "reprocessed": list(scenes.reprocessed),
        "superseded": [{"id": old, "by": new} for old, new in scenes.superseded],
        "withdrawn": list(scenes.withdrawn),
    }


def text(answer: Json) -> str:
    """The terminal page: a table each of scenes, stale partitions and values, and a summary."""
    parts = [_scenes(answer), _stale(answer), _values(answer), _summary(answer)]
    return "\n\n".join(part for part in parts if part)


def _scenes(answer: Json) -> str:
    rows = [
        [month["tile"], month["month"], change, scene]
        for month in answer["scenes"]
        for change, scenes in (
            ("appeared", month["appeared"]),
            ("reprocessed", month["reprocessed"]),
            ("superseded", [f"{pair['id']} by {pair['by']}" for pair in month["superseded"]]),
            ("withdrawn", month["withdrawn"]),
        )
        for scene in scenes
    ]
    return _table(rows, ["tile", "month", "upstream", "scene"])


def _stale(answer: Json) -> str:
    rows = [
        [
            partition["tile"],
            partition["month"],
            partition["asset"],
            ", ".join(partition["because"]) or "not in the lake",
        ]
        for partition in answer["stale"]
    ]
    return _table(rows, ["tile", "month", "stale from", "because of its"])


def _values(answer: Json) -> str:
    rows = [
        [
            value["parcel_id"] if value["part"] is None else f"{value['parcel_id']} ({value['part']})",
            value["month"],
            value["column"],
            _number(value["old"]),
            _number(value["new"]),
            "in the lake" if value["new_record"] else "if run now",
        ]
        for value in answer["values"]
    ]
    return _table(rows, ["parcel", "month", "value", "old", "new", ""])


def _number(value: object) -> str:
    if value is None:
        return "null"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _table(rows: list[list[str]], headers: list[str]) -> str:
    return tabulate([list(map(escape, row)) for row in rows], headers=headers, disable_numparse=True) if rows else ""


def _summary(answer: Json) -> str:
    changed, stale, moved = (len(answer[name]) for name in ("scenes", "stale", "values"))
    line = (
        f"{answer['partitions']} tile-months of the lake looked at: "
        f"{changed} with other scenes upstream, {stale} stale, {moved} values that moved."
    )
    if not answer["stale"]:
        return line
    first = answer["stale"][0]
    return f"{line}\nBring one up to date: mrv run --tile {first['tile']} --month {first['month']}"
