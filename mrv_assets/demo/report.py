"""`mrv demo`: parcels by month, refusals with reasons, audit hashes, and commands to try next."""

from collections.abc import Sequence

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition
from mrv_assets.demo import simulated_report
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import decision_of
from mrv_assets.formats.stored_table import StoredTable
from mrv_assets.stages.table import PRODUCT


def answer(deployment: Deployment, seconds: float, reused: int) -> Json:
    """The real programme's part of the JSON document: rows by parcel and month, decisions, and audit hashes.

    Args:
        deployment: The real programme and its lake.
        seconds: Duration of the run.
        reused: Number of tile-months that were current already.
    """
    rows, months = [], []
    for tile in deployment.tiles:
        for month in deployment.months:
            monthly = deployment.lake.current(Partition(PRODUCT, tile, month))
            rows += StoredTable(monthly).rows
            mission = monthly.output["mission"] or deployment.missions[0].name
            decision = decision_of(deployment.lake.upstream(monthly, f"{mission}/gated_tiles"))
            months.append(
                {
                    "tile": tile,
                    "month": month,
                    "status": decision["status"],
                    "reasons": decision["reasons"],
                    "coverage": decision["coverage"],
                    "min_coverage": decision["min_coverage"],
                    "observations": len(decision["observations"]),
                    "unavailable": decision["unavailable"],
                    "audit_hash": monthly.audit_hash,
                }
            )
    return {
        "lake": str(deployment.lake_path),
        "seconds": round(seconds, 1),
        "partitions": len(months),
        "reused": reused,
        "rows": rows,
        "months": months,
    }


def text(answer: Json, prefix: str, simulated_prefix: str) -> str:
    """The terminal page; the prefixes make a command work on the real and on the simulated lake."""
    parcels = tabulate(
        [
            [
                row["parcel_id"],
                row["month"],
                _number(row["ndvi_mean"]),
                _number(row["evi_mean"]),
                row["n_obs"],
                f"{row['valid_fraction']:.2f}",
                row["gate_status"],
                row["value_status"],
            ]
            for row in sorted(answer["rows"], key=lambda row: (row["parcel_id"], row["month"]))
        ],
        headers=["parcel", "month", "NDVI", "EVI", "n_obs", "valid", "gate", "value"],
        disable_numparse=True,
    )
    refusals = tabulate(
        [
            [
                m["tile"],
                m["month"],
                ", ".join(m["reasons"]),
                f"{m['coverage']:.3f}",
                f"{m['min_coverage']:.2f}",
                m["observations"],
            ]
            for m in answer["months"]
            if m["reasons"]
        ],
        headers=["tile", "month", "refused because", "coverage", "needed", "observations"],
        disable_numparse=True,
    )
    hashes = tabulate(
        [[m["tile"], m["month"], m["status"], m["audit_hash"]] for m in answer["months"]],
        headers=["tile", "month", "gate", "audit hash of monthly_proxies"],
        disable_numparse=True,
    )
    return "\n\n".join(
        [
            f"Parcels by month (- means: not verified, so not counted)\n\n{parcels}",
            f"Refused by the gate\n\n{refusals}",
            f"Audit hashes\n\n{hashes}",
            _unavailable(answer["months"]),
            f"{answer['partitions']} tile-months, {answer['reused']} of them reused, in {answer['seconds']} s. "
            f"Lake: {answer['lake']}",
            simulated_report.text(answer["simulated"]),
            simulated_report.next_commands(answer["simulated"], simulated_prefix),
            "Next:\n"
            f"  {prefix}{'.venv/bin/mrv ui' if prefix else 'make ui'}\n      the lineage, in the browser\n"
            f"  {prefix}{_explain(answer)}\n      one number, back to its scenes",
        ]
    )


def _explain(answer: Json) -> str:
    row = next((row for row in answer["rows"] if row["value_status"] == "ok"), answer["rows"][0])
    return f".venv/bin/mrv explain {row['parcel_id']} {row['month']}"


def _unavailable(months: Sequence[Json]) -> str:
    reasons = {f"{name}: {reason}" for m in months if m["observations"] for name, reason in m["unavailable"].items()}
    return "Unavailable indices\n\n" + "\n".join(sorted(reasons)) if reasons else "All indices are available."


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
