"""Computing a tile and month again from its raw tiles, with nothing but the lake, and comparing the two."""

import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import canonical
from mrv_assets.audit.manual_decisions import Reviewer
from mrv_assets.audit.record import Record
from mrv_assets.formats.arrays import RASTERS, BlockArrays
from mrv_assets.formats.artifacts import PREVIEW, decision_of
from mrv_assets.formats.table import TABLE, read_outlines, read_rows
from mrv_assets.lake.records import read_document
from mrv_assets.lake.store import Lake
from mrv_assets.missions.bandpass import BANDPASSES
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.science.tiles import geom_sha256, project
from mrv_assets.science.zonal import geodesic_area_ha
from mrv_assets.stages.mission_plan import GateRules, MissionPlan, Substitution, Treatment
from mrv_assets.stages.month_plan import MonthPlan
from mrv_assets.stages.options import RunOptions
from mrv_assets.stages.run import run_stage
from mrv_assets.stages.table import MISSION_STAGES, MONTHLY_PROXIES, PRODUCT
from mrv_assets.stages.tile_month import TileMonth, TileParcels, active_of, grid_of

STEP = 1
"""Stored units by which two scaled integers may differ and be equivalent: one digital number, 1e-4 of an index."""
CLOSE = 1e-4
"""Difference up to which two stored floats are equivalent, absolute or as a share of the larger."""
PLACES = 12
"""How many places in which outputs differ are named."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One asset's partition, computed again."""

    asset: str
    tile: str
    month: str
    answer: str
    """IDENTICAL: every bit of the output. EQUIVALENT: no value further off than stated. DIFFERENT. NOT_RERUN."""
    same_request: bool
    """Whether plan, graph, code and inputs were the same too."""
    largest_difference: float
    """In stored units, over everything that is a measured number."""
    values_that_differ: int
    detail: str
    """What differs, or why nothing was compared; empty when identical."""


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
    if all(asset.endswith("/raw_tiles") for asset in assets):
        return [not_rerun(assets[0], tile, month, "raw tiles are what the rest is computed from")]
    lake = Lake.at(root, read_document(root / "lake.json", root)["programme"])
    if lake.head(PRODUCT, tile, month) is None:
        return [not_rerun(assets[0], tile, month, "there are no monthly proxies to take the parcels from")]
    monthly = lake.current(PRODUCT, tile, month)
    chains = {asset.partition("/")[0]: list(_chain(lake, asset, monthly)) for asset in monthly.upstream}
    unknown = sorted(set(chains) - set(MISSIONS))
    if unknown:
        return [not_rerun(assets[0], tile, month, f"this version knows no mission {', '.join(unknown)}")]
    with tempfile.TemporaryDirectory(prefix="mrv-rerun-") as folder:
        made = list(_made(monthly, chains, Lake.at(Path(folder), lake.programme)))
        return [_compared(first, second) for first, second in made if first.document["asset"] in assets]


def not_rerun(asset: str, tile: str, month: str, reason: str) -> Compared:
    """The answer where nothing was compared."""
    return Compared(
        asset=asset,
        tile=tile,
        month=month,
        answer="NOT_RERUN",
        same_request=False,
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


def _chain(lake: Lake, asset: str, record: Record) -> Iterator[Record]:
    """The records a mission's share of a record was made from, gated_tiles first, raw_tiles last."""
    while True:
        document = record.document
        record = lake.record(asset, document["tile"], document["month"], record.upstream[asset])
        yield record
        if asset.endswith("/raw_tiles"):
            return
        [asset] = record.upstream


def _plan(monthly: Record, chains: Mapping[str, Sequence[Record]]) -> MonthPlan:
    """The plan that a month's records were made by, from the records alone."""
    stated = monthly.document["plan"]
    gate = next(iter(chains.values()))[0].document["plan"]["gate"]
    grid = grid_of(stated)
    rows, lonlat = read_rows(monthly.data / TABLE), read_outlines(monthly.data / TABLE)
    at = TileMonth(
        tile=monthly.document["tile"],
        month=monthly.document["month"],
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
    """What the programme had done to pixels, from the records alone; each mission's say its own part."""
    found = Treatment()
    for record in (record for chain in chains for record in chain):
        stated = record.document["plan"]
        if "snow_is_clear" in stated:
            found = replace(found, snow_is_clear=stated["snow_is_clear"])
        if "bandpass" in stated:
            # One this version has not gives other indices, which the comparison will say.
            found = replace(found, bandpass=BANDPASSES.get(stated["bandpass"]["name"]))
        if "speckle" in stated:
            found = replace(found, speckle=stated["speckle"]["filter"])
    return found


def _lend(raw: Record, other: Lake) -> None:
    """Make a raw_tiles record current in another lake that shares its data."""
    document = raw.document
    slot = other.slot(document["asset"], document["tile"], document["month"])
    for path in (slot.record(raw.audit_hash), slot.head(1), slot.data(raw.data.name)):
        path.parent.mkdir(parents=True)
    for folder in ("runs", "requests"):
        (slot.folder / folder).symlink_to(raw.data.parents[1].resolve() / folder)
    slot.record(raw.audit_hash).write_bytes(canonical(document))
    slot.head(1).write_bytes(canonical({"record": raw.audit_hash, "previous": None}))
    slot.data(raw.data.name).symlink_to(raw.data.resolve())


def _lend_decisions(gated: Record, other: Lake) -> tuple[Reviewer, ...]:
    """Put the manual decisions that a record counted into another lake; gives whose they are, by the record."""
    if gated.decided_on is None:
        return ()
    document = gated.document
    slot = other.slot(document["asset"], document["tile"], document["month"])
    kept = gated.data.parents[1].resolve() / "decisions"
    for name in gated.inputs["qa"]["decisions"]:
        path = slot.decision(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((kept / path.name).read_bytes())
    return tuple(
        Reviewer(**{field: who[field] for field in ("name", "role", "public_key")})
        for who in document["plan"]["reviewers"]
    )


def _compared(first: Record, second: Record) -> Compared:
    document = first.document
    same_request = all(document[name] == second.document[name] for name in document if name != "output")
    found = _Differences() if first.output == second.output else _Differences.between(first, second)
    return Compared(
        asset=document["asset"],
        tile=document["tile"],
        month=document["month"],
        answer="IDENTICAL" if first.output == second.output else "DIFFERENT" if found.grave else "EQUIVALENT",
        same_request=same_request,
        largest_difference=found.largest,
        values_that_differ=found.count,
        detail=_places(found.places),
    )


def _places(places: Sequence[str]) -> str:
    shown = "; ".join(places[:PLACES])
    return f"{shown}; and {len(places) - PLACES} more" if len(places) > PLACES else shown


class _Differences:
    """What two outputs differ in."""

    def __init__(self) -> None:
        self.largest = 0.0
        self.count = 0
        self.grave = False
        self.places: list[str] = []

    @classmethod
    def between(cls, first: Record, second: Record) -> "_Differences":
        """Compare two records' outputs, and the data of both."""
        found = cls()
        output = first.output
        if "arrays" in output:
            found.groups(first.data, second.data)
        if "rasters" in output:
            found.groups(first.data / RASTERS, second.data / RASTERS)
        if "table" in output:
            found.values(TABLE, read_rows(first.data / TABLE), read_rows(second.data / TABLE))
        if "decision_sha256" in output:
            found.values("decision", decision_of(first), decision_of(second))
        if PREVIEW in output:
            found.pixels(PREVIEW, _picture(first.data), _picture(second.data), measured=True)
        found.values("output", _said(output), _said(second.output))
        return found

    def differ(self, place: str, *, grave: bool, largest: float = 0.0, count: int = 0) -> None:
        """Note one place in which they differ; grave where that is more than rounding."""
        self.places.append(place)
        self.largest = max(self.largest, largest)
        self.count += count
        self.grave |= grave

    def groups(self, first: Path, second: Path) -> None:
        """Compare the variables of two Zarr groups."""
        ours, theirs = BlockArrays(first), BlockArrays(second)
        if ours.chunking().keys() != theirs.chunking().keys() or ours.times_us != theirs.times_us:
            self.differ("the variables or the observations", grave=True)
            return
        for name in ours.chunking():
            if ours.like(name) != theirs.like(name):
                self.differ(f"{name}: type, shape or scale", grave=True)
                continue
            for window in sorted({*ours.stored_windows(name), *theirs.stored_windows(name)}):
                a, b = ours.read(name, window), theirs.read(name, window)
                fill = ours.like(name)["fill"]
                if a.dtype.kind in "iu" and ((a == int(fill)) != (b == int(fill))).any():
                    self.differ(f"{name}: gaps", grave=True)
                self.pixels(name, a, b, measured=ours.measured(name))

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

    def values(self, place: str, ours: Any, theirs: Any) -> None:
        """Compare two JSON values."""
        match ours, theirs:
            case dict(), dict() if ours.keys() == theirs.keys():
                for name in ours:
                    self.values(f"{place}.{name}", ours[name], theirs[name])
            case list(), list() if len(ours) == len(theirs):
                for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                    self.values(f"{place}[{index}]", a, b)
            case (int() | float(), int() | float()) if ours != theirs and _measured(ours, theirs):
                size = abs(ours - theirs)
                self.differ(
                    place, grave=not math.isclose(ours, theirs, rel_tol=CLOSE, abs_tol=CLOSE), largest=size, count=1
                )
            case _ if ours != theirs:
                self.differ(place, grave=True, count=1)


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


def _picture(data: Path) -> NDArray[Any]:
    from PIL import Image

    with Image.open(data / PREVIEW) as opened:
        # Wide enough for any difference.
        return np.asarray(opened).astype(np.int64)
