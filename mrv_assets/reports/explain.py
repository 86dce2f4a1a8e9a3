"""`mrv explain` as one screen: the number, the gate, the scenes, the records."""

from collections.abc import Sequence

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.reports.terminal import plain
from mrv_assets.science.gate import reaches


def explained(answer: Json) -> str:
    """The explanation of a parcel's month, for a terminal."""
    return "\n\n".join(_part(answer, part) for part in answer["parts"])


def _part(answer: Json, part: Json) -> str:
    row, gate = part["row"], part["gate"]
    missions = part["missions"]
    used = [one for one in missions if one["used"]] or [one for one in missions if one["mission"] == gate["mission"]]
    return "\n\n".join(
        [
            f"{answer['parcel_id']}, {answer['month']}, tile {part['tile']}: {row['value_status']}",
            _values(row, [one["mission"] for one in used], part["unavailable"]),
            f"Seen: {row['observed_area_ha']:.4f} of {row['parcel_area_ha']:.4f} ha ({row['valid_fraction']:.4f}) in "
            f"{row['n_obs']} observations, longest gap {row['max_gap_days']:.1f} d\n"
            f"{_shares(used)}"
            f"Parcel gate: {_passed(row['valid_fraction'], gate['min_coverage'])}, seen {row['valid_fraction']:.4f}, "
            f"needed {gate['min_coverage']:.2f}\n" + "\n".join(_gate(one, gate["min_coverage"]) for one in used),
            _scenes(part),
            "Records (each names the next in its inputs; sha256 of the record is its audit hash)\n" + _records(part),
        ]
    )


def _gate(one: Json, min_coverage: float) -> str:
    reasons = f" ({', '.join(one['reasons'])})" if one["reasons"] else ""
    measured = (
        f"Tile gate: {one['status']} on {one['mission']}, clear {one['coverage']:.4f} of the parcels' area, "
        f"needed {min_coverage:.2f}{reasons}"
    )
    return "\n".join([measured, *(_approval(manual) for manual in one["approved_by"])])


def _approval(manual: Json) -> str:
    """Who approved it, and why; the reviewers' own words."""
    evidence = f" (evidence: {'; '.join(manual['evidence'])})" if manual["evidence"] else ""
    return plain(f"  approved by {manual['reviewer']}, {manual['role']}: {manual['reason']}{evidence}")


def _shares(used: Sequence[Json]) -> str:
    """What each mission gave, where there are several."""
    given = [f"{one['mission']} {one['share']:.4f}" for one in used if one["share"] is not None]
    return f"Pixels of the parcel's area from {', '.join(given)}\n" if len(used) > 1 else ""


def _records(part: Json) -> str:
    rows = [[record["asset"], record["audit_hash"], _reproduced(record["reproduced"])] for record in part["records"]]
    return tabulate(rows, tablefmt="plain", disable_numparse=True)


def _reproduced(count: int) -> str:
    return "" if count == 0 else f"reproduced {count} time{'' if count == 1 else 's'}"


def _passed(fraction: float, threshold: float) -> str:
    return "passed" if reaches(fraction, threshold) else "below"


def _values(row: Json, missions: Sequence[str], unavailable: Json) -> str:
    lines = []
    for name in dict.fromkeys(name for mission in missions for name in MISSIONS[mission].indices):
        mean = row.get(f"{name}_mean")
        if mean is not None:
            shown = f"{mean:.4f}, spatial std {row[f'{name}_std']:.4f}, over {row[f'{name}_valid_area_ha']:.4f} ha"
        else:
            status = "no valid pixel" if row["value_status"] == "ok" else row["value_status"]
            shown = f"null ({unavailable.get(name, status)})"
        lines.append(f"{name.upper():<5} {shown}")
    return "\n".join(lines)


def _scenes(part: Json) -> str:
    if not part["scenes"] and not part["left_out"]:
        return "Scenes: none this month"
    several = len({scene["mission"] for scene in part["scenes"]}) > 1
    shown = [
        [
            *([s["mission"]] if several else []),
            plain(s["datetime"]),
            plain(s["id"]),
            f"{s['clear_of_parcels']:.3f}",
            len(s["files"]),
        ]
        for s in part["scenes"]
    ]
    headers = [*(["mission"] if several else []), "time", "scene", "clear", "files"]
    table = tabulate(shown, headers=headers, disable_numparse=True)
    unused = [f"not used {plain(s['id'])}: below min_scene_clear" for s in part["scenes"] if not s["used"]]
    left_out = [plain(f"left out {item['id']}: {item['code']}, {item['detail']}") for item in part["left_out"]]
    return "\n".join([table, *unused, *left_out])
