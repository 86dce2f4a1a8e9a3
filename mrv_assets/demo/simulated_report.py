"""The simulated programme's part of the report: the mission or reviewers that decided each month, and the truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition
from mrv_assets.demo.ground import APPROVED, CASES, REFUSED, TILE
from mrv_assets.demo.inputs import truth_of
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import decision_of
from mrv_assets.formats.stored_table import StoredTable
from mrv_assets.stages.table import PRODUCT


def answer(deployment: Deployment, folder: Path, seconds: float, reused: int) -> Json:
    """The simulated part of the JSON document: each month's decisions, NDVI and truth, and every parcel's row.

    Args:
        deployment: The simulated programme and its lake.
        folder: Folder of the simulated programme.
        seconds: Duration of the run.
        reused: Number of tile-months that were current already.
    """
    truth = truth_of(folder)
    months, rows = [], []
    for case in CASES:
        month, month_rows = _month(deployment, case.month, truth)
        months.append(month)
        rows += month_rows
    return {
        "programme": str(deployment.program_path),
        "lake": str(deployment.lake_path),
        "seconds": round(seconds, 1),
        "partitions": len(months),
        "reused": reused,
        "months": months,
        "rows": rows,
    }


def _month(deployment: Deployment, month: str, truth: Mapping[tuple[str, str], Json]) -> tuple[Json, list[Json]]:
    monthly = deployment.lake.current(Partition(PRODUCT, TILE, month))
    rows = StoredTable(monthly).rows
    decisions = {
        evaluated.name: decision_of(deployment.lake.upstream(monthly, f"{evaluated.name}/gated_tiles"))
        for evaluated in deployment.missions
    }
    mission = monthly.output["mission"]
    approvals = decisions[mission].get("manual", ()) if mission else ()
    # The truth is that of the parcels with a value where there are any, so that both are of the same ground.
    valued = [row for row in rows if row["ndvi_mean"] is not None]
    document = {
        "tile": TILE,
        "month": month,
        "mission": mission,
        **{name: rows[0][name] for name in ("substituted", "comparable", "uncertainty_factor", "gate_status")},
        "value_status": sorted({row["value_status"] for row in rows}),
        "missions": [
            {"mission": name, **{field: decision[field] for field in ("status", "reasons", "coverage")}}
            for name, decision in decisions.items()
        ],
        "min_coverage": deployment.program.gate.min_coverage,
        "approvals": [
            {field: approval[field] for field in ("reviewer", "role", "reason", "decision")}
            for approval in sorted(approvals, key=lambda approval: str(approval["reviewer"]))
        ],
        "ndvi_mean": _by_area(valued, {row["parcel_id"]: row["ndvi_mean"] for row in valued}),
        "ndvi_truth": _by_area(
            valued or rows, {row["parcel_id"]: truth[row["parcel_id"], month]["ndvi"] for row in rows}
        ),
        "audit_hash": monthly.audit_hash,
    }
    return document, rows


def _by_area(rows: Sequence[Json], values: Json) -> float | None:
    """The mean over parcels, weighted by area; None without parcels."""
    area = sum(row["parcel_area_ha"] for row in rows)
    return sum(values[row["parcel_id"]] * row["parcel_area_ha"] for row in rows) / area if rows else None


def text(answer: Json) -> str:
    """The simulated part of the terminal page."""
    months = answer["months"]
    missions = [mission["mission"] for mission in months[0]["missions"]]
    table = tabulate(
        [
            [
                m["month"],
                f"simulated {decides(m)}",
                *(_coverage(mission) for mission in m["missions"]),
                m["gate_status"],
                ", ".join(m["value_status"]),
                _number(m["ndvi_mean"]),
                _number(m["ndvi_truth"]),
            ]
            for m in months
        ],
        headers=["month", "what decides", *missions, "gate", "value", "NDVI", "truth"],
        disable_numparse=True,
    )
    hashes = tabulate(
        [[m["month"], "simulated", m["gate_status"], m["audit_hash"]] for m in months],
        headers=["month", "ground", "gate", "audit hash of monthly_proxies"],
        disable_numparse=True,
    )
    return "\n\n".join(
        [
            "Simulated: when Sentinel-2 is not enough",
            "No satellite saw any of this. `mrv demo` made the ground, its scenes and both reviewers, so that the\n"
            f"truth is known. Below a mission: the share of the parcels seen clear; {months[0]['min_coverage']:.2f} "
            "is needed.",
            table,
            *(_marked(m) for m in months if m["substituted"]),
            *(_approved(m) for m in months if m["approvals"]),
            hashes,
            f"{answer['partitions']} simulated tile-months, {answer['reused']} of them reused, in "
            f"{answer['seconds']} s. Lake: {answer['lake']}\nPicture of them: {answer['picture']}",
        ]
    )


def next_commands(answer: Json, prefix: str) -> str:
    """Commands to try next on the simulated programme; ``prefix`` makes a command work on its lake."""
    parcel = answer["rows"][0]["parcel_id"]
    commands = (
        ("mrv qa list", f"{REFUSED.month}, which waits, and what would make it pass"),
        (f"mrv explain {parcel} {APPROVED.month}", "one simulated number, back to its scenes"),
        ("mrv verify", "every byte, record and signature of the simulated lake"),
        ("mrv ui", "the simulated lineage, in the browser; stop the other one first, or add --port 3001"),
    )
    return "Next, on the simulated programme\n" + "\n".join(
        f"  {prefix}.venv/bin/{command}\n      {purpose}" for command, purpose in commands
    )


def decides(month: Json) -> str:
    """The mission or the reviewers that decided a month, in a few words."""
    if month["mission"] is None:
        return "nobody: refused"
    if month["approvals"]:
        return f"reviewers, on {month['mission']}"
    return f"{month['mission']} stands in" if month["substituted"] else str(month["mission"])


def _coverage(mission: Json) -> str:
    return "not needed" if mission["coverage"] is None else f"{mission['coverage']:.3f}"


def _marked(month: Json) -> str:
    comparable = "comparable" if month["comparable"] else "not comparable"
    return f"{month['month']} is marked: substituted, {comparable}, uncertainty factor {month['uncertainty_factor']:g}."


def _approved(month: Json) -> str:
    reviewers = " and ".join(approval["reviewer"] for approval in month["approvals"])
    return (
        f"{month['month']} was approved by {reviewers}, who do not exist: the demo signed with keys of its\n"
        "own, in keys/ beside the simulated programme. Its audit hash holds who decided and when, so it is another\n"
        "in every folder; those of the other three are the same everywhere."
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
