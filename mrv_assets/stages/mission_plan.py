"""The plan of one mission's assets of a tile and month: every parameter that its stages may use."""

from dataclasses import asdict, dataclass

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.manual_decisions import Reviewer
from mrv_assets.missions.bandpass import Bandpass
from mrv_assets.missions.mission import Mission
from mrv_assets.stages.options import DEFAULT, RunOptions
from mrv_assets.stages.tile_month import TileMonth


@dataclass(frozen=True, kw_only=True)
class GateRules:
    """The thresholds of the gate; fractions in [0, 1]."""

    min_coverage: float
    cloud_probability: float
    dilation_px: int
    min_scene_clear: float


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """A programme's treatment of pixels; a treatment that does not apply to a mission changes none of its values."""

    snow_is_clear: bool = False
    """Whether snow counts as ground that was seen."""
    bandpass: Bandpass | None = None
    """Adjustment of one mission's reflectance before indices."""
    speckle: str = "lee7"
    """Filter of radar power before indices; ``none`` leaves the power as it is."""
    orbit_direction: str = "descending"
    """Orbit direction from which radar looks: ``ascending`` or ``descending``."""


@dataclass(frozen=True, kw_only=True)
class Substitution:
    """Rules by which missions stand in for one another."""

    order: tuple[str, ...]
    """Names of the programme's missions, the first choice first."""
    allow_sar: bool
    """Whether a radar may stand in for optical missions."""
    fusion: bool = False
    """Whether gaps of the month's mission are filled from later missions, and a radar's indices stand beside them."""

    @property
    def rules(self) -> Json:
        """The rules as a record states them: stages that depend on them record them, and readers require them."""
        return {"allow_sar": self.allow_sar, "fusion": self.fusion, "substitution": list(self.order)}


@dataclass(frozen=True, kw_only=True)
class SceneSource:
    """The catalogue of a mission's scenes, and the hosts that they may be read from."""

    catalogue: str
    """A preset's name, the address of a STAC API, or the absolute path of a static catalogue on disk."""
    collection: str
    integrity: str = "ranges"
    """``full`` reads every file whole and compares it with its published checksum; ``ranges`` reads what is needed."""
    exclude: tuple[tuple[str, str], ...] = ()
    """Items that the programme leaves out, each with the reason."""
    offset: float | None = None
    """Offset of the scenes' reflectance, unitless, as the programme states it; None leaves it to the scenes."""
    hosts: tuple[str, ...] = ()
    """Hosts that may be read from besides the preset's."""
    buckets: tuple[str, ...] = ()
    """S3 buckets that may be read from besides the preset's."""
    loopback: bool = False
    """Whether this machine may be read from over HTTP."""


@dataclass(frozen=True, kw_only=True)
class MissionPlan:
    """One tile and month for one mission: the parameters of its five assets."""

    at: TileMonth
    mission: Mission
    source: SceneSource | None
    """None where stored tiles are used and no catalogue is asked, such as when a lake is computed again."""
    gate: GateRules
    treatment: Treatment = Treatment()
    substitution: Substitution
    reviewers: tuple[Reviewer, ...] = ()
    """Reviewers who may approve a month that the gate rejected; a record states the reviewers that it counted."""
    options: RunOptions = DEFAULT

    def asset(self, stage: str) -> str:
        """The asset path of a stage of this mission, such as ``sentinel2/indices``."""
        return f"{self.mission.name}/{stage}"

    @property
    def earlier_missions(self) -> tuple[str, ...]:
        """The missions that this one stands in for, in their order."""
        order = self.substitution.order
        return order[: order.index(self.mission.name)]

    @property
    def bandpass(self) -> Bandpass | None:
        """Adjustment of this mission's reflectance; None where there is none."""
        stated = self.treatment.bandpass
        return stated if stated is not None and stated.mission == self.mission.name else None

    @property
    def forbidden(self) -> bool:
        """Whether this mission is a radar that would stand in for others without the programme's permission.

        With fusion it would not: its indices stand beside the others' indices, which needs no permission.
        """
        stands_in = self.mission.name != self.substitution.order[0] and not self.substitution.fusion
        return stands_in and self.mission.radar and not self.substitution.allow_sar

    @property
    def source_rules(self) -> Json:
        """The programme's rules for scenes, which raw_tiles record; None for a rule that manifests leave out."""
        source = self.source
        return {
            "collection": None if source is None else source.collection,
            "integrity": None if source is None else source.integrity,
            "offset": None if source is None else source.offset,
            "orbit_direction": self.treatment.orbit_direction if self.mission.one_orbit_direction else None,
        }

    @property
    def mask_rules(self) -> Json:
        """The programme's rules for masks: masked_tiles record them, and readers of masks require them."""
        return {
            "cloud_probability": self.gate.cloud_probability,
            "dilation_px": self.gate.dilation_px,
            "snow_is_clear": self.treatment.snow_is_clear,
        }

    @property
    def decision_rules(self) -> Json:
        """The rules of a decision and the parcels it is for: gated_tiles record them, and readers require them.

        A decision under other rules, or for other parcels, decides nothing.
        """
        return {
            "gate": asdict(self.gate),
            "snow_is_clear": self.treatment.snow_is_clear,
            "parcels": self.at.parcels.identity,
        }
