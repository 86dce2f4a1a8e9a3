"""Computing a tile and month again from its raw tiles, with nothing but the lake, and comparing the two."""

import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import canonical
from mrv_assets.audit.manual_decisions import Reviewer
from mrv_assets.audit.record import Partition, Record
from mrv_assets.formats.artifacts import PREVIEW, decision_of
from mrv_assets.formats.picture import stored_picture
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.formats.stored_table import StoredTable
from mrv_assets.formats.table import TABLE
from mrv_assets.lake.documents import LakeDocument, require
from mrv_assets.lake.layout import LAKE
from mrv_assets.lake.store import Lake
from mrv_assets.missions.bandpass import BANDPASSES
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.science.grid import Grid
from mrv_assets.science.tiles import geom_sha256, project
from mrv_assets.science.zonal import geodesic_area_ha
from mrv_assets.stages.mission_plan import GateRules, MissionPlan, Substitution, Treatment
from mrv_assets.stages.month_plan import MonthPlan
from mrv_assets.stages.options import RunOptions
from mrv_assets.stages.run import run_stage
from mrv_assets.stages.table import MISSION_STAGES, MONTHLY_PROXIES, PRODUCT
from mrv_assets.stages.tile_month import TileMonth, TileParcels, active_of

STEP = 1
"""Stored units by which two scaled integers may differ and be equivalent: one digital number, 1e-4 of an index."""
CLOSE = 1e-4
"""Difference up to which two stored floats are equivalent, absolute or as a share of the larger."""
RAW_TILES = "raw_tiles"
"""The stage that everything else is computed from."""
LOCATIONS = 12
"""Number of differing locations that are named."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One asset's partition, computed again."""

    asset: str
    tile: str
    month: str
    answer: str
    """IDENTICAL: every bit of the output. EQUIVALENT: no value further off than stated. DIFFERENT. NOT_RERUN."""
    other: tuple[str, ...]
    """Parts of the request that were not those of the record: plan, graph, code, inputs."""
    largest_difference: float
    """In stored units, over everything that is a measured number."""
    values_that_differ: int
    detail: str
    """The differences, or the reason why nothing was compared; empty when identical."""


def rerun(root: Path, tile: str, month: str, assets: Sequence[str]) -> list[Compared]:
    """Compute again everything of a tile and month that follows from its raw tiles. Writes nothing to the lake.

    Grid, thresholds and parcels are taken from the records and the table, so no programme file is needed; the missions
    and the code are those of this installation.

    Args:
        root: The lake's folder.
        tile: Which tile.
        month: Which month.
        assets: Which assets to compare, by path.

    Raises:
        MrvError: When what the records name cannot be read, or does not fit together.
    """
    if all(asset.endswith(f"/{RAW_TILES}") for asset in assets):
        return [not_rerun(assets[0], tile, month, "raw tiles are what the rest is computed from")]
    lake = Lake.at(root, require(root, root / LAKE, LakeDocument).programme)
    product = Partition(PRODUCT, tile, month)
    if lake.head(product) is None:
        return [not_rerun(assets[0], tile, month, "there are no monthly proxies to take the parcels from")]
    monthly = lake.current(product)
    missions = [product.of(asset).mission for asset in monthly.upstream]
    chains = {mission: list(lake.lineage(monthly, mission=mission)) for mission in missions}
    unknown = sorted(set(chains) - set(MISSIONS))
    if unknown:
        return [not_rerun(assets[0], tile, month, f"this version knows no mission {', '.join(unknown)}")]
    with tempfile.TemporaryDirectory(prefix="mrv-rerun-") as folder:
        made = list(_made(monthly, chains, Lake.at(Path(folder), lake.programme)))
        return [_compared(first, second) for first, second in made if first.partition.asset in assets]


def not_rerun(asset: str, tile: str, month: str, reason: str) -> Compared:
    """The answer where nothing was compared."""
    return Compared(
        asset=asset,
        tile=tile,
        month=month,
        answer="NOT_RERUN",
        other=(),
        largest_difference=0.0,
        values_that_differ=0,
        detail=reason,
    )


def _made(monthly: Record, chains: Mapping[str, Sequence[Record]], other: Lake) -> Iterator[tuple[Record, Record]]:
    """Each record of a month but those of raw tiles, with what the same stage makes in another lake."""
    month = _plan(monthly, chains)
    signers: dict[str, Reviewer] = {}
    for of in month.missions:
        *made, raw = chains[of.mission.name]
        _lend(raw, other)
        reviewers = _lend_decisions(made[0], other)
        signers |= {who.key_id: who for who in reviewers}
        plan = replace(of, reviewers=reviewers)
        for stage, record in zip(MISSION_STAGES[1:], reversed(made), strict=True):
            yield record, run_stage(other, stage, plan).record
    missions = tuple(replace(of, reviewers=tuple(signers.values())) for of in month.missions)
    yield monthly, run_stage(other, MONTHLY_PROXIES, replace(month, missions=missions)).record


def _plan(monthly: Record, chains: Mapping[str, Sequence[Record]]) -> MonthPlan:
    """The plan that a month's records were made by, from the records alone."""
    stated = monthly.document["plan"]
    gate = next(iter(chains.values()))[0].document["plan"]["gate"]
    grid = Grid.stated(stated)
    table = StoredTable(monthly)
    rows, lonlat = table.rows, table.outlines
    at = TileMonth(
        tile=monthly.partition.tile,
        month=monthly.partition.month,
        grid=grid,
        parcels=TileParcels(
            parcel_id=tuple(row["parcel_id"] for row in rows),
            part=tuple(row["part"] for row in rows),
            geom_sha256=tuple(geom_sha256(outline) for outline in lonlat),
            area_ha=tuple(float(area) for area in geodesic_area_ha(lonlat)),
            lonlat=lonlat,
            projected=np.asarray(project(lonlat, grid.crs), dtype=object),
        ),
        active=active_of(stated),
    )
    options = RunOptions(workers=os.cpu_count() or 1)
    rules = GateRules(
        min_coverage=float(gate["min_coverage"]),
        cloud_probability=float(gate["cloud_probability"]),
        dilation_px=gate["dilation_px"],
        min_scene_clear=float(gate["min_scene_clear"]),
    )
    # Records of before there was such a thing do not say that there was none.
    fusion = stated.get("fusion", False)
    substitution = Substitution(order=tuple(stated["substitution"]), allow_sar=stated["allow_sar"], fusion=fusion)
    treatment = _treatment(chains.values())
    return MonthPlan(
        missions=tuple(
            MissionPlan(
                at=at,
                mission=MISSIONS[name],
                source=None,
                gate=rules,
                treatment=treatment,
                substitution=substitution,
                options=options,
            )
            for name in substitution.order
        ),
        composite=stated["composite"],
        min_native_pixels=stated["min_native_pixels"],
        optical=tuple(stated["optical"]),
        options=options,
    )


def _treatment(chains: Iterable[Sequence[Record]]) -> Treatment:
    """The programme's treatment of pixels, from the records alone; each mission's records state their part."""
    treatment = Treatment()
    for record in (record for chain in chains for record in chain):
        stated = record.document["plan"]
        if "snow_is_clear" in stated:
            treatment = replace(treatment, snow_is_clear=stated["snow_is_clear"])
        if "bandpass" in stated:
            # One this version has not gives other indices, which the comparison will say.
            treatment = replace(treatment, bandpass=BANDPASSES.get(stated["bandpass"]["name"]))
        if "speckle" in stated:
            treatment = replace(treatment, speckle=stated["speckle"]["filter"])
    return treatment


def _lend(raw: Record, other: Lake) -> None:
    """Make a raw_tiles record current in another lake that shares its data."""
    slot = other.slot(raw.partition)
    for path in (slot.record(raw.audit_hash), slot.head(1), slot.data(raw.data.name)):
        path.parent.mkdir(parents=True)
    for folder in ("runs", "requests"):
        (slot.folder / folder).symlink_to(raw.data.parents[1].resolve() / folder)
    slot.record(raw.audit_hash).write_bytes(canonical(raw.document))
    slot.head(1).write_bytes(canonical({"record": raw.audit_hash, "previous": None}))
    slot.data(raw.data.name).symlink_to(raw.data.resolve())


def _lend_decisions(gated: Record, other: Lake) -> tuple[Reviewer, ...]:
    """Put the manual decisions that a record names into another lake; gives whose counted, by the record."""
    if gated.decided_on is None:
        return ()
    slot = other.slot(gated.partition)
    kept = gated.data.parents[1].resolve() / "decisions"
    qa = gated.inputs["qa"]
    for name in (*qa["decisions"], *qa["others"]):
        path = slot.decision(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((kept / path.name).read_bytes())
    return tuple(
        Reviewer(**{field: who[field] for field in ("name", "role", "public_key")})
        for who in gated.document["plan"]["reviewers"]
    )


def _compared(first: Record, second: Record) -> Compared:
    other = tuple(part for part in ("plan", "graph", "code", "inputs") if first.document[part] != second.document[part])
    differences = _Differences() if first.output == second.output else _Differences.between(first, second)
    return Compared(
        **asdict(first.partition),
        answer="IDENTICAL" if first.output == second.output else "DIFFERENT" if differences.grave else "EQUIVALENT",
        other=other,
        largest_difference=differences.largest,
        values_that_differ=differences.count,
        detail=_listed(differences.locations),
    )


def _listed(locations: Sequence[str]) -> str:
    named = "; ".join(locations[:LOCATIONS])
    return f"{named}; and {len(locations) - LOCATIONS} more" if len(locations) > LOCATIONS else named


class _Differences:
    """Differences of two outputs."""

    def __init__(self) -> None:
        self.largest = 0.0
        self.count = 0
        self.grave = False
        self.locations: list[str] = []

    @classmethod
    def between(cls, first: Record, second: Record) -> "_Differences":
        """Compare two records' outputs, and the data of both."""
        differences = cls()
        output = first.output
        if "arrays" in output:
            differences.groups(StoredArrays.of(first), StoredArrays.of(second))
        if "rasters" in output:
            differences.groups(StoredArrays.rasters_of(first), StoredArrays.rasters_of(second))
        if "table" in output:
            differences.values(TABLE, StoredTable(first).rows, StoredTable(second).rows)
        if "decision_sha256" in output:
            differences.values("decision", decision_of(first), decision_of(second))
        if PREVIEW in output:
            differences.pixels(PREVIEW, stored_picture(first), stored_picture(second), measured=True)
        differences.values("output", _said(output), _said(second.output))
        return differences

    def differ(self, location: str, *, grave: bool, largest: float = 0.0, count: int = 0) -> None:
        """Note one location in which they differ; grave where that is more than rounding."""
        self.locations.append(location)
        self.largest = max(self.largest, largest)
        self.count += count
        self.grave |= grave

    def groups(self, ours: StoredArrays, theirs: StoredArrays) -> None:
        """Compare the variables of two groups."""
        if ours.names != theirs.names or ours.times_us != theirs.times_us:
            self.differ("the variables or the observations", grave=True)
            return
        for name in ours.names:
            if _like(ours, name) != _like(theirs, name):
                self.differ(f"{name}: type, shape or scale", grave=True)
                continue
            for window in sorted({*ours.stored_windows(name), *theirs.stored_windows(name)}):
                a, b = ours.read(name, window), theirs.read(name, window)
                fill = ours.fill(name)
                if a.dtype.kind in "iu" and ((a == fill) != (b == fill)).any():
                    self.differ(f"{name}: gaps", grave=True)
                # Of classes, bits and counts none is close to another.
                self.pixels(name, a, b, measured=a.dtype.kind == "f" or "scale_factor" in ours.attrs_of(name))

    def pixels(self, name: str, ours: NDArray[Any], theirs: NDArray[Any], *, measured: bool) -> None:
        """Compare the values of one block, or of a picture."""
        if ours.shape != theirs.shape:
            self.differ(f"{name}: shape", grave=True)
            return
        other = (ours != theirs) & ~((ours != ours) & (theirs != theirs))
        if not other.any():
            return
        a, b = ours[other].astype(np.float64), theirs[other].astype(np.float64)
        sizes = np.abs(a - b)
        limit = STEP if ours.dtype.kind in "iu" else CLOSE
        # NaN on one side only is no small difference, and classes and bits are never close.
        grave = not measured or bool(np.isnan(sizes).any()) or float(sizes.max()) > limit
        largest = float(np.nanmax(sizes, initial=0.0)) if measured else 0.0
        self.differ(name, grave=grave, largest=largest, count=int(other.sum()))

    def values(self, location: str, ours: Any, theirs: Any) -> None:
        """Compare two JSON values."""
        match ours, theirs:
            case dict(), dict() if ours.keys() == theirs.keys():
                for name in ours:
                    self.values(f"{location}.{name}", ours[name], theirs[name])
            case list(), list() if len(ours) == len(theirs):
                for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                    self.values(f"{location}[{index}]", a, b)
            case (int() | float(), int() | float()) if ours != theirs and _measured(ours, theirs):
                size = abs(ours - theirs)
                self.differ(
                    location, grave=not math.isclose(ours, theirs, rel_tol=CLOSE, abs_tol=CLOSE), largest=size, count=1
                )
            case _ if ours != theirs:
                self.differ(location, grave=True, count=1)


def _like(arrays: StoredArrays, name: str) -> tuple[object, ...]:
    """Properties that two variables must share for their stored values to be compared: type, shape, fill, scale."""
    attrs = arrays.attrs_of(name)
    scale = (attrs.get("scale_factor"), attrs.get("add_offset"))
    return arrays.dtype(name), arrays.shape(name), str(arrays.fill(name)), *scale


def _measured(*numbers: float) -> bool:
    """Whether two numbers are of something measured: JSON writes 1.0 as 1, but where both are whole they are counts."""
    kinds = [type(number) for number in numbers]
    return float in kinds and bool not in kinds


def _said(output: Any) -> Any:
    """An output without digests of what was compared by its values."""
    follows = ("root", "written_blocks", "decision_sha256", PREVIEW)
    if isinstance(output, dict):
        return {name: _said(value) for name, value in output.items() if name not in follows}
    return output
