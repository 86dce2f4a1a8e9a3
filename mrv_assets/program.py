"""The programme file: what is monitored, how, and from which catalogues. Read here, checked whole."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mrv_assets.errors import BadInputError
from mrv_assets.missions.known import MISSIONS

PRESETS = ("earth-search", "planetary-computer", "usgs")
"""Catalogues known by name."""
RESOLUTIONS_M = (10, 20, 30, 60)
"""Pixel sizes that divide a tile's 109.8 km."""
MAX_DILATION_PX = 16
"""Quality is aligned this far around a block; part of the lake's format."""

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_TILE = re.compile(r"\d{2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]")


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a programme."""

    field: str
    """Path of the field, such as ``gate.min_coverage``."""
    value: object
    """As the file has it; None where there is nothing."""
    reason: str
    cure: str

    def __str__(self) -> str:
        shown = "" if self.value is None else f" = {_shortened(self.value)}"
        return f"{self.field}{shown}: {self.reason}. {self.cure}"


class ProgramError(BadInputError):
    """A programme cannot be used; every problem it has, at once."""

    def __init__(self, path: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(path, problems)
        self.path, self.problems = path, problems

    def __str__(self) -> str:
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return "\n".join([f"{self.path}: {count}", *(f"  {problem}" for problem in self.problems)])


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Months(_Part):
    """An interval of UTC calendar months, both ends included."""

    start: str
    end: str

    @field_validator("start", "end")
    @classmethod
    def _is_month(cls, value: str) -> str:
        if not _MONTH.fullmatch(value):
            raise ValueError("not a month|Write it like 2018-07.")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> "Months":
        if self.end < self.start:
            raise ValueError(f"ends ({self.end}) before it starts ({self.start})|Swap start and end.")
        return self


class GridSpec(_Part):
    """The analysis grid."""

    crs: Literal["utm"] = "utm"
    resolution_m: int = 10

    @field_validator("crs", mode="before")
    @classmethod
    def _is_utm(cls, value: object) -> object:
        if value != "utm":
            raise ValueError(
                "the analysis grid is each tile's own UTM grid|Write utm. EPSG:4326 is an output grid, for exports."
            )
        return value

    @field_validator("resolution_m")
    @classmethod
    def _divides_a_tile(cls, value: int) -> int:
        if value not in RESOLUTIONS_M:
            raise ValueError(f"does not divide a tile into whole pixels|Write one of {_listed(RESOLUTIONS_M)}.")
        return value


class MissionSource(_Part):
    """Where a mission's scenes are published."""

    catalog: str
    """A preset's name, an https STAC API, or the path of a static catalogue, relative to the programme file."""
    collection: str

    @field_validator("catalog")
    @classmethod
    def _is_place(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("is empty|Name a preset, an https URL or the folder of a static catalogue.")
        if value.startswith("http://"):
            raise ValueError("is not encrypted|Use https.")
        return value


class GateSpec(_Part):
    """What the gate measures against."""

    min_coverage: float = Field(default=0.65, ge=0, le=1, strict=False)
    cloud_probability: float = Field(default=0.15, ge=0, le=1, strict=False)
    dilation_px: int = Field(default=3, ge=0, le=MAX_DILATION_PX)
    min_scene_clear: float = Field(default=0.0, ge=0, le=1, strict=False)

    @field_validator("min_coverage", "cloud_probability", "min_scene_clear", mode="before")
    @classmethod
    def _is_number(cls, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("is not a number|Write a fraction from 0 to 1, such as 0.65.")
        return value


class Program(_Part):
    """A programme, as its file states it."""

    program: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    parcels: str
    months: Months
    baseline: Months | None = None
    reporting: dict[str, str] = Field(default_factory=dict)
    """Echoed as the reporter states it; nothing is asserted from it."""
    grid: GridSpec = GridSpec()
    missions: dict[str, MissionSource]
    gate: GateSpec = GateSpec()
    substitution: tuple[str, ...] = ()
    composite: Literal["mean", "median"] = "mean"
    tiles: dict[str, str] = Field(default_factory=dict)
    """Parcel id to tile, where the programme overrides ownership."""
    folder: Path = Field(exclude=True)
    """Folder of the file; paths are relative to it."""

    @field_validator("missions")
    @classmethod
    def _are_known(cls, value: dict[str, MissionSource]) -> dict[str, MissionSource]:
        unknown = sorted(set(value) - set(MISSIONS))
        if unknown:
            raise ValueError(f"unknown: {_listed(unknown)}|Known missions: {_listed(sorted(MISSIONS))}.")
        if not value:
            raise ValueError("names no mission|Write at least sentinel2 with its catalog and collection.")
        return value

    @field_validator("substitution", mode="before")
    @classmethod
    def _is_list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("tiles")
    @classmethod
    def _are_tiles(cls, value: dict[str, str]) -> dict[str, str]:
        for parcel, tile in value.items():
            if not _TILE.fullmatch(tile):
                raise ValueError(f"{parcel}: {tile!r} is no MGRS tile|Write it like 34TER.")
        return value

    @model_validator(mode="before")
    @classmethod
    def _default_order(cls, data: Any) -> Any:
        missions = data.get("missions") if isinstance(data, dict) else None
        if isinstance(missions, dict) and len(missions) == 1 and "substitution" not in data:
            return {**data, "substitution": list(missions)}
        return data

    @model_validator(mode="after")
    def _order_is_missions(self) -> "Program":
        if sorted(self.substitution) != sorted(self.missions):
            raise ValueError(
                f"substitution ({_listed(self.substitution) or 'empty'}) must name each of the missions "
                f"({_listed(self.missions)}) once|List them in the order in which they substitute each other."
            )
        return self

    @property
    def parcels_path(self) -> Path:
        """The parcels file."""
        return (self.folder / self.parcels).resolve()

    def catalog_path(self, mission: str) -> Path | None:
        """Folder of a mission's static catalogue; None when its scenes come from an API."""
        stated = self.missions[mission].catalog
        if stated in PRESETS or "://" in stated:
            return None
        path = (self.folder / stated).resolve()
        return path.parent if path.name == "catalog.json" else path

    @property
    def partition_months(self) -> tuple[str, ...]:
        """Every month from the earlier of baseline and months to the end, ``YYYY-MM``."""
        start = min(self.months.start, self.baseline.start) if self.baseline else self.months.start
        year, month = (int(part) for part in start.split("-"))
        months = []
        while (current := f"{year:04d}-{month:02d}") <= self.months.end:
            months.append(current)
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return tuple(months)


def load_program(path: Path) -> Program:
    """Read a programme file, and nothing it names.

    Raises:
        ProgramError: With every problem of the file.
    """
    return _parsed(path, _document(path))


def check_program(path: Path) -> Program:
    """Read a programme file and check what it names: parcels and catalogues.

    Raises:
        ProgramError: With every problem of the file and of its parcels.
    """
    document = _document(path)
    problems: list[Problem] = []
    program = None
    try:
        program = _parsed(path, document)
    except ProgramError as error:
        problems += error.problems
    problems += _file_problems(path, document)
    if problems or program is None:
        raise ProgramError(str(path), tuple(problems))
    return program


def _file_problems(path: Path, document: dict[str, Any]) -> list[Problem]:
    """Problems of the files a programme names, as far as it names them."""
    from mrv_assets.parcels import parcel_problems

    problems = []
    parcels = document.get("parcels")
    if isinstance(parcels, str) and parcels:
        problems += parcel_problems(path.parent / parcels, parcels)
    missions = document.get("missions")
    for name, source in missions.items() if isinstance(missions, dict) else ():
        stated = source.get("catalog") if isinstance(source, dict) else None
        if not isinstance(stated, str) or not stated or "://" in stated or stated in PRESETS:
            continue
        catalogue = path.parent / stated
        if not (catalogue.is_file() or (catalogue / "catalog.json").is_file()):
            near = difflib.get_close_matches(stated, PRESETS, 1)
            hint = f"Did you mean the preset {near[0]}?" if near else "Name its folder or its catalog.json."
            problems.append(Problem(f"missions.{name}.catalog", stated, "no static catalogue is there", hint))
    return problems


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key given twice is an error, not the last one wins."""


def _unique_mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def _document(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        cure = "Set MRV_PROGRAM to the programme file, or run in the folder that holds program.yaml."
        raise ProgramError(str(path), (Problem("program.yaml", str(path), reason, cure),)) from None
    try:
        # A subclass of SafeLoader: plain values only.
        document = yaml.load(text, _UniqueKeys)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "the file"
        problem = Problem(where, None, f"is not YAML ({getattr(error, 'problem', error)})", "Mend that line.")
        raise ProgramError(str(path), (problem,)) from None
    if not isinstance(document, dict):
        raise ProgramError(str(path), (Problem("the file", None, "holds no fields", "Start with program: a-name."),))
    return document


def _parsed(path: Path, document: dict[str, Any]) -> Program:
    folder = {} if "folder" in document else {"folder": path.resolve().parent}
    try:
        return Program.model_validate({**document, **folder})
    except ValidationError as error:
        problems = tuple(_problem(dict(details)) for details in error.errors())
        raise ProgramError(str(path), problems) from None


def _problem(details: dict[str, Any]) -> Problem:
    field = ".".join(str(part) for part in details["loc"]) or "the file"
    value = details["input"]
    shown = None if isinstance(value, dict) else value
    context = details.get("ctx", {})
    match details["type"]:
        case "missing":
            return Problem(field, None, "is missing", f"Add {details['loc'][-1]}: to the file.")
        case "extra_forbidden":
            return Problem(field, value, "is no field of a programme", _nearest(details["loc"]))
        case "value_error":
            reason, _, cure = str(context["error"]).partition("|")
            return Problem(field, shown, reason, cure)
        case "greater_than_equal" | "less_than_equal":
            low_high = "at least " + str(context["ge"]) if "ge" in context else "at most " + str(context["le"])
            return Problem(field, value, f"must be {low_high}", "Correct the number.")
        case "literal_error":
            return Problem(field, value, "is not one of the choices", f"Write {context['expected']}.")
        case "string_pattern_mismatch":
            cure = "Use up to 63 lower-case letters, digits, - and _, starting with a letter or digit."
            return Problem(field, value, "cannot be the name of a lake", cure)
        case "string_type" if field.rpartition(".")[2] in ("start", "end"):
            return Problem(field, str(value), "not a month", "Write it like 2018-07.")
        case _:
            return Problem(field, shown, details["msg"][0].lower() + details["msg"][1:], "Correct the value.")


def _nearest(location: tuple[Any, ...]) -> str:
    models: dict[str, type[_Part]] = {
        "": Program,
        "gate": GateSpec,
        "grid": GridSpec,
        "months": Months,
        "baseline": Months,
        "missions": MissionSource,
    }
    model = models.get(str(location[0]) if len(location) > 1 else "", Program)
    known = [name for name in model.model_fields if name != "folder"]
    near = difflib.get_close_matches(str(location[-1]), known, 1)
    return f"Did you mean {near[0]}?" if near else f"Fields here: {_listed(known)}."


def _listed(values: Any) -> str:
    return ", ".join(str(value) for value in values)


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
