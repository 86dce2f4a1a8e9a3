"""A tile's month as it may leave the lake: held against its records before anything of it is used."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mrv_assets.audit.canonical import Json, sha256
from mrv_assets.audit.record import Partition, Record
from mrv_assets.errors import DamagedLake, GateRefused
from mrv_assets.formats.arrays import RASTERS, BlockArrays
from mrv_assets.formats.artifacts import decision_of, observations_of
from mrv_assets.formats.table import TABLE, index_names, read_schema
from mrv_assets.lake.layout import LakePath, path_of
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
    """What a mission's gate decided on the month."""

    mission: str
    status: GateStatus
    reasons: tuple[str, ...]
    """Reason codes; none when it passed."""
    unavailable: Mapping[str, str]
    """Per index that cannot be computed, why."""

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
    """In which it was taken, UTC."""
    href: str | None
    """Its item's address; None where its catalogue gave it none on the network."""
    simulated: bool
    """Whether its item says that nobody looked at anything."""


@dataclass(frozen=True, kw_only=True)
class Month:
    """One tile and month of the lake. All of it is what its records say."""

    lake: Lake
    record: Record
    """Of monthly_proxies, the current one."""
    decided: tuple[Decided, ...]
    """In the order of substitution."""
    used: Decided
    """Of the month's mission, which the values come from; where there are none, of the first."""
    others: tuple[Decided, ...]
    """Of those that fill its gaps, and of a radar beside it; with fusion."""
    scenes: tuple[SourceScene, ...]
    """Of the observations that count, by mission and in order of time."""

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
        """What its files are called."""
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
        """True where the values come from another mission than the programme's first."""
        return self.has_values and self.used != self.decided[0]

    @property
    def missions(self) -> tuple[str, ...]:
        """All that it has values of, the month's mission first."""
        return (self.used.mission, *(one.mission for one in self.others)) if self.has_values else ()

    @property
    def has_source(self) -> bool:
        """Whether it says of each pixel which mission it is from."""
        return self.has_values and SOURCE in self.record.output["rasters"]["arrays"]

    @property
    def source_meaning(self) -> str:
        """What the numbers in that raster mean: a mission's place in the order of substitution."""
        return ", ".join(f"{number} {one.mission}" for number, one in enumerate(self.decided, 1))

    @property
    def resolution_m(self) -> float:
        """Pixel size of the grid, metres."""
        return float(self.record.document["plan"]["resolution_m"])

    @cached_property
    def grid(self) -> Grid:
        """The tile's analysis grid."""
        stated = self.record.document["plan"]
        # Canonical JSON writes 600000.0 as 600000.
        x0, y0, step = (float(value) for value in (*stated["grid"][:2], stated["resolution_m"]))
        width, height = stated["grid"][2:]
        return Grid(crs=stated["crs"], x0=x0, y0=y0, dx=step, dy=-step, width=width, height=height)

    @cached_property
    def window(self) -> Window:
        """The smallest rectangle of whole blocks that holds all active ones."""
        rows, cols = zip(*self.record.document["plan"]["active_blocks"], strict=True)
        row, col = min(rows) * BLOCK, min(cols) * BLOCK
        end_row = min(self.grid.height, (max(rows) + 1) * BLOCK)
        end_col = min(self.grid.width, (max(cols) + 1) * BLOCK)
        return Window(row, col, end_row - row, end_col - col)

    @cached_property
    def arrays(self) -> tuple[str, ...]:
        """Names of the rasters that hold pixels of an index, means before their standard deviations."""
        names = [name for name in self.record.output["rasters"]["arrays"] if name not in (N_OBS, SOURCE)]
        return tuple(name for name in names if self.has_values)

    @cached_property
    def indices(self) -> tuple[str, ...]:
        """Indices of all missions, whether or not this month has them; the table's order."""
        return index_names(read_schema(self.record.data / TABLE).names)

    @property
    def missing_indices(self) -> dict[str, str]:
        """Indices of its missions that the month has no raster of although their gates are open, with the reason."""
        if not self.has_values:
            return {}
        stated = self.record.document["plan"]["missions"]
        # Of the first that could have it, if several lack one.
        return {
            name: one.unavailable.get(name, "no raster")
            for one in reversed((self.used, *self.others))
            for name in stated[one.mission]["indices"]
            if name not in self.arrays
        }

    def pixels(self) -> BlockArrays:
        """The month's rasters as they are stored.

        Raises:
            GateRefused: When every gate is closed: unverified pixels do not leave the lake.
        """
        if not self.has_values:
            raise GateRefused(f"{self.used.mission}/gated_tiles", self.tile, self.month, self.used.reasons)
        return BlockArrays(self.record.data / RASTERS)

    def opened(self) -> "xr.Dataset":
        """The same as :meth:`Lake.open` gives them, lazy."""
        return self.lake.open(PRODUCT, self.tile, self.month)


def read_month(lake: Lake, tile: str, month: str) -> Month:
    """A tile's month, after it was held against its records.

    Record, heads, stored bytes and every decoded value are compared as `mrv verify` compares them; the decision of
    each gate is the one that its record names.

    Raises:
        NotMaterialized: When the month is not in the lake.
        DamagedLake: When anything of it is not as its record says; with the first thing that is not.
        StaleUpstream: When a decision that it follows from has since been replaced.
    """
    record = lake.current(Partition(PRODUCT, tile, month))
    lake.require_current_upstream(record)
    _require_verified(lake, record)
    try:
        return _read(lake, record)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        # Every digest is right and its parts do not fit together: no run of ours wrote such records.
        raise DamagedLake(
            path_of(record.partition), f"its records do not fit together ({type(error).__name__})"
        ) from error


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
    found = {one.mission: one.status.value for one in decided}
    choice = choose(
        [MISSIONS[one.mission] for one in decided],
        {one.mission: one.status for one in decided},
        fusion=plan.get("fusion", False),
        allow_sar=plan["allow_sar"],
    )
    used = tuple(mission.name for mission in choice.used)
    stated = record.missions_used, output["decisions"]
    if stated != (used, found) or plan["block_px"] != BLOCK:
        # The gate's word counts, whatever the monthly record says of it.
        raise DamagedLake(path_of(record.partition), f"it says {stated}, and the gates decided {found}")
    first, *others = [one for name in used for one in decided if one.mission == name] or decided[:1]
    return Month(
        lake=lake,
        record=record,
        decided=tuple(decided),
        used=first,
        others=tuple(others),
        scenes=tuple(
            scene
            for one in (first, *others)
            for decision, gated in [gates[one.mission]]
            for scene in _scenes(one.mission, decision, lake.upstream(gated, f"{one.mission}/raw_tiles"))
        ),
    )


def _scenes(mission: str, decision: Json, raw: Record) -> Iterator[SourceScene]:
    known = {scene["id"]: scene for observation in observations_of(raw) for scene in observation["scenes"]}
    for observation in decision["observations"]:
        if observation["used"]:
            for name in observation["scenes"]:
                item = _item(raw, known[name])
                yield SourceScene(
                    id=name,
                    mission=mission,
                    collection=known[name]["collection"],
                    year=datetime.fromisoformat(known[name]["datetime"]).year,
                    href=_address(item),
                    simulated=item["properties"].get("mrv:simulated") is True,
                )


def _item(raw: Record, scene: Json) -> Json:
    """A scene's item, as its catalogue had it.

    Raises:
        DamagedLake: When its bytes are not the ones that its record speaks of.
    """
    folders = [band["file"].partition("/")[0] for band in scene["bands"].values()]
    path = f"{folders[0]}/item.json"
    data = (raw.data / path).read_bytes()
    if sha256(data) != raw.output["files"][path]["sha256"]:
        name = LakePath(raw.partition, "data", raw.data.name, path)
        raise DamagedLake(str(name), "its bytes are not the ones its record speaks of")
    item: Json = json.loads(data)
    return item


def _address(item: Json) -> str | None:
    """Where an item is published, by its own word."""
    links = item.get("links") or []
    hrefs = [link.get("href") for link in links if isinstance(link, dict) and link.get("rel") == "self"]
    return next((href for href in hrefs if isinstance(href, str) and _is_public(href)), None)


def _is_public(href: str) -> bool:
    """Whether a link is an address on the network that holds no password or signature."""
    try:
        parts = urlsplit(href)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.username or parts.query)
    except ValueError:
        return False


def _require_verified(lake: Lake, record: Record) -> None:
    """Refuse what `mrv verify` would have a finding for.

    Raises:
        DamagedLake: With the first finding.
    """
    partition = partition_at(lake.slot(record.partition))
    for kind, name in (("heads", ""), ("records", record.audit_hash), ("data", record.data.name)):
        for finding in partition.check(kind, name):
            reason = f"{finding.check}: it must be {finding.expected} and is {finding.found}"
            raise DamagedLake(finding.object, reason)
