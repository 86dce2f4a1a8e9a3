"""Scenes that do not count, and why, and doubts about those that do: parts of what `mrv run` and `mrv explain` say."""

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Record
from mrv_assets.formats.artifacts import doubts_among, observations_of


def left_out(raw_tiles: Record) -> list[Json]:
    """Scenes that the catalogue offered and that were excluded or refused: id, reason code and detail."""
    if not raw_tiles.evaluated:
        return []
    excluded = [{"id": i, "code": code, "detail": detail} for i, code, detail in raw_tiles.inputs["excluded"]]
    return excluded + list(raw_tiles.output["refused"])


def doubts(raw_tiles: Record) -> list[Json]:
    """Findings about scenes that count, although a statement about them is doubtful: id and finding."""
    if not raw_tiles.evaluated:
        return []
    return [
        {"id": scene["id"], "finding": finding}
        for observation in observations_of(raw_tiles)
        for scene in observation["scenes"]
        for finding in doubts_among(scene["findings"])
    ]
