"""The offset of a scene's reflectance: decided from all that is known of it, or the scene is refused.

The evidence, the most trusted first: the programme file; the flag that the offset is already applied to the pixels; the
offset that the item states for its bands, that its collection states for them, or that the files themselves state; the
processing baseline; the pixels. All evidence has to agree: a wrong offset turns forest into desert, and no later stage
would notice. The date of a scene is not evidence, since old scenes were processed again with the new offset.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from mrv_assets.missions.mission import Reflectance
from mrv_assets.scenes.baseline import baseline_text, baselines_of
from mrv_assets.scenes.conditions import UnusableError, dn_shift_of
from mrv_assets.scenes.item import Item, properties, stated_number
from mrv_assets.scenes.offset_check import Look, OffsetLook

CURE = "Find out which holds, and state it in the programme file as the mission's offset, or exclude the scene"
_UNSETTLED = "unsettled"


@dataclass(frozen=True, kw_only=True)
class OffsetDecision:
    """A scene's offset by what is known before its files are read."""

    offset: float | None
    """reflectance = published DN * scale + offset, unitless; None where only the files can decide."""
    rule: str
    """programme, boa_offset_applied, stated (by the item), collection, baseline, mission (the product never changed its
    offset), or unsettled."""
    evidence: tuple[str, ...] = ()
    """What was stated, in words: quoted where the files contradict it."""
    findings: tuple[str, ...] = ()
    """What speaks against the programme file's offset, ``code: detail``."""


@dataclass(frozen=True, kw_only=True)
class FileRadiometry:
    """What a file's own header states of its numbers; None where it states nothing."""

    scale: float | None
    offset: float | None


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A scene's offset by all evidence, with what speaks against it where the programme file overrules that."""

    offset: float
    dn_shift: int
    """Added to a published digital number to bring it to the mission's convention."""
    rule: str
    """As of the decision; or file, or pixels."""
    findings: tuple[str, ...]
    """``code: detail``; only where the programme file states the offset."""


def boa_offset(
    item: Item,
    keys: Collection[str],
    radiometry: Reflectance,
    *,
    item_assets: Mapping[str, object] | None = None,
    programme: float | None = None,
) -> OffsetDecision:
    """The offset of a scene's reflectance, by what the programme, the item and its collection state.

    Args:
        item: The STAC item.
        keys: STAC asset keys of its reflectance bands.
        radiometry: The mission's convention, and the product's change to it.
        item_assets: The collection's description of its items' STAC assets, by key. For a band of which the item
            states an offset itself, it is not asked.
        programme: The offset that the programme file states for the mission; None where it states none.

    Raises:
        UnusableError: With offset_conflict, where statements contradict each other, or with offset_unexpected, where
            one is not an offset that the product ever had.
    """
    if programme is not None:
        return OffsetDecision(
            offset=programme,
            rule="programme",
            findings=_against(programme, lambda: _by_statements(item, keys, radiometry, item_assets or {})),
        )
    return _by_statements(item, keys, radiometry, item_assets or {})


def _by_statements(
    item: Item, keys: Collection[str], radiometry: Reflectance, item_assets: Mapping[str, object]
) -> OffsetDecision:
    change = radiometry.offset_change
    known = (radiometry.offset,) if change is None else (radiometry.offset, change.before)
    own, inherited = _stated(item, keys, item_assets)
    for where, numbers in (("the item", own), ("the collection", inherited)):
        for number, key in numbers.items():
            if number not in known:
                expected = " or ".join(f"{offset:g}" for offset in known)
                raise _unexpected(f"{where} states an offset of {number:g} for {key}; the product has {expected}")
    words = [f"{where} states {number:g}" for where, numbers in _places(own, inherited) for number in numbers]
    if change is None:
        _agreed([*own, *inherited, radiometry.offset], [*words, f"the product has {radiometry.offset:g}"])
        return OffsetDecision(offset=radiometry.offset, rule="mission", evidence=tuple(words))
    by_baseline = {
        f"baseline {baseline_text(baseline)} in {place} has": change.before
        if baseline < change.baseline
        else radiometry.offset
        for baseline, place in baselines_of(item)
    }
    words += [f"{text} {offset:g}" for text, offset in by_baseline.items()]
    flags = _applied(item)
    if len(set(flags.values())) > 1:
        raise _conflict([f"{key} is {str(flag).lower()}" for key, flag in flags.items()])
    if True in flags.values():
        # Catalogues that apply the offset go on stating that of the product before; so the statement has to be its.
        _agreed([*(n for n in (*own, *inherited) if n), *by_baseline.values()], words)
        evidence = (*(f"{key} is true" for key in flags), *words)
        return OffsetDecision(offset=0.0, rule="boa_offset_applied", evidence=evidence)
    rules = (("stated", own), ("collection", inherited), ("baseline", by_baseline.values()))
    offsets = [(rule, number) for rule, numbers in rules for number in numbers]
    _agreed([number for _, number in offsets], words)
    rule, offset = offsets[0] if offsets else (_UNSETTLED, None)
    return OffsetDecision(offset=offset, rule=rule, evidence=tuple(words))


def settle(
    decision: OffsetDecision,
    sensed: datetime,
    files: Mapping[str, FileRadiometry],
    look: OffsetLook,
    radiometry: Reflectance,
) -> Settled:
    """The offset of a scene, now that its files are known.

    Args:
        decision: The decision before the files were read.
        sensed: Sensing time, UTC.
        files: What the file of each measured band states.
        look: How its pixels look.
        radiometry: The mission's convention.

    Raises:
        UnusableError: With offset_conflict where files or pixels contradict what was stated, offset_unknown where
            nothing decides, offset_unexpected or scale_unexpected.
    """
    offset, rule, findings = decision.offset, decision.rule, decision.findings
    if rule == "programme" and offset is not None:
        _check_scales(files, radiometry)
        unsettled = replace(decision, offset=None, rule=_UNSETTLED)
        findings += _against(offset, lambda: _settled(unsettled, sensed, files, look, radiometry))
    else:
        offset, rule = _settled(decision, sensed, files, look, radiometry)
    return Settled(offset=offset, dn_shift=dn_shift_of(offset, radiometry), rule=rule, findings=findings)


def _against(offset: float, decide: Callable[[], OffsetDecision | tuple[float, str]]) -> tuple[str, ...]:
    """What speaks against the programme file's offset, by a decision without it; empty where nothing does."""
    try:
        decided = decide()
    except UnusableError as doubt:
        detail = f"{doubt.code}: {doubt.detail.removesuffix(f'. {CURE}')}" if doubt.code != "offset_unknown" else ""
    else:
        other, rule = (decided.offset, decided.rule) if isinstance(decided, OffsetDecision) else decided
        detail = "" if other in (None, offset) else f"offset_conflict: by {rule} it is {other:g}"
    return (f"{detail}; the programme file decided on {offset:g}",) if detail else ()


def _settled(
    decision: OffsetDecision,
    sensed: datetime,
    files: Mapping[str, FileRadiometry],
    look: OffsetLook,
    radiometry: Reflectance,
) -> tuple[float, str]:
    change = radiometry.offset_change
    known = (radiometry.offset,) if change is None else (radiometry.offset, change.before)
    _check_scales(files, radiometry)
    stated: dict[float, str] = {}
    for name, file in sorted(files.items()):
        if file.offset is not None and (file.scale not in (None, 1.0) or file.offset):
            stated.setdefault(round(file.offset, 6), f"the file of {name} states {file.offset:g}")
    words = [*decision.evidence, *stated.values()]
    if decision.rule == "boa_offset_applied":
        # The file may go on stating the product's offset, as the item does.
        stated = {number: text for number, text in stated.items() if number not in known}
    if wrong := [text for number, text in stated.items() if number not in known]:
        raise _unexpected(f"{'; '.join(wrong)}; the product has {' or '.join(f'{offset:g}' for offset in known)}")
    _agreed([*([] if decision.offset is None else [decision.offset]), *stated], words)
    offset, rule = (decision.offset, decision.rule) if decision.offset is not None else (None, "file")
    if offset is None:
        offset = next(iter(stated), None)
    if change is None:
        return radiometry.offset if offset is None else offset, rule
    seen = {Look.SHIFTED: radiometry.offset, Look.NOT_SHIFTED: change.before}.get(look.look)
    if offset is None:
        # Dark grey ground can look shifted. Before the new offset was in use, nothing else would speak for it.
        if seen is None or (seen == radiometry.offset and sensed < change.since):
            raise UnusableError(
                "offset_unknown",
                f"neither offset nor baseline is stated, and the pixels look {look.look.value} ({look.text}). {CURE}",
            )
        return seen, "pixels"
    if seen not in (None, offset):
        raise _conflict([*words, f"an offset of {offset:g} follows; the pixels look {look.look.value} ({look.text})"])
    return offset, rule


def _check_scales(files: Mapping[str, FileRadiometry], radiometry: Reflectance) -> None:
    for name, file in sorted(files.items()):
        # Scale 1 and offset 0 describe the digital numbers themselves.
        if file.scale not in (None, 1.0) and not math.isclose(file.scale or 0.0, radiometry.scale, rel_tol=1e-6):
            raise UnusableError(
                "scale_unexpected", f"the file of {name} states a scale of {file.scale:g}, not {radiometry.scale:g}"
            )


def _stated(
    item: Item, keys: Collection[str], item_assets: Mapping[str, object]
) -> tuple[dict[float, str], dict[float, str]]:
    """The offsets that the item states for its bands, and that its collection states for others of them, with a key."""
    own: dict[float, str] = {}
    inherited: dict[float, str] = {}
    for key in keys:
        described = item_assets.get(key)
        number = stated_number(item["assets"][key], "offset")
        if number is not None:
            # Rounded, because some writers print -0.1 as float32.
            own.setdefault(round(number, 6), key)
        elif isinstance(described, Mapping) and (number := stated_number(described, "offset")) is not None:
            inherited.setdefault(round(number, 6), key)
    return own, inherited


def _places(own: dict[float, str], inherited: dict[float, str]) -> tuple[tuple[str, dict[float, str]], ...]:
    return ("the item", own), ("the collection", inherited)


def _applied(item: Item) -> dict[str, bool]:
    """The flags that the offset is applied to the pixels, under whatever prefix; text counts as what it says."""
    spelled: dict[object, bool] = {"true": True, "false": False}
    flags = {}
    for key, stated in properties(item).items():
        if key.rpartition(":")[2] == "boa_offset_applied":
            flag = spelled.get(stated.lower()) if isinstance(stated, str) else stated
            if isinstance(flag, bool):
                flags[key] = flag
    return flags


def _agreed(numbers: Collection[float], words: Collection[str]) -> None:
    if len(set(numbers)) > 1:
        raise _conflict(words)


def _conflict(words: Collection[str]) -> UnusableError:
    return UnusableError("offset_conflict", f"{'; '.join(words)}. {CURE}")


def _unexpected(detail: str) -> UnusableError:
    return UnusableError("offset_unexpected", f"{detail}. {CURE}")
