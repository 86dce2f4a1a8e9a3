"""The programme file: what a user asks for, as frozen models. Every problem of the file is told at once."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from mrv_assets.audit.manual import Reviewer, public_key
from mrv_assets.errors import Problem, ProgramError, TileError
from mrv_assets.missions.bandpass import BANDPASSES
from mrv_assets.missions.known import MISSIONS
from mrv_assets.science.blocks import HALO_PX
from mrv_assets.science.grid import tile_grid

CATALOGUES = ("earth-search", "planetary-computer", "usgs")
"""Preset names of public STAC APIs."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_BYTES = 1_000_000
"""What people write is a page or a few; something larger is another file."""

_FROZEN = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


def _month(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[12][0-9]{3}-(0[1-9]|1[0-2])", value):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?", value):
        raise _wrong("it is a day, not a month")
    raise _wrong("it is not a month")


def _catalogue(value: str) -> str:
    if "://" not in value:
        if not value.strip():
            raise _wrong("it is empty")
        return value
    try:
        url = urlsplit(value)
        host, userinfo = url.hostname, url.username or url.password
    except ValueError:
        raise _wrong("it is not a URL") from None
    if userinfo:
        raise _wrong("it holds a user name or password", "Keep secrets out of the programme file, which records repeat")
    # Over http only this very machine is asked, and only where the deployment allows it.
    if not host or url.scheme not in (("http", "https") if host in _LOOPBACK else ("https",)):
        raise _wrong("it is not an https URL")
    return value


def _tile(value: str) -> str:
    try:
        tile_grid(value)
    except TileError as error:
        raise _wrong(f"it is {error.reason}" if error.reason.startswith("not") else error.reason) from None
    return value


def _wrong(reason: str, cure: str | None = None) -> PydanticCustomError:
    return PydanticCustomError("mrv", "{reason}", {"reason": reason, "cure": cure})


Month = Annotated[str, BeforeValidator(_month)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]

# A field's description says what to write there: it ends every error's message.


class Months(BaseModel):
    """Months from the first to the last, both included."""

    model_config = _FROZEN
    start: Month = Field(description="the first month, such as 2018-01")
    end: Month = Field(description="the last month, such as 2018-12")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start > self.end:
            raise _wrong(f"it starts with {self.start}, after its end {self.end}", "Swap them, or correct one")
        return self


class AnalysisGrid(BaseModel):
    """The grid everything is computed on: each tile's own UTM zone."""

    model_config = _FROZEN
    crs: Literal["utm"] = Field(
        default="utm",
        description="utm, each tile's own UTM zone. A grid in degrees such as EPSG:4326 is an export grid: "
        "compute in utm, then export",
    )
    resolution_m: Literal[10, 20, 30, 60] = Field(
        default=10, description="the pixel size in metres: 10, 20, 30 or 60, so that pixels divide a tile"
    )


class MissionSource(BaseModel):
    """Where a mission's scenes are published."""

    model_config = _FROZEN
    catalog: Annotated[str, AfterValidator(_catalogue)] = Field(
        description=f"one of {', '.join(CATALOGUES)}, an https address of a STAC API, or the path of a static "
        "catalogue's folder or catalog.json, as seen from the programme file"
    )
    collection: Text = Field(description="the id of a STAC collection, such as sentinel-2-c1-l2a")
    integrity: Literal["ranges", "full"] = Field(
        default="ranges",
        description="ranges, which reads what is needed, or full, which also reads every file whole and compares "
        "it with the checksum its publisher states",
    )

    @property
    def on_disk(self) -> bool:
        """Whether it is a static catalogue on disk."""
        return self.catalog not in CATALOGUES and "://" not in self.catalog


class Gate(BaseModel):
    """What a tile's month is measured against."""

    model_config = _FROZEN
    min_coverage: Fraction = Field(
        default=0.65, description="the least share of the parcels' area seen clear, from 0 to 1, such as 0.65"
    )
    cloud_probability: Fraction = Field(
        default=0.15, description="the cloud probability from which a pixel is unclear, from 0 to 1, such as 0.15"
    )
    dilation_px: int = Field(
        default=3,
        ge=0,
        le=HALO_PX,
        description=f"by how many whole pixels cloud and shadow grow, from 0 to {HALO_PX}, such as 3",
    )
    min_scene_clear: Fraction = Field(
        default=0.0, description="the least clear share for a scene to be used, from 0 to 1, such as 0.0"
    )


def _one_line(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise _wrong("it is not one plain line")
    return value


def _public_key(value: str) -> str:
    if "PRIVATE" in value:
        raise _wrong("it is a private key", "Make another with `mrv keys new`: this one is no secret any more")
    try:
        public_key(value)
    except ValueError:
        raise _wrong("it is no Ed25519 public key in PEM") from None
    return value


class ProgramReviewer(BaseModel):
    """Who may decide on what the gate rejected."""

    model_config = _FROZEN
    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)] = Field(
        description="the reviewer's name, as decisions have it"
    )
    role: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)] = Field(
        description="the reviewer's role, such as lead reviewer"
    )
    public_key: Annotated[str, AfterValidator(_public_key)] = Field(
        description="the public key that `mrv keys new` printed, with its BEGIN and END lines"
    )

    @property
    def reviewer(self) -> Reviewer:
        """The same as decisions are checked with."""
        return Reviewer(name=self.name, role=self.role, public_key=self.public_key)


def _each_once(reviewers: tuple[ProgramReviewer, ...]) -> tuple[ProgramReviewer, ...]:
    known = [one.reviewer for one in reviewers]
    for what, values in (("name", [one.name for one in known]), ("public key", [one.key_id for one in known])):
        if len(set(values)) < len(values):
            raise _wrong(f"two of them have the same {what}", "Each reviewer is one person with one key")
    return reviewers


class Program(BaseModel):
    """A programme: parcels, months, missions and thresholds."""

    model_config = _FROZEN
    program: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = Field(
        description="a name of up to 63 small letters, digits, - and _, such as sw-romania-forest"
    )
    parcels: Text = Field(description="the path of a GeoJSON or GeoParquet file, as seen from the programme file")
    months: Months = Field(description="the months to report, such as {start: 2018-01, end: 2018-12}")
    baseline: Months | None = Field(
        default=None, description="the months to compare with, such as {start: 2017-01, end: 2017-12}"
    )
    reporting: dict[str, str] = Field(
        default_factory=dict,
        description='texts that records repeat as they stand, such as {scope: "3"}; numbers go in quotes',
    )
    grid: AnalysisGrid = Field(
        default_factory=AnalysisGrid, description="the analysis grid, such as {crs: utm, resolution_m: 10}"
    )
    missions: dict[str, MissionSource] = Field(
        min_length=1,
        description="each mission's source, such as sentinel2: {catalog: earth-search, collection: sentinel-2-c1-l2a}",
    )
    gate: Gate = Field(default_factory=Gate, description="the thresholds, such as {min_coverage: 0.65}")
    # load_program fills it in where there is one mission.
    substitution: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        description="the missions in the order they stand in for one another, such as [sentinel2, landsat]"
    )
    allow_sar: bool = Field(
        default=False, description="whether a radar may stand in where no optical mission saw enough: true or false"
    )
    min_native_pixels: int = Field(
        default=9,
        ge=0,
        le=10_000,
        description="how many of a substitute's own pixels a parcel must span to get a value from it, such as 9",
    )
    composite: Literal["mean", "median"] = Field(
        default="mean", description="how a month's observations become one value: mean or median"
    )
    bandpass: Literal["none", "hls-s2a"] = Field(
        default="none",
        description="none, or hls-s2a, which makes Sentinel-2 comparable with Landsat before indices",
    )
    speckle: Literal["none", "lee7"] = Field(
        default="lee7", description="the filter of Sentinel-1's speckle: lee7, or none"
    )
    orbit_direction: Literal["ascending", "descending"] = Field(
        default="descending",
        description="from which side Sentinel-1 looks, for all months: descending or ascending",
    )
    snow_is_clear: bool = Field(default=False, description="true, if snow counts as ground that was seen, or false")
    tiles: dict[str, Annotated[str, AfterValidator(_tile)]] = Field(
        default_factory=dict,
        description="parcel ids with the tile that shall own them, such as {plot-7: 34VFM}; numbers go in quotes",
    )
    reviewers: Annotated[tuple[ProgramReviewer, ...], Field(strict=False), AfterValidator(_each_once)] = Field(
        default=(), description="a list of reviewers, each as `mrv keys new` prints it"
    )
    _path: Path = PrivateAttr()

    @property
    def the_reviewers(self) -> tuple[Reviewer, ...]:
        """Who may decide on what the gate rejected."""
        return tuple(one.reviewer for one in self.reviewers)

    @property
    def path(self) -> Path:
        """The programme file."""
        return self._path

    @property
    def parcels_path(self) -> Path:
        """The parcels file."""
        return (self._path.parent / self.parcels).resolve()

    def catalog_at(self, mission: str) -> str:
        """A mission's catalogue: a preset's name, an address, or the absolute path of a static one on disk."""
        source = self.missions[mission]
        return str((self._path.parent / source.catalog).resolve()) if source.on_disk else source.catalog

    @property
    def first_month(self) -> str:
        """The first month of the partitions, ``YYYY-MM``: of the baseline, if that is earlier."""
        return min(months.start for months in (self.months, self.baseline) if months is not None)

    @property
    def last_month(self) -> str:
        """The last month of the partitions, ``YYYY-MM``, whether it is over or not."""
        return self.months.end

    @property
    def partition_months(self) -> tuple[str, ...]:
        """The months of the partitions that are over today (UTC), ``YYYY-MM``."""
        return self.months_before(datetime.now(UTC).date())

    def months_before(self, day: date) -> tuple[str, ...]:
        """The months of the partitions that are over on a day, ``YYYY-MM``."""
        start, end = _counted(self.first_month), _counted(self.last_month)
        return tuple(
            f"{n // 12:04d}-{n % 12 + 1:02d}" for n in range(start, min(end, day.year * 12 + day.month - 2) + 1)
        )


def _counted(month: str) -> int:
    """Months since the year 0."""
    return int(month[:4]) * 12 + int(month[5:]) - 1


_MODELS: dict[str, type[BaseModel]] = {"months": Months, "baseline": Months, "grid": AnalysisGrid, "gate": Gate}


_ITEMS: dict[str, type[BaseModel]] = {"missions": MissionSource, "reviewers": ProgramReviewer}


def load_program(path: Path) -> Program:
    """Read a programme file, and no other file.

    Raises:
        ProgramError: With every problem of the file.
    """
    program, _, problems = _read(path)
    if program is None or problems:
        raise ProgramError(str(path), tuple(problems))
    return program


def check_program(path: Path) -> Program:
    """Read a programme file and everything it names: the parcels, and that its catalogues on disk exist.

    Raises:
        ProgramError: With every problem of all of them.
    """
    program, document, problems = _read(path)
    problems += _catalogue_problems(path.parent, document)
    parcels = document.get("parcels")
    if isinstance(parcels, str) and parcels:
        problems += _parcel_problems(path.parent / parcels, program)
    if program is not None and not program.partition_months:
        problems.append(
            Problem(
                field="months",
                value=f"{program.first_month} to {program.last_month}",
                reason="no month is over yet",
                cure="Wait for the first month's end, or start earlier",
            )
        )
    if program is None or problems:
        raise ProgramError(str(path), tuple(problems))
    return program


def _read(path: Path) -> tuple[Program | None, dict[str, Any], list[Problem]]:
    """The programme if it has no problem of its own, the document as far as it can be read, and the problems."""
    document, problems = _document(path)
    if document is None:
        return None, {}, problems
    problems += _mission_problems(document)
    if "substitution" not in document and len(named := _mission_names(document)) <= 1:
        document = {**document, "substitution": named}
    try:
        program = Program.model_validate(document)
    except ValidationError as error:
        return None, document, problems + [_problem(detail) for detail in error.errors(include_url=False)]
    program._path = path.resolve()
    return None if problems else program, document, problems


def _document(path: Path) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The YAML document, with dates as they are written, and what is wrong with it as YAML."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        cure = "Set MRV_PROGRAM to the path of your programme file, or start in the folder of program.yaml"
        return None, [Problem(field=path.name, reason="there is no such file", cure=cure)]
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
        return None, [Problem(field=path.name, reason=reason, cure="Name a readable YAML file")]
    if len(data) > MAX_BYTES:
        return None, [Problem(field=path.name, reason="it is larger than 1 MB", cure="Name a programme file")]
    try:
        root = yaml.compose(data, Loader=yaml.SafeLoader)
        if root is None:
            cure = "Write at least program, parcels, months and missions"
            return None, [Problem(field=path.name, reason="it is empty", cure=cure)]
        problems = list(_repeated_keys(root, "", set()))
        document = yaml.SafeLoader("").construct_document(root)
    except yaml.YAMLError as error:
        return None, [_not_yaml(path, data, error)]
    except RecursionError:
        return None, [Problem(field=path.name, reason="its lists are nested too deep", cure="Write it flat")]
    except ValueError as error:
        # A number such as 0x_, which YAML's pattern takes for one and Python does not.
        return None, [Problem(field=path.name, reason=f"a value cannot be read ({error})", cure="Put it in quotes")]
    if not isinstance(document, dict):
        cure = "Write lines such as `program: my-forest`"
        return None, [*problems, Problem(field=path.name, reason="it is not a mapping of names to values", cure=cure)]
    return document, problems


def _not_yaml(path: Path, data: bytes, error: yaml.YAMLError) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        where = f"{path.name}: line {mark.line + 1}, column {mark.column + 1}"
        reason = error.problem or "it is not YAML"
    elif isinstance(error, yaml.reader.ReaderError):
        line = data[: error.position].count(b"\n") + 1
        where, reason = f"{path.name}: line {line}", f"a character cannot be read ({error.reason})"
    else:
        where, reason = path.name, str(error)
    return Problem(field=where, reason=reason, cure="Correct the YAML there: indentation, colons, brackets and quotes")


def _repeated_keys(node: yaml.Node, field: str, seen: set[int]) -> Iterator[Problem]:
    """Keys written twice, of which YAML would silently take the last. Makes dates plain texts on the way."""
    if id(node) in seen:
        return
    seen.add(id(node))
    match node:
        case yaml.ScalarNode(tag="tag:yaml.org,2002:timestamp"):
            # A month must be told from a day by what is written, and 2018-02-30 must not be a stack trace.
            node.tag = "tag:yaml.org,2002:str"
        case yaml.SequenceNode():
            for index, item in enumerate(node.value):
                yield from _repeated_keys(item, f"{field}[{index}]", seen)
        case yaml.MappingNode():
            lines: dict[str, int] = {}
            for key, value in node.value:
                yield from _repeated_keys(key, field, seen)
                if not isinstance(key, yaml.ScalarNode):
                    continue
                inner, line = f"{field}.{key.value}".lstrip("."), key.start_mark.line + 1
                if key.value in lines:
                    reason = f"it is written twice, on lines {lines[key.value]} and {line}"
                    yield Problem(field=inner, reason=reason, cure="Keep one of them")
                lines[key.value] = line
                yield from _repeated_keys(value, inner, seen)


def _mission_names(document: Mapping[str, Any]) -> list[str]:
    missions = document.get("missions")
    return [name for name in missions if isinstance(name, str)] if isinstance(missions, dict) else []


def _mission_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Missions nobody knows, and a substitution that does not order exactly the missions."""
    named = _mission_names(document)
    for name in named:
        if name not in MISSIONS:
            yield Problem(
                field=f"missions.{name}",
                reason="there is no such mission",
                cure=f"{_nearest(name, list(MISSIONS))}Known: {', '.join(MISSIONS)}",
            )
    adjusted = BANDPASSES.get(str(document.get("bandpass")))
    if adjusted is not None and named and adjusted.mission not in named:
        yield Problem(
            field="bandpass",
            value=adjusted.name,
            reason=f"it adjusts {adjusted.mission}, which is not among the missions",
            cure="Leave it out",
        )
    order = document.get("substitution")
    if not isinstance(order, list) or not named:
        return
    texts = [name for name in order if isinstance(name, str)]
    missing, extra = [name for name in named if name not in texts], [name for name in texts if name not in named]
    twice = sorted({name for name in texts if texts.count(name) > 1})
    reasons = [
        f"{what} {', '.join(names)}"
        for what, names in (("it lacks", missing), ("missions lacks", extra), ("it repeats", twice))
        if names
    ]
    if reasons:
        yield Problem(
            field="substitution",
            value=order,
            reason="; ".join(reasons),
            cure=f"Write each of the missions once, the first choice first, such as [{', '.join(named)}]",
        )


def _problem(detail: ErrorDetails) -> Problem:
    """One of pydantic's errors in our words."""
    loc = [part for part in detail["loc"] if part != "[key]"]
    # Only substitution and reviewers are lists; elsewhere a number is a name someone forgot to put in quotes.
    is_list = loc[:1] in (["substitution"], ["reviewers"])
    field = "".join(f"[{part}]" if is_list and i == 1 else f".{part}" for i, part in enumerate(loc)).lstrip(".")
    model, name = _described(loc)
    write = model.model_fields[name].description if name in model.model_fields else None
    context = detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            return Problem(field=field, reason="it is missing", cure=f"Write {write}")
        case "extra_forbidden":
            known = list(model.model_fields)
            cure = f"{_nearest(name, known)}Known here: {', '.join(known)}"
            return Problem(field=field, value=_shown(detail["input"]), reason="there is no such key", cure=cure)
        case "mrv":
            cure = context.get("cure") or f"Write {write}"
            return Problem(field=field, value=_shown(detail["input"]), reason=context["reason"], cure=cure)
        case "model_type" | "model_attributes_type" | "dict_type":
            reason = "it should be a mapping of names to values"
        case _:
            reason = detail["msg"].replace("Input", "it").replace("String", "it").replace("Dictionary", "it")
    return Problem(
        field=field, value=_shown(detail["input"]), reason=reason, cure=f"Write {write}" if write else "Correct it"
    )


def _described(loc: Sequence[int | str]) -> tuple[type[BaseModel], str]:
    """The model and the field that say what to write at a place."""
    top = str(loc[0]) if loc else ""
    if len(loc) > 1 and top in _MODELS:
        return _MODELS[top], str(loc[1])
    if len(loc) > 2 and top in _ITEMS:
        return _ITEMS[top], str(loc[2])
    return Program, top


def _shown(value: object) -> object:
    """A value fit for a message: never the password of a URL, nor a private key."""
    if isinstance(value, str) and "PRIVATE" in value:
        return "***"
    return re.sub(r"//[^/@]*@", "//***@", value) if isinstance(value, str) else value


def _nearest(name: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, known, 1)
    return f"Did you mean {found[0]}? " if found else ""


def _catalogue_problems(folder: Path, document: Mapping[str, Any]) -> Iterator[Problem]:
    """Static catalogues on disk that are not there."""
    missions = document.get("missions")
    for name, source in missions.items() if isinstance(missions, dict) else ():
        stated = source.get("catalog") if isinstance(source, dict) else None
        if not isinstance(stated, str) or not stated.strip() or stated in CATALOGUES or "://" in stated:
            continue
        path = folder / stated
        documents = (path / "catalog.json", path / "collection.json") if path.is_dir() else (path,)
        if not any(document.is_file() for document in documents):
            yield Problem(
                field=f"missions.{name}.catalog",
                value=stated,
                reason=f"there is no catalogue at {path}",
                cure=f"{_nearest(stated, CATALOGUES)}Name a folder that holds catalog.json, or one of "
                f"{', '.join(CATALOGUES)}",
            )


def _parcel_problems(path: Path, program: Program | None) -> Iterator[Problem]:
    # Reading parcels brings geopandas, which definitions do without.
    from mrv_assets.parcels import read_parcels

    try:
        parcels = read_parcels(path)
    except ProgramError as error:
        yield from error.problems
        return
    if program is not None and program.tiles:
        from mrv_assets.science.tiles import override_problems

        yield from override_problems(parcels, program.tiles)
