"""Reading the programme file: problems of it and of the files it names are reported at once with value and cure."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mrv_assets.errors import Problem, ProgramError
from mrv_assets.missions.bandpass import BANDPASSES
from mrv_assets.missions.mission import Reflectance
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.programme.model import (
    CATALOGUES,
    AnalysisGrid,
    ExcludedItem,
    Gate,
    MissionSource,
    Months,
    Program,
    ProgramReviewer,
)
from mrv_assets.programme.yaml_file import read_yaml

_MODELS: dict[str, type[BaseModel]] = {"months": Months, "baseline": Months, "grid": AnalysisGrid, "gate": Gate}
_ITEMS: dict[str, type[BaseModel]] = {
    "missions": MissionSource,
    "reviewers": ProgramReviewer,
    "exclude": ExcludedItem,
}


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
    """Read a programme file and its parcels, and check that its catalogues on disk exist.

    Raises:
        ProgramError: With every problem of the programme, its parcels and its catalogues.
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
    document, problems = read_yaml(path)
    if document is None:
        return None, {}, problems
    problems += _mission_problems(document)
    if "substitution" not in document and len(named := _mission_names(document)) <= 1:
        document = {**document, "substitution": named}
    try:
        program = Program.model_validate(document)
    except ValidationError as error:
        return None, document, problems + [_problem(detail) for detail in error.errors(include_url=False)]
    return None if problems else program.placed(path), document, problems


def _mission_names(document: Mapping[str, Any]) -> list[str]:
    missions = document.get("missions")
    return [name for name in missions if isinstance(name, str)] if isinstance(missions, dict) else []


def _mission_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of unknown missions, and of bandpass, fusion and substitution that do not fit the missions."""
    named = _mission_names(document)
    for name in named:
        if name not in MISSIONS:
            yield Problem(
                field=f"missions.{name}",
                reason="there is no such mission",
                cure=f"{_nearest(name, list(MISSIONS))}Known: {', '.join(MISSIONS)}",
            )
    sources = document.get("missions")
    for name, source in sources.items() if isinstance(sources, dict) else ():
        stated = source.get("offset") if isinstance(source, dict) else None
        radiometry = MISSIONS[name].radiometry if name in MISSIONS else None
        if stated is None or radiometry is None:
            continue
        change = radiometry.offset_change if isinstance(radiometry, Reflectance) else None
        known = [
            *([radiometry.offset] if isinstance(radiometry, Reflectance) else []),
            *([change.before] if change else []),
        ]
        if stated not in known:
            offsets = " or ".join(f"{offset:g}" for offset in known)
            yield Problem(
                field=f"missions.{name}.offset",
                value=stated,
                reason=f"{MISSIONS[name].title} has {f'an offset of {offsets}' if known else 'no offset: it is power'}",
                cure=f"Write {offsets}, or leave it out" if known else "Leave it out",
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
    first = (order if isinstance(order, list) else named)[:1]
    radars = [name for name, mission in MISSIONS.items() if mission.radar]
    if document.get("fusion") is True and first and first[0] in radars:
        yield Problem(
            field="fusion",
            value=True,
            reason=f"it fills gaps of optical missions, and the first mission, {first[0]}, is a radar",
            cure="Begin substitution with an optical mission, or leave fusion out",
        )
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
    """Our problem for one of pydantic's errors."""
    loc = [part for part in detail["loc"] if part != "[key]"]
    # Only substitution, reviewers and exclude are lists; elsewhere a number is a name that lacks its quotes.
    is_list = loc[:1] in (["substitution"], ["reviewers"], ["exclude"])
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
            return Problem(
                field=field, value=_without_secrets(detail["input"]), reason="there is no such key", cure=cure
            )
        case "mrv":
            cure = context.get("cure") or f"Write {write}"
            return Problem(field=field, value=_without_secrets(detail["input"]), reason=context["reason"], cure=cure)
        case "model_type" | "model_attributes_type" | "dict_type":
            reason = "it should be a mapping of names to values"
        case _:
            reason = detail["msg"].replace("Input", "it").replace("String", "it").replace("Dictionary", "it")
    return Problem(
        field=field,
        value=_without_secrets(detail["input"]),
        reason=reason,
        cure=f"Write {write}" if write else "Correct it",
    )


def _described(loc: Sequence[int | str]) -> tuple[type[BaseModel], str]:
    """The model and the field whose description says what to write at a location."""
    top = str(loc[0]) if loc else ""
    if len(loc) > 1 and top in _MODELS:
        return _MODELS[top], str(loc[1])
    if len(loc) > 2 and top in _ITEMS:
        return _ITEMS[top], str(loc[2])
    return Program, top


def _without_secrets(value: object) -> object:
    """A value for a message, without the password of a URL and without a private key."""
    if isinstance(value, str) and "PRIVATE" in value:
        return "***"
    return re.sub(r"//[^/@]*@", "//***@", value) if isinstance(value, str) else value


def _nearest(name: str, known: Sequence[str]) -> str:
    matches = difflib.get_close_matches(name, known, 1)
    return f"Did you mean {matches[0]}? " if matches else ""


def _catalogue_problems(folder: Path, document: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of static catalogues that are not on disk."""
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
    # Reading parcels imports geopandas, which Dagster's definitions do without.
    from mrv_assets.programme.parcels import read_parcels

    try:
        parcels = read_parcels(path)
    except ProgramError as error:
        yield from error.problems
        return
    if program is not None and program.tiles:
        from mrv_assets.science.tiles import as_spelled, override_problems

        yield from override_problems(parcels, as_spelled(program.tiles, parcels["parcel_id"]))
