"""A tile's month to export: compared with its records before any of its data is used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition, Record
from mrv_assets.errors import DamagedLake, GateRefused
from mrv_assets.formats.artifacts import decision_of, doubts_among, observations_of
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.formats.stored_scenes import scene_item
from mrv_assets.formats.stored_table import StoredTable
from mrv_assets.formats.table import index_names
from mrv_assets.lake.layout import path_of
from mrv_assets.lake.store import Lake
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.science.blocks import BLOCK
from mrv_assets.science.choice import choose
from mrv_assets.science.gate import GateStatus
from mrv_assets.science.grid import Grid, Window
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.walk import partition_at

if TYPE_CHECKING:
    import xarray as xr

N_OBS, SOURCE = "n_obs", "source"
STD = "_std"
"""End of the name of the array with an index's standard deviation over time."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The decision of a mission's gate on the month."""

    mission: str
    status: GateStatus
    reasons: tuple[str, ...]
    """Reason codes; empty when it passed."""
    unavailable: Mapping[str, str]
    """Reason of each index that cannot be computed."""

    def __str__(self) -> str:
        because = f" ({', '.join(self.reasons)})" if self.reasons else ""
        return f"{self.mission} {self.status.value}{because}"


@dataclass(frozen=True, kw_only=True)
class SourceScene:
    """A scene that the month was made from."""

    id: str
    mission: str
    collection: str
    year: int
    """Year in which it was acquired, UTC."""
    href: str | None
    """Address of its item; None where the item has no public address on the network."""
    simulated: bool
    """Whether its item says that it was simulated."""
    doubts: tuple[str, ...]
    """Findings about it that somebody should look at, ``code: detail``."""


@dataclass(frozen=True, kw_only=True)
class Month:
    """One tile and month of the lake, equal to its records."""

    lake: Lake
    record: Record
    """Current record of monthly_proxies."""
    decided: tuple[Decided, ...]
    """Decision on each mission, in the order of substitution."""
    used: Decided
    """Decision on the month's mission, which the values come from; without values, on the first mission."""
    others: tuple[Decided, ...]
    """Decisions on missions that fill its gaps, and on a radar beside it; with fusion only."""
    scenes: tuple[SourceScene, ...]
    """Scenes of the observations that count, by mission and in order of time."""

    @property
    def tile(self) -> str:
        """MGRS tile."""
        return self.record.partition.tile

    @property
    def month(self) -> str:
        """UTC calendar month, ``YYYY-MM``."""
        return self.record.partition.month

    @property
    def name(self) -> str:
        """Beginning of the names of its files."""
        return f"{self.tile}_{self.month}"

    @property
    def has_values(self) -> bool:
        """False where every gate is closed."""
        return self.record.output["mission"] is not None

    @property
    def composite(self) -> str:
        """``mean`` or ``median``."""
        return str(self.record.document["plan"]["composite"])

    @property
    def substituted(self) -> bool:
        """True where the values come from a mission that is not the programme's first."""
        return self.has_values and self.used != self.decided[0]

    @property
    def missions(self) -> tuple[str, ...]:
        """Missions that it has values of, the month's mission first."""
        return (self.used.mission, *(decided.mission for decided in self.others)) if self.has_values else ()

    @property
    def has_source(self) -> bool:
        """Whether it has a raster that names the mission of each pixel."""
        return self.has_values and SOURCE in self.record.output["rasters"]["arrays"]

    @property
    def source_meaning(self) -> str:
        """Meaning of the numbers in that raster: a mission's position in the order of substitution."""
        return ", ".join(f"{number} {decided.mission}" for number, decided in enumerate(self.decided, 1))

    @property
    def resolution_m(self) -> float:
        """Pixel size of the grid, metres."""
        return float(self.record.document["plan"]["resolution_m"])

    @cached_property
    def grid(self) -> Grid:
        """The tile's analysis grid."""
        return Grid.stated(self.record.document["plan"])

    @cached_property
    def window(self) -> Window:
        """The smallest rectangle of whole blocks that contains all active blocks."""
        rows, cols = zip(*self.record.document["plan"]["active_blocks"], strict=True)
        row, col = min(rows) * BLOCK, min(cols) * BLOCK
        end_row = min(self.grid.height, (max(rows) + 1) * BLOCK)
        end_col = min(self.grid.width, (max(cols) + 1) * BLOCK)
        return Window(row, col, end_row - row, end_col - col)

    @cached_property
    def arrays(self) -> tuple[str, ...]:
        """Names of the rasters of indices, each mean before its standard deviation."""
        names = [name for name in self.record.output["rasters"]["arrays"] if name not in (N_OBS, SOURCE)]
        return tuple(name for name in names if self.has_values)

    @cached_property
    def indices(self) -> tuple[str, ...]:
        """Indices of all missions, whether or not this month has them, in the table's order."""
        return index_names(StoredTable(self.record).table.column_names)

    @property
    def missing_indices(self) -> dict[str, str]:
        """Reason of each index that the month has no raster of although the gate of a mission with it is open."""
        if not self.has_values:
            return {}
        stated = self.record.document["plan"]["missions"]
        # Reversed, so that the first mission's reason stays where several lack the index.
        return {
            name: decided.unavailable.get(name, "no raster")
            for decided in reversed((self.used, *self.others))
            for name in stated[decided.mission]["indices"]
            if name not in self.arrays
        }

    def pixels(self) -> StoredArrays:
        """The month's rasters as they are stored.

        Raises:
            GateRefused: When every gate is closed: unverified pixels do not leave the lake.
        """
        if not self.has_values:
            raise GateRefused(f"{self.used.mission}/gated_tiles", self.tile, self.month, self.used.reasons)
        return StoredArrays.rasters_of(self.record)

    def opened(self) -> "xr.Dataset":
        """The month's rasters as :meth:`Lake.open` gives them, lazy."""
        return self.lake.open(PRODUCT, self.tile, self.month)


def read_month(lake: Lake, tile: str, month: str) -> Month:
    """A tile's month, after comparing it with its records.

    Record, heads, stored bytes and every decoded value are compared as `mrv verify` compares them; the decision of
    each gate is the one that its record names.

    Raises:
        NotMaterialized: When the month is not in the lake.
        DamagedLake: When any of its data is not as its record says; with the first difference.
        StaleUpstream: When a decision that it was made from has been replaced since.
    """
    record = lake.current(Partition(PRODUCT, tile, month))
    lake.require_current_upstream(record)
    _require_verified(lake, record)
    try:
        return _read(lake, record)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        # Every digest is right, but the records do not fit together: no run of this package wrote them.
        reason = f"its records do not fit together ({type(error).__name__})"
        raise DamagedLake(path_of(record.partition), reason) from error


def _read(lake: Lake, record: Record) -> Month:
    output, plan = record.output, record.document["plan"]
    decided, gates = [], {}
    for mission in plan["substitution"]:
        gated = lake.upstream(record, f"{mission}/gated_tiles")
        _require_verified(lake, gated)
        decision = decision_of(gated)
        decided.append(
            Decided(
                mission=mission,
                status=GateStatus(decision["status"]),
                reasons=tuple(decision["reasons"]),
                unavailable=dict(decision["unavailable"]),
            )
        )
        gates[mission] = decision, gated
    statuses = {decision.mission: decision.status.value for decision in decided}
    choice = choose(
        [MISSIONS[decision.mission] for decision in decided],
        {decision.mission: decision.status for decision in decided},
        fusion=plan.get("fusion", False),
        allow_sar=plan["allow_sar"],
    )
    used = tuple(mission.name for mission in choice.used)
    stated = record.missions_used, output["decisions"]
    if stated != (used, statuses) or plan["block_px"] != BLOCK:
        # The gates' own records count, whatever the monthly record says of them.
        raise DamagedLake(path_of(record.partition), f"it says {stated}, and the gates decided {statuses}")
    first, *others = [decision for name in used for decision in decided if decision.mission == name] or decided[:1]
    return Month(
        lake=lake,
        record=record,
        decided=tuple(decided),
        used=first,
        others=tuple(others),
        scenes=tuple(
            scene
            for mission in (first.mission, *(decision.mission for decision in others))
            for decision, gated in [gates[mission]]
            for scene in _scenes(mission, decision, lake.upstream(gated, f"{mission}/raw_tiles"))
        ),
    )


def _scenes(mission: str, decision: Json, raw: Record) -> Iterator[SourceScene]:
    stored = {scene["id"]: scene for observation in observations_of(raw) for scene in observation["scenes"]}
    for observation in decision["observations"]:
        if observation["used"]:
            for name in observation["scenes"]:
                item = scene_item(raw, stored[name])
                yield SourceScene(
                    id=name,
                    mission=mission,
                    collection=stored[name]["collection"],
                    year=datetime.fromisoformat(stored[name]["datetime"]).year,
                    href=_address(item),
                    simulated=item["properties"].get("mrv:simulated") is True,
                    doubts=tuple(doubts_among(stored[name]["findings"])),
                )


def _address(item: Json) -> str | None:
    """The public address that an item states of itself; None where it states none."""
    links = item.get("links") or []
    hrefs = [link.get("href") for link in links if isinstance(link, dict) and link.get("rel") == "self"]
    return next((href for href in hrefs if isinstance(href, str) and _is_public(href)), None)


def _is_public(href: str) -> bool:
    """Whether a link is an address on the network without user, password or query."""
    try:
        parts = urlsplit(href)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.username or parts.query)
    except ValueError:
        return False


def _require_verified(lake: Lake, record: Record) -> None:
    """Refuse data that `mrv verify` would have a finding for.

    Raises:
        DamagedLake: With the first finding.
    """
    partition = partition_at(lake.slot(record.partition))
    if record.data.name in partition.unsafe:
        reason = "there is a link, a device or a folder too deep in it. Remove it"
        raise DamagedLake(f"{path_of(record.partition)}/data/{record.data.name}", reason)
    for kind, name in (("heads", ""), ("records", record.audit_hash), ("data", record.data.name)):
        for finding in partition.check(kind, name):
            reason = f"{finding.check}: expected {finding.expected}, found: {finding.found}"
            raise DamagedLake(finding.object, reason)
