"""The rows of a month's table: one a parcel, with its coverage, the missions that saw it, and their measurements."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, itemgetter

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json
from mrv_assets.missions.indices import INDICES
from mrv_assets.missions.mission import Mission
from mrv_assets.science.coverage import fraction_of, max_gap_days
from mrv_assets.science.gate import GateStatus, reaches
from mrv_assets.science.zonal import Moments
from mrv_assets.stages.month_blocks import BlockResult, Fused, MonthJob
from mrv_assets.stages.month_missions import Opened
from mrv_assets.stages.tile_month import month_bounds

METHOD_VERSION = "1"
"""Changes when the meaning of a column changes."""

APPROVED_BELOW = "approved_below_coverage"
"""Status of a row with values that reviewers let in although its parcel was seen less than the gate asks for."""
VALUED = ("ok", APPROVED_BELOW)
"""Statuses of rows that have values."""

_Statistics = dict[str, tuple[NDArray[np.float64], ...]]
"""Mean, std and valid share of each parcel, by index."""


@dataclass(frozen=True, kw_only=True)
class _Exposure:
    """Coverage of a parcel in the month."""

    valid_fraction: float
    passed: bool
    """Whether the valid fraction is enough."""
    n_obs: int
    max_gap_days: float
    shares: dict[str, float]
    """Share of the parcel's area whose pixels are from a mission, by the name of each source mission."""
    givers: tuple[Opened, ...]
    """The missions that gave pixels."""


def parcel_rows(job: MonthJob, results: Sequence[BlockResult]) -> list[Json]:
    """One row for each parcel, in the order of the parcels.

    Args:
        job: The month.
        results: Results of its blocks, in their order; empty where no gate is open.
    """
    fused_blocks = [result.fused for result in results if result.fused is not None]
    fused = reduce(add, fused_blocks) if fused_blocks else None
    stats = _statistics(job, results)
    return [_row(job, p, _exposure(job, p, fused), stats) for p in range(len(job.at.parcels.parcel_id))]


def shares_of_parcels(job: MonthJob, results: Sequence[BlockResult]) -> dict[str, float]:
    """Share of the area of the parcels' union whose pixels are from each source, with fusion."""
    fused_blocks = [result.fused for result in results if result.fused is not None]
    return _shares(job, reduce(add, fused_blocks), -1) if fused_blocks else {}


def _shares(job: MonthJob, fused: Fused, geometry: int) -> dict[str, float]:
    total = float(fused.given.total[geometry])
    return {
        opened.mission.name: fraction_of(float(pixels), total)
        for opened, pixels in zip(job.missions.sources, _given(job, fused, geometry), strict=True)
    }


def _given(job: MonthJob, fused: Fused, geometry: int) -> NDArray[np.float64]:
    """Pixels by source, without those that a parcel does not take."""
    given: NDArray[np.float64] = fused.given.per_observation[geometry] * job.takes[geometry]
    return given


def _exposure(job: MonthJob, p: int, fused: Fused | None) -> _Exposure:
    sources, decision = job.missions.sources, job.missions.decision
    if fused is None:
        # The gate measured it on the same pixels. Without an open gate the mission that saw most of the parcel tells.
        gate = max((look["parcels"][p] for look in job.missions.looks), key=itemgetter("valid_fraction"))
        return _Exposure(
            valid_fraction=gate["valid_fraction"],
            passed=gate["passed"],
            n_obs=gate["n_obs"],
            max_gap_days=gate["max_gap_days"],
            shares={opened.mission.name: gate["valid_fraction"] for opened in sources},
            givers=sources,
        )
    given = _given(job, fused, p)
    fraction = fraction_of(float(given.sum()), float(fused.given.total[p]))
    givers = [at for at, pixels in enumerate(given) if pixels > 0]
    looks = sorted(
        time_us
        for at in givers
        for time_us, pixels in zip(sources[at].used_times_us, fused.looks[at].per_observation[p], strict=True)
        if pixels > 0
    )
    return _Exposure(
        valid_fraction=fraction,
        passed=reaches(fraction, decision["min_coverage"]),
        n_obs=len(looks),
        max_gap_days=max_gap_days(looks, *month_bounds(job.at.month)),
        shares=_shares(job, fused, p),
        givers=tuple(sources[at] for at in givers),
    )


def _row(job: MonthJob, p: int, seen: _Exposure, stats: _Statistics) -> Json:
    parcels, missions = job.at.parcels, job.missions
    first, area_ha = missions.order[0], parcels.area_ha[p]
    chosen = missions.sources[0].mission if missions.sources else None
    fused = any(chosen and giver.mission.name != chosen.name for giver in seen.givers)
    status = _value_status(job, p, seen, stats)
    beside = missions.beside if status in VALUED and _stands_beside(job, p) else None
    # Where no mission gave a pixel, the row has the resolution of the month's mission.
    coarsest = max((giver.mission.resolution_m for giver in seen.givers), default=chosen.resolution_m) if chosen else 0
    row: Json = {
        "parcel_id": parcels.parcel_id[p],
        "geom_sha256": parcels.geom_sha256[p],
        "month": job.at.month,
        "tile": job.at.tile,
        "part": parcels.part[p],
        "parcel_area_ha": area_ha,
        "observed_area_ha": seen.valid_fraction * area_ha,
        "valid_fraction": seen.valid_fraction,
        "n_obs": seen.n_obs,
        "max_gap_days": seen.max_gap_days,
        "mission": chosen.name if chosen else None,
        "substituted": chosen is not None and chosen.name != first.name,
        # What reviewers let in although it was hardly seen is not a measurement like the others.
        "comparable": chosen.name == first.name and not fused and status != APPROVED_BELOW if chosen else None,
        "resolution_m": float(coarsest) if chosen else None,
        "uncertainty_factor": _uncertainty_factor(coarsest, first) if chosen else None,
        "fused": fused,
        **{f"{name}_share": seen.shares.get(name) for name in job.optical},
        "gate_status": missions.decision["status"],
        "value_status": status,
    }
    # All indices of all missions, so that tables of different months and programmes have the same columns.
    of_radar = missions.beside.names if missions.beside else ()
    for name in INDICES:
        known = name in stats and (beside is not None if name in of_radar else status in VALUED)
        mean, std, valid_share = (stats[name][k][p] for k in range(3)) if known else (np.nan,) * 3
        row[f"{name}_mean"] = _null(mean)
        row[f"{name}_std"] = _null(std)
        row[f"{name}_valid_area_ha"] = _null(valid_share * area_ha)
    row["method_version"] = METHOD_VERSION
    row["qa_decision_id"] = " ".join(_decisions(job, seen, beside)) or None
    return row


def _uncertainty_factor(resolution_m: int, first: Mission) -> float:
    """Factor by which to widen the uncertainty of a parcel's mean for the coarsest mission that it comes from.

    The standard error of a mean is proportional to one over the root of its number of pixels, and that number to one
    over the square of their side: the error grows with the side. Finer pixels do not narrow it.
    """
    return max(1.0, resolution_m / first.resolution_m)


def _value_status(job: MonthJob, p: int, seen: _Exposure, stats: _Statistics) -> str:
    missions = job.missions
    statuses = [GateStatus(status) for status in missions.statuses.values()]
    if not missions.sources:
        # A mission that was not evaluated might still decide the month, or an open radar that lacks the permission.
        waiting = any(status is GateStatus.NOT_EVALUATED or status.open for status in statuses)
        return "pending" if waiting else "gate_closed" if seen.valid_fraction > 0 else "no_data"
    chosen = missions.sources[0]
    # A threshold of zero lets a parcel pass that no observation saw; approving a month approves only what was seen.
    if not (seen.passed or chosen.approved) or seen.valid_fraction == 0:
        return "below_coverage"
    if chosen.mission.name != missions.order[0].name and not job.is_large_enough(p, chosen.mission):
        return "below_native_pixels"
    names = {name for opened in missions.sources for name in opened.names}
    if not any(name in stats and stats[name][2][p] > 0 for name in names):
        return "unavailable"
    return "ok" if seen.passed else APPROVED_BELOW


def _stands_beside(job: MonthJob, p: int) -> bool:
    """Whether the radar saw enough of a parcel, by its own gate, and has enough pixels in it."""
    beside = job.missions.beside
    if beside is None:
        return False
    gate = beside.decision["parcels"][p]
    passed = gate["passed"] or beside.approved
    return bool(passed and gate["valid_fraction"] > 0 and job.is_large_enough(p, beside.mission))


def _decisions(job: MonthJob, seen: _Exposure, beside: Opened | None) -> list[str]:
    """Ids of the manual decisions that the row rests on: on the month's mission and all that gave pixels to it."""
    missions = job.missions
    counted = [missions.decision, *(opened.decision for opened in missions.sources[1:] if opened in seen.givers)]
    if beside is not None:
        counted.append(beside.decision)
    return [approval["decision"] for decision in counted for approval in decision.get("manual", ())]


def _statistics(job: MonthJob, results: Sequence[BlockResult]) -> _Statistics:
    """Each index's statistics, merged over the blocks in their order."""
    if not results:
        return {}
    return {
        name: reduce(Moments.merge, (result.moments[name] for result in results)).statistics()
        for name in job.index_names
    }


def _null(value: float) -> float | None:
    """Missing is null, never zero and never NaN."""
    return None if np.isnan(value) else float(value)
