"""`mrv explain` as one screen: the number, the gate, the scenes, the records."""

from collections.abc import Sequence

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.missions.known import MISSIONS
from mrv_assets.science.gate import reaches


def explained(answer: Json) -> str:
    """The explanation of a parcel's month, for a terminal."""
    return "\n\n".join(_part(answer, part) for part in answer["parts"])


def _part(answer: Json, part: Json) -> str:
    row, gate = part["row"], part["gate"]
    return "\n\n".join(
        [
            f"{answer['parcel_id']}, {answer['month']}, tile {part['tile']}: {row['value_status']}",
            _values(row, MISSIONS[gate["mission"]].indices, part["unavailable"]),
            f"Seen: {row['observed_area_ha']:.4f} of {row['parcel_area_ha']:.4f} ha ({row['valid_fraction']:.4f}) in "
            f"{row['n_obs']} observations, longest gap {row['max_gap_days']:.1f} d\n"
            f"Parcel gate: {_passed(row['valid_fraction'], gate['min_coverage'])}, seen {row['valid_fraction']:.4f}, "
            f"needed {gate['min_coverage']:.2f}\n"
            f"Tile gate: {gate['status']} on {gate['mission']}, clear {gate['coverage']:.4f} of the parcels' area, "
            f"needed {gate['min_coverage']:.2f}" + (f" ({', '.join(gate['reasons'])})" if gate["reasons"] else ""),
            _scenes(part),
            "Records (each names the next in its inputs; sha256 of the record is its audit hash)\n" + _records(part),
        ]
    )


def _records(part: Json) -> str:
    rows = [[record["asset"], record["audit_hash"], _reproduced(record["reproduced"])] for record in part["records"]]
    return tabulate(rows, tablefmt="plain", disable_numparse=True)


def _reproduced(count: int) -> str:
    return "" if count == 0 else f"reproduced {count} time{'' if count == 1 else 's'}"


def _passed(fraction: float, threshold: float) -> str:
    return "passed" if reaches(fraction, threshold) else "below"


def _values(row: Json, names: Sequence[str], unavailable: Json) -> str:
    lines = []
    for name in names:
        mean = row.get(f"{name}_mean")
        if mean is not None:
            shown = f"{mean:.4f}, spatial std {row[f'{name}_std']:.4f}, over {row[f'{name}_valid_area_ha']:.4f} ha"
        else:
            shown = f"null ({unavailable.get(name, row['value_status'])})"
        lines.append(f"{name.upper():<5} {shown}")
    return "\n".join(lines)


def _scenes(part: Json) -> str:
    if not part["scenes"] and not part["left_out"]:
        return "Scenes: none this month"
    shown = [[s["datetime"], s["id"], f"{s['clear_of_parcels']:.3f}", len(s["files"])] for s in part["scenes"]]
    table = tabulate(shown, headers=["time", "scene", "clear", "files"], disable_numparse=True)
    unused = [f"not used {s['id']}: below min_scene_clear" for s in part["scenes"] if not s["used"]]
    left_out = [f"left out {item['id']}: {item['code']}, {item['detail']}" for item in part["left_out"]]
    return "\n".join([table, *unused, *left_out])
