"""What each `mrv` verb answers, as a JSON document; the command line prints it or renders it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition, Record
from mrv_assets.deployment import Deployment, Ran
from mrv_assets.errors import BadInputError, StaleUpstream
from mrv_assets.formats.artifacts import decision_of, observations_of
from mrv_assets.lake.store import Lake
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.review.decide import Recorded
from mrv_assets.science.zonal import overlaps
from mrv_assets.stages.table import PRODUCT


class UnknownParcel(BadInputError):
    """A parcel id is not in the programme."""

    def __init__(self, parcel_id: str, near: tuple[str, ...]) -> None:
        super().__init__(parcel_id, near)
        self.parcel_id, self.near = parcel_id, near

    def __str__(self) -> str:
        hint = f"Did you mean {' or '.join(self.near)}?" if self.near else "`mrv tiles --json` lists its parcels."
        return f"Parcel {self.parcel_id!r} is not in this programme. {hint}"


def tiles_answer(deployment: Deployment, new: Sequence[str]) -> Json:
    """`mrv tiles`: which tile owns which parcels, and which tiles were newly registered."""
    assigned = deployment.assigned
    return {
        "programme": deployment.program.program,
        "tiles": [
            {
                "tile": tile,
                "parcels": [
                    {"parcel_id": p, "part": part}
                    for p, owner, part in zip(assigned.parcel_id, assigned.tile, assigned.part, strict=True)
                    if owner == tile
                ],
                "registered_now": tile in new,
            }
            for tile in deployment.tiles
        ],
        "overlaps": [
            {"parcels": [assigned.parcel_id[a], assigned.parcel_id[b]], "area_ha": area}
            for a, b, area in overlaps(assigned.geometry)
        ],
        "months": {"first": deployment.months[0], "last": deployment.months[-1], "count": len(deployment.months)},
    }


def plan_answer(deployment: Deployment, tiles: Sequence[str], months: Sequence[str]) -> Json:
    """`mrv plan`: scenes and bytes of each tile and month, before anything is fetched."""
    from mrv_assets.stages.raw_tiles import forecast, published_for

    partitions = []
    for tile in tiles:
        for month in months:
            for mission in deployment.missions:
                plan = deployment.plan(tile, month, mission)
                expected = forecast(plan, published_for(plan))
                partitions.append({"tile": tile, "month": month, "mission": mission.name, **expected})
    seconds = _seconds_per_partition(deployment.lake, deployment.missions[0].name)
    done = sum(deployment.lake.head(Partition(PRODUCT, t, m)) is not None for t in tiles for m in months)
    waiting = len(tiles) * len(months) - done
    return {
        "programme": deployment.program.program,
        "partitions": partitions,
        "totals": {
            "partitions": len(tiles) * len(months),
            "materialized": done,
            "scenes": sum(p["scenes"] for p in partitions),
            # Some catalogues do not say how large their files are.
            "bytes": None if any(p["bytes"] is None for p in partitions) else sum(p["bytes"] for p in partitions),
            "hours": None if seconds is None else round(waiting * seconds / 3600, 3),
            "hours_basis": "no partition has run in this lake yet"
            if seconds is None
            else f"{seconds:.1f} s a partition, as measured in this lake",
        },
        "owners_without_scenes": _owners_without_scenes(deployment, partitions),
    }


def _seconds_per_partition(lake: Lake, mission: str) -> float | None:
    """Mean time from the first asset's start to the last one's end, over the runs this lake remembers."""
    walls = []
    for partition in lake.partitions(PRODUCT):
        first, last = lake.runs(partition.of(f"{mission}/raw_tiles"))[:1], lake.runs(partition)[:1]
        # Of one run: assets that were materialized apart say nothing of how long one takes.
        if first and last and first[0].dagster_run_id == last[0].dagster_run_id:
            elapsed = datetime.fromisoformat(last[0].finished) - datetime.fromisoformat(first[0].started)
            walls.append(elapsed.total_seconds())
    return sum(walls) / len(walls) if walls else None


def _owners_without_scenes(deployment: Deployment, partitions: Sequence[Json]) -> list[Json]:
    """Parcels whose tile has no scene in the months asked for, with the other tiles that contain them."""
    empty = {p["tile"] for p in partitions} - {p["tile"] for p in partitions if p["scenes"]}
    assigned = deployment.assigned
    return [
        {"parcel_id": parcel_id, "tile": tile, "alternatives": list(others)}
        for parcel_id, tile, others in zip(assigned.parcel_id, assigned.tile, assigned.alternatives, strict=True)
        if tile in empty
    ]


def run_answer(deployment: Deployment, tile: str, month: str, done: Sequence[Ran]) -> Json:
    """`mrv run`: each asset's audit hash and what was done for it, and the scenes that do not count."""
    product = Partition(PRODUCT, tile, month)
    raws = [deployment.lake.current(product.of(f"{mission.name}/raw_tiles")) for mission in deployment.missions]
    return {
        "tile": tile,
        "month": month,
        "assets": [{"asset": ran.asset, "outcome": ran.outcome, "audit_hash": ran.audit_hash} for ran in done],
        "left_out": [item for raw in raws for item in left_out(raw)],
    }


def decide_answer(recorded: Recorded, done: Sequence[Ran]) -> Json:
    """`mrv qa decide`: the decision, and what was materialized because of it."""
    statement = recorded.statement.document
    del statement["schema"]
    return {
        "decision": recorded.decision,
        **statement,
        "mission": recorded.mission,
        "authenticated": recorded.authenticated,
        "approved": recorded.approved,
        "approvals_missing": recorded.approvals_missing,
        "assets": [{"asset": ran.asset, "outcome": ran.outcome, "audit_hash": ran.audit_hash} for ran in done],
    }


@dataclass(frozen=True, kw_only=True)
class _Traced:
    """The records a parcel-month's number rests on."""

    monthly: Record
    chains: dict[str, list[Record]]
    """Per mission, gated_tiles back to raw_tiles."""


def left_out(raw: Record) -> list[Json]:
    """Scenes of a raw_tiles record that do not count, excluded from the catalogue's answer or refused, and why."""
    if not raw.evaluated:
        return []
    excluded = [{"id": i, "code": code, "detail": detail} for i, code, detail in raw.inputs["excluded"]]
    return excluded + list(raw.output["refused"])


def explain_answer(deployment: Deployment, parcel_id: str, month: str) -> Json:
    """`mrv explain`: a parcel's number of a month, back to its scenes.

    Raises:
        UnknownParcel: When the programme has no such parcel.
        UnknownPartition: When the programme has no such month.
        NotMaterialized: When the month is not in the lake.
    """
    tiles = [t for p, t in zip(deployment.assigned.parcel_id, deployment.assigned.tile, strict=True) if p == parcel_id]
    if not tiles:
        import difflib

        raise UnknownParcel(parcel_id, tuple(difflib.get_close_matches(parcel_id, deployment.assigned.parcel_id, 3)))
    return {
        "parcel_id": parcel_id,
        "month": month,
        "parts": [_explain_tile(deployment, parcel_id, tile, month) for tile in tiles],
    }


def _explain_tile(deployment: Deployment, parcel_id: str, tile: str, month: str) -> Json:
    deployment.plan(tile, month)
    traced = _trace(deployment.lake, tile, month)
    monthly, row = traced.monthly, table_row(traced.monthly, parcel_id)
    # Those of the month, whatever the programme says now.
    order = monthly.document["plan"]["substitution"]
    name = monthly.output["mission"] or order[0]
    used = monthly.missions_used or (name,)
    decisions = {mission: decision_of(chain[0]) for mission, chain in traced.chains.items()}
    return {
        "tile": tile,
        "row": row,
        "gate": {
            "mission": name,
            **{part: decisions[name][part] for part in ("status", "reasons", "coverage", "min_coverage")},
            "audit_hash": traced.chains[name][0].audit_hash,
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
                "audit_hash": traced.chains[mission][0].audit_hash,
            }
            for mission in order
        ],
        "unavailable": _unavailable({mission: decisions[mission] for mission in used}),
        "scenes": [
            scene for mission in used for scene in _scenes(mission, decisions[mission], traced.chains[mission][-1])
        ],
        "left_out": [item for mission in used for item in left_out(traced.chains[mission][-1])],
        "records": [
            {
                "asset": record.partition.asset,
                "audit_hash": record.audit_hash,
                "reproduced": deployment.lake.reproductions(record),
            }
            for record in [monthly, *(record for mission in used for record in traced.chains[mission])]
        ],
    }


def _unavailable(decisions: Mapping[str, Json]) -> Json:
    """Indices that no mission of some could compute, each with the first one's reason."""
    lacking = {name: decision["unavailable"] for name, decision in decisions.items()}
    computed = {index for name in lacking for index in MISSIONS[name].indices if index not in lacking[name]}
    found: Json = {}
    for reasons in lacking.values():
        found = {**{index: reason for index, reason in reasons.items() if index not in computed}, **found}
    return found


def _scenes(mission: str, decision: Json, raw: Record) -> list[Json]:
    """The scenes of a mission's month, in order of time."""
    known = {scene["id"]: scene for observation in observations_of(raw) for scene in observation["scenes"]}
    return [
        {
            "mission": mission,
            "id": scene,
            "datetime": observation["datetime"],
            "clear_of_parcels": observation["clear_of_parcels"],
            "used": observation["used"],
            "offset_rule": known[scene]["offset_rule"],
            "files": {
                band: {"href": file["href"], "checksum": file["checksum"], "cog_tiles": file["fetched"]}
                for band, file in known[scene]["bands"].items()
            },
        }
        for observation in decision["observations"]
        for scene in observation["scenes"]
    ]


def _trace(lake: Lake, tile: str, month: str) -> _Traced:
    monthly = lake.current(Partition(PRODUCT, tile, month))
    missions = [monthly.partition.of(asset).mission for asset in monthly.upstream]
    return _Traced(
        monthly=monthly, chains={mission: list(lake.lineage(monthly, mission=mission)) for mission in missions}
    )


def table_row(monthly: Record, parcel_id: str) -> Json:
    """A parcel's row of a month's table, without its geometry."""
    for row in table_rows(monthly):
        if row["parcel_id"] == parcel_id:
            return row
    raise StaleUpstream(*monthly.partition.names, f"it was made before parcel {parcel_id!r} was added")


def table_rows(monthly: Record) -> list[Json]:
    """The rows of a month's table, without their geometry."""
    from mrv_assets.formats.table import TABLE, read_rows

    return read_rows(monthly.data / TABLE)
