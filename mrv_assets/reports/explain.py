"""`mrv explain`: a parcel's number of a month, back to its scenes: values, gate, scenes and records."""

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment
from mrv_assets.errors import BadInputError, StaleUpstream
from mrv_assets.formats.artifacts import decision_of, observations_of
from mrv_assets.formats.stored_table import StoredTable
from mrv_assets.lake.store import Lake
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.reports.left_out import doubts, left_out
from mrv_assets.reports.terminal import counted, escape
from mrv_assets.science.gate import reaches
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.present import stale


class UnknownParcel(BadInputError):
    """A parcel id is not in the programme."""

    def __init__(self, parcel_id: str, near: tuple[str, ...]) -> None:
        super().__init__(parcel_id, near)
        self.parcel_id, self.near = parcel_id, near

    def __str__(self) -> str:
        hint = f"Did you mean {' or '.join(self.near)}?" if self.near else "`mrv tiles --json` lists its parcels."
        return f"Parcel {self.parcel_id!r} is not in this programme. {hint}"


def answer(deployment: Deployment, parcel_id: str, month: str) -> Json:
    """The JSON document of `mrv explain`.

    Raises:
        UnknownParcel: When the programme has no such parcel.
        UnknownPartition: When the programme has no such month.
        NotMaterialized: When the month is not in the lake.
        StaleUpstream: When the parcel was another or none when the month was made, or when a decision or a record that
            the month rests on does not hold any more.
    """
    assigned = deployment.assigned
    # One Unicode form of an id may be written where the parcels file has the other.
    forms = {unicodedata.normalize("NFC", known): known for known in assigned.parcel_id}
    if parcel_id not in assigned.parcel_id:
        parcel_id = forms.get(unicodedata.normalize("NFC", parcel_id), parcel_id)
    tiles = [tile for owned, tile in zip(assigned.parcel_id, assigned.tile, strict=True) if owned == parcel_id]
    if not tiles:
        raise UnknownParcel(parcel_id, tuple(difflib.get_close_matches(parcel_id, assigned.parcel_id, 3)))
    return {
        "parcel_id": parcel_id,
        "month": month,
        "parts": [_part(deployment, parcel_id, tile, month) for tile in tiles],
    }


def _part(deployment: Deployment, parcel_id: str, tile: str, month: str) -> Json:
    """The explanation of the part of a parcel that one tile owns."""
    deployment.plan(tile, month)
    lineage = _lineage(deployment.lake, tile, month)
    monthly = lineage.monthly
    change = stale(deployment, monthly)
    if change is not None:
        # What was approved stays approved in its record, and is shown with the word that its reviewer has left.
        replaced = change.overtaken is not None and not change.reviewer_removed
        if replaced or parcel_id in (*change.redrawn, *change.missing):
            raise StaleUpstream(*monthly.partition.names, change.reason)
    row = _row(monthly, parcel_id)
    # The order in which the month was made, which may not be the programme's any more.
    order = monthly.document["plan"]["substitution"]
    name = monthly.output["mission"] or order[0]
    decisions = {mission: decision_of(chain[0]) for mission, chain in lineage.chains.items()}
    # Where every gate is closed, all missions that looked show how far they fell short.
    used = monthly.missions_used or tuple(mission for mission in order if lineage.chains[mission][0].evaluated)
    return {
        "tile": tile,
        "stale": None if change is None else str(change),
        "row": row,
        "gate": {
            "mission": name,
            **{field: decisions[name][field] for field in ("status", "reasons", "coverage", "min_coverage")},
            "audit_hash": lineage.chains[name][0].audit_hash,
        },
        "missions": [
            {
                "mission": mission,
                "status": decisions[mission]["status"],
                "reasons": decisions[mission]["reasons"],
                "coverage": decisions[mission]["coverage"],
                "approved_by": decisions[mission].get("manual", []),
                "used": mission in monthly.missions_used,
                "share": row.get(f"{mission}_share"),
                "audit_hash": lineage.chains[mission][0].audit_hash,
            }
            for mission in order
        ],
        "unavailable": _unavailable({mission: decisions[mission] for mission in used}),
        "scenes": [
            scene for mission in used for scene in _scenes(mission, decisions[mission], lineage.chains[mission][-1])
        ],
        "left_out": [scene for mission in used for scene in left_out(lineage.chains[mission][-1])],
        "doubts": [doubt for mission in used for doubt in doubts(lineage.chains[mission][-1])],
        "records": [
            {
                "asset": record.partition.asset,
                "audit_hash": record.audit_hash,
                "reproduced": deployment.lake.reproductions(record),
            }
            for record in [monthly, *(record for mission in used for record in lineage.chains[mission])]
        ],
    }


@dataclass(frozen=True, kw_only=True)
class _Lineage:
    """The records that a month's numbers rest on."""

    monthly: Record
    chains: dict[str, list[Record]]
    """Per mission, gated_tiles back to raw_tiles."""


def _lineage(lake: Lake, tile: str, month: str) -> _Lineage:
    monthly = lake.current(Partition(PRODUCT, tile, month))
    missions = [monthly.partition.of(asset).mission for asset in monthly.upstream]
    return _Lineage(
        monthly=monthly, chains={mission: list(lake.lineage(monthly, mission=mission)) for mission in missions}
    )


def _row(monthly: Record, parcel_id: str) -> Json:
    """A parcel's row of a month's table, without its geometry."""
    for row in StoredTable(monthly).rows:
        if row["parcel_id"] == parcel_id:
            return row
    raise StaleUpstream(*monthly.partition.names, f"it was made before parcel {parcel_id!r} was added")


def _unavailable(decisions: Mapping[str, Json]) -> Json:
    """Indices that none of some missions could compute, each with the reason of the first mission."""
    lacking = {mission: decision["unavailable"] for mission, decision in decisions.items()}
    computed = {
        index for mission, reasons in lacking.items() for index in MISSIONS[mission].indices if index not in reasons
    }
    unavailable: Json = {}
    for reasons in lacking.values():
        unavailable = {**{index: reason for index, reason in reasons.items() if index not in computed}, **unavailable}
    return unavailable


def _scenes(mission: str, decision: Json, raw: Record) -> list[Json]:
    """The scenes of a mission's month, in order of time."""
    stored = {scene["id"]: scene for observation in observations_of(raw) for scene in observation["scenes"]}
    return [
        {
            "mission": mission,
            "id": scene,
            "datetime": observation["datetime"],
            "clear_of_parcels": observation["clear_of_parcels"],
            "used": observation["used"],
            "offset_rule": stored[scene]["offset_rule"],
            "findings": stored[scene]["findings"],
            "files": {
                band: {"href": file["href"], "checksum": file["checksum"], "cog_tiles": file["fetched"]}
                for band, file in stored[scene]["bands"].items()
            },
        }
        for observation in decision["observations"]
        for scene in observation["scenes"]
    ]


def text(answer: Json) -> str:
    """The terminal page: one screen for each tile that owns a part of the parcel."""
    return "\n\n".join(_part_text(answer, part) for part in answer["parts"])


def _part_text(answer: Json, part: Json) -> str:
    row, gate, missions = part["row"], part["gate"], part["missions"]
    used = [mission for mission in missions if mission["used"]] or [
        mission for mission in missions if mission["coverage"] is not None
    ]
    return "\n\n".join(
        [
            f"{answer['parcel_id']}, {answer['month']}, tile {part['tile']}: {row['value_status']}"
            + (f"\nStale: {escape(part['stale'])}." if part["stale"] else ""),
            _values_text(row, [mission["mission"] for mission in used], part["unavailable"]),
            _source_text(row)
            + f"Seen: {row['observed_area_ha']:.4f} of {row['parcel_area_ha']:.4f} ha ({row['valid_fraction']:.4f}) in "
            f"{row['n_obs']} observations, longest gap {row['max_gap_days']:.1f} d\n"
            f"{_shares_text(used)}"
            f"Parcel gate: {_passed(row['valid_fraction'], gate['min_coverage'])}, seen {row['valid_fraction']:.4f}, "
            f"needed {gate['min_coverage']:.2f}\n"
            + "\n".join(_gate_text(mission, gate["min_coverage"]) for mission in used),
            _scenes_text(part),
            "Records (each names the next in its inputs; sha256 of the record is its audit hash)\n"
            + _records_text(part),
        ]
    )


def _source_text(row: Json) -> str:
    """The mission of the values, where it is not the programme's first or the values do not compare with others."""
    if row["mission"] is None or (row["comparable"] and not row["substituted"]):
        return ""
    stands = f"{row['mission']} stands in, " if row["substituted"] else ""
    comparable = "comparable" if row["comparable"] else "not comparable with other months"
    return f"Source: {stands}{row['resolution_m']:g} m, {comparable}, uncertainty x {row['uncertainty_factor']:g}\n"


def _gate_text(mission: Json, min_coverage: float) -> str:
    reasons = f" ({', '.join(mission['reasons'])})" if mission["reasons"] else ""
    measured = (
        f"Tile gate: {mission['status']} on {mission['mission']}, clear {mission['coverage']:.4f} of the parcels' "
        f"area, needed {min_coverage:.2f}{reasons}"
    )
    return "\n".join([measured, *(_approval_text(manual) for manual in mission["approved_by"])])


def _approval_text(manual: Json) -> str:
    """The reviewer who approved, and the reason in the reviewer's own words."""
    evidence = f" (evidence: {'; '.join(manual['evidence'])})" if manual["evidence"] else ""
    return escape(f"  approved by {manual['reviewer']}, {manual['role']}: {manual['reason']}{evidence}")


def _shares_text(used: Sequence[Json]) -> str:
    """The share of pixels from each mission, where there are several."""
    given = [f"{mission['mission']} {mission['share']:.4f}" for mission in used if mission["share"] is not None]
    return f"Pixels of the parcel's area from {', '.join(given)}\n" if given and len(used) > 1 else ""


def _records_text(part: Json) -> str:
    rows = [
        [record["asset"], record["audit_hash"], _reproduced_text(record["reproduced"])] for record in part["records"]
    ]
    return tabulate(rows, tablefmt="plain", disable_numparse=True)


def _reproduced_text(count: int) -> str:
    return "" if count == 0 else f"reproduced {counted(count, 'time')}"


def _passed(fraction: float, threshold: float) -> str:
    return "passed" if reaches(fraction, threshold) else "below"


def _values_text(row: Json, missions: Sequence[str], unavailable: Json) -> str:
    lines = []
    for name in dict.fromkeys(name for mission in missions for name in MISSIONS[mission].indices):
        mean = row.get(f"{name}_mean")
        if mean is not None:
            value = f"{mean:.4f}, spatial std {row[f'{name}_std']:.4f}, over {row[f'{name}_valid_area_ha']:.4f} ha"
        else:
            status = "no valid pixel" if row["value_status"] == "ok" else row["value_status"]
            value = f"null ({unavailable.get(name, status)})"
        lines.append(f"{name.upper():<5} {value}")
    return "\n".join(lines)


def _scenes_text(part: Json) -> str:
    scenes = part["scenes"]
    if not scenes and not part["left_out"]:
        return "Scenes: none this month"
    several = len({scene["mission"] for scene in scenes}) > 1
    rows = [
        [
            *([scene["mission"]] if several else []),
            escape(scene["datetime"]),
            escape(scene["id"]),
            f"{scene['clear_of_parcels']:.3f}",
            len(scene["files"]),
        ]
        for scene in scenes
    ]
    headers = [*(["mission"] if several else []), "time", "scene", "clear", "files"]
    table = tabulate(rows, headers=headers, disable_numparse=True)
    unused = [f"not used {escape(scene['id'])}: below min_scene_clear" for scene in scenes if not scene["used"]]
    excluded = [escape(f"left out {scene['id']}: {scene['code']}, {scene['detail']}") for scene in part["left_out"]]
    doubtful = [escape(f"doubtful {doubt['id']}: {doubt['finding']}") for doubt in part["doubts"]]
    return "\n".join([table, *unused, *excluded, *doubtful])
