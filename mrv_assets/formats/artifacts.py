"""Documents that stages leave for each other: read only if they are the ones their record speaks of."""

import json
from collections.abc import Iterable
from typing import Any

from mrv_assets.audit.canonical import Json, sha256
from mrv_assets.audit.record import Record
from mrv_assets.formats.files import damaged, file_bytes

SCENES = "scenes.json"
"""Document of raw_tiles: the scenes of each observation, and the COG tiles that were fetched of each file."""
DECISION = "decision.json"
"""Document of gated_tiles: the decision, and every number it rests on."""
PREVIEW = "preview.png"
"""Picture of gated_tiles and of monthly_proxies; the record digests its pixels, not its PNG bytes."""

MAX_DOCUMENT_BYTES = 1 << 28
"""Size of the largest document that a stage leaves: a month of 300 scenes with the COG tiles of all bands has 20 MB."""


def observations_of(raw: Record) -> list[Json]:
    """The observations of a raw_tiles record: key, rule and scenes of each, in time order.

    Raises:
        DamagedLake: When the file is missing or not the one the record speaks of.
    """
    observations: list[Json] = _read(raw, SCENES, raw.output["files"][SCENES]["sha256"])
    return observations


def decision_of(gated: Record) -> Json:
    """The decision of a gated_tiles record.

    Raises:
        DamagedLake: When the file is missing or not the one the record speaks of: an edited decision decides
            nothing.
    """
    decision: Json = _read(gated, DECISION, gated.output["decision_sha256"])
    return decision


def _read(record: Record, name: str, expected: str) -> Any:
    data, _ = file_bytes(record.data, name, MAX_DOCUMENT_BYTES)
    if sha256(data) != expected:
        raise damaged(record.data, name, "its bytes are not the ones its record speaks of")
    return json.loads(data)


def doubts_among(findings: Iterable[str]) -> list[str]:
    """The findings about a scene that somebody should look at; the others say what a catalogue leaves out."""
    return [finding for finding in findings if finding.startswith(_DOUBTS)]


_DOUBTS = ("offset_", "bbox_", "datetime_", "deprecated")
