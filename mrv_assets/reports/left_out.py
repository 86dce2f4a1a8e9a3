"""Scenes that do not count, and why: a part of the answers of `mrv run` and `mrv explain`."""

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Record


def left_out(raw_tiles: Record) -> list[Json]:
    """Scenes that the catalogue offered and that were excluded or refused: id, reason code and detail."""
    if not raw_tiles.evaluated:
        return []
    excluded = [{"id": i, "code": code, "detail": detail} for i, code, detail in raw_tiles.inputs["excluded"]]
    return excluded + list(raw_tiles.output["refused"])
