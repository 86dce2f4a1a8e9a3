"""The offset of reflectance: all that is known of it agrees, or the scene is refused."""

import os
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from scene_builders import Item, earth_search_l2a, planetary_computer

from mrv_assets.missions.mission import Reflectance
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.conditions import UnusableError
from mrv_assets.scenes.offset import FileRadiometry, OffsetDecision, Settled, boa_offset, settle
from mrv_assets.scenes.offset_check import Look, OffsetLook, dn_counts, offset_look
from mrv_assets.scenes.select import select

RADIOMETRY = SENTINEL2.radiometry
assert isinstance(RADIOMETRY, Reflectance)
BEFORE, AFTER = datetime(2022, 1, 24, 23, 59, tzinfo=UTC), datetime(2022, 1, 25, tzinfo=UTC)
KEYS = ("red", "nir")
NOTHING = FileRadiometry(scale=None, offset=None)


def stating(*offsets: float | None, **properties: object) -> Item:
    """An item whose red and nir state these offsets."""
    assets = {
        key: {"href": f"{key}.tif", **({} if offset is None else {"raster:bands": [{"offset": offset}]})}
        for key, offset in zip(KEYS, offsets, strict=True)
    }
    return {"id": "a", "assets": assets, "properties": {name.replace("__", ":"): p for name, p in properties.items()}}


def decided(item: Item, **how: Any) -> OffsetDecision:
    """The decision before any file is read."""
    return boa_offset(item, KEYS, RADIOMETRY, **how)


def settled(decision: OffsetDecision, look: Look, sensed: datetime = BEFORE, file: FileRadiometry = NOTHING) -> Settled:
    """The decision after it, for pixels that look like this."""
    return settle(decision, sensed, dict.fromkeys(KEYS, file), OffsetLook(look=look, text="numbers"), RADIOMETRY)


def refusal(work: Any) -> UnusableError:
    """Why something is refused."""
    with pytest.raises(UnusableError) as caught:
        work()
    return caught.value


def test_an_applied_offset_wins_over_the_product_s() -> None:
    """Earth Search states -0.1 on pixels it has shifted already; believing it would shift them twice."""
    keys = ("red", "nir")

    decision = boa_offset(earth_search_l2a(), keys, RADIOMETRY)

    assert (decision.offset, decision.rule) == (0.0, "boa_offset_applied")


@pytest.mark.parametrize("flag", [True, "true"])
@pytest.mark.parametrize("prefix", ["earthsearch", "sentinel", "s2"])
def test_the_flag_counts_under_every_prefix(prefix: str, flag: object) -> None:
    """Version 0 of Earth Search calls it sentinel:."""
    item = stating(None, None, **{f"{prefix}__boa_offset_applied": flag, "s2__processing_baseline": "05.09"})

    assert decided(item).offset == 0.0


def test_a_flag_of_false_leaves_it_to_the_baseline() -> None:
    """It says only that the product's offset is still to be applied."""
    item = stating(None, None, sentinel__boa_offset_applied=False, sentinel__processing_baseline="05.00")

    assert (decided(item).offset, decided(item).rule) == (-0.1, "baseline")


@pytest.mark.parametrize(("baseline", "offset"), [("03.01", 0.0), ("04.00", -0.1), ("05.11", -0.1)])
def test_with_nothing_stated_the_baseline_decides(baseline: str, offset: float) -> None:
    """From 04.00 on there is an offset, also on old scenes processed again."""
    decision = boa_offset(planetary_computer(baseline=baseline), ("B04", "B08"), RADIOMETRY)

    assert (decision.offset, decision.rule) == (offset, "baseline")


@pytest.mark.parametrize(
    "item",
    [
        stating(0.0, 0.0, s2__processing_baseline="05.00"),
        stating(-0.1, -0.1, s2__processing_baseline="02.14"),
        stating(-0.1, 0.0),
        stating(-0.1, -0.1, earthsearch__boa_offset_applied=True, s2__processing_baseline="02.14"),
        stating(None, None, earthsearch__boa_offset_applied=True, sentinel__boa_offset_applied=False),
        stating(None, None, s2__processing_baseline="02.14", sentinel__processing_baseline="05.00"),
    ],
)
def test_statements_that_disagree_refuse_the_scene(item: Item) -> None:
    """Nothing is guessed, and the reader is told both numbers and what can be done."""
    doubt = refusal(lambda: decided(item))

    assert doubt.code == "offset_conflict"
    assert "state it in the programme file as the mission's offset" in doubt.detail


@pytest.mark.parametrize("stated", [0.1, -0.2, -1000, 1e308, -0.05003])
def test_an_offset_that_the_product_never_had_is_refused(stated: float) -> None:
    """A reversed sign, an offset in digital numbers, and anything else."""
    doubt = refusal(lambda: decided(stating(stated, stated, s2__processing_baseline="05.09")))

    assert doubt.code == "offset_unexpected"
    assert f"{stated:g}" in doubt.detail


def test_one_band_stating_is_enough() -> None:
    """A band that states nothing contradicts nothing."""
    assert decided(stating(None, -0.1)).offset == -0.1


@pytest.mark.parametrize(
    "asset", [{"bands": [{"name": "B04", "raster:offset": -0.1}]}, {"raster:offset": -0.1}], ids=["band", "asset"]
)
def test_stac_1_1_states_it_elsewhere(asset: Item) -> None:
    """STAC 1.1 keeps the offset with the band, or with the asset of one band."""
    assert boa_offset({"assets": {"red": asset}}, ["red"], RADIOMETRY).rule == "stated"


def test_the_collection_states_it_for_items_that_do_not() -> None:
    """An item's own statement replaces it; a baseline that contradicts it does not."""
    described = {"red": {"raster:offset": -0.1}, "nir": {"raster:offset": -0.1}}

    assert decided(stating(None, None), item_assets=described).rule == "collection"
    assert decided(stating(0.0, 0.0), item_assets=described).offset == 0.0
    doubt = refusal(lambda: decided(stating(None, None, s2__processing_baseline="02.08"), item_assets=described))
    assert doubt.code == "offset_conflict"


@pytest.mark.parametrize("stated", ["-0.1", True, None])
def test_only_a_number_is_an_offset(stated: object) -> None:
    """Anything else was not stated."""
    item = {"assets": {"red": {"raster:bands": [{"offset": stated}]}}}

    assert boa_offset(item, ["red"], RADIOMETRY).rule == "unsettled"


def test_an_offset_printed_as_float32_is_the_same() -> None:
    """-0.10000000149 is what a float32 of -0.1 prints as."""
    assert decided(stating(-0.10000000149011612, -0.1)).offset == -0.1


@pytest.mark.parametrize(
    ("file", "offset"),
    [
        (FileRadiometry(scale=1e-4, offset=-0.1), -0.1),
        (FileRadiometry(scale=1e-4, offset=0.0), 0.0),
    ],
)
def test_a_file_s_own_statement_decides_where_there_is_no_other(file: FileRadiometry, offset: float) -> None:
    """GDAL keeps scale and offset in the GeoTIFF."""
    found = settled(decided(stating(None, None)), Look.UNDECIDED, file=file)

    assert (found.offset, found.rule) == (offset, "file")


@pytest.mark.parametrize("stated", [0.0, None])
def test_scale_one_states_nothing(stated: float | None) -> None:
    """It describes the digital numbers, not the reflectance."""
    file = FileRadiometry(scale=1.0, offset=stated)

    assert settled(decided(stating(-0.1, -0.1)), Look.UNDECIDED, file=file).offset == -0.1


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (FileRadiometry(scale=1e-4, offset=-0.1), "offset_conflict"),
        (FileRadiometry(scale=1e-4, offset=0.1), "offset_unexpected"),
        (FileRadiometry(scale=1e-3, offset=None), "scale_unexpected"),
        (FileRadiometry(scale=0.0, offset=None), "scale_unexpected"),
    ],
)
def test_a_file_that_contradicts_its_item_refuses_the_scene(file: FileRadiometry, code: str) -> None:
    """The item states 0."""
    assert refusal(lambda: settled(decided(stating(0.0, 0.0)), Look.UNDECIDED, file=file)).code == code


@pytest.mark.parametrize(("item", "look"), [(stating(-0.1, -0.1), Look.NOT_SHIFTED), (stating(0.0, 0.0), Look.SHIFTED)])
def test_pixels_that_contradict_what_is_stated_refuse_the_scene(item: Item, look: Look) -> None:
    """With what was stated, and with what the pixels show."""
    doubt = refusal(lambda: settled(decided(item), look))

    assert doubt.code == "offset_conflict"
    assert f"the pixels look {look.value} (numbers)" in doubt.detail
    assert "the item states" in doubt.detail


@pytest.mark.parametrize(
    ("sensed", "look", "offset"),
    [
        (BEFORE, Look.NOT_SHIFTED, 0.0),
        (AFTER, Look.NOT_SHIFTED, 0.0),
        (AFTER, Look.SHIFTED, -0.1),
        (BEFORE, Look.SHIFTED, None),
        (BEFORE, Look.UNDECIDED, None),
        (AFTER, Look.UNDECIDED, None),
    ],
)
def test_with_nothing_stated_the_pixels_have_to_decide(sensed: datetime, look: Look, offset: float | None) -> None:
    """The date proves nothing, since the archive was processed again; grey ground of an old scene can look shifted."""
    decision = decided(stating(None, None))

    if offset is None:
        assert refusal(lambda: settled(decision, look, sensed)).code == "offset_unknown"
    else:
        found = settled(decision, look, sensed)
        assert (found.offset, found.rule, found.dn_shift) == (offset, "pixels", 0 if offset else 1000)


@pytest.mark.parametrize("stated", [0.0, -0.1])
def test_the_programme_s_own_offset_overrules_all_and_keeps_the_doubt(stated: float) -> None:
    """Somebody found out; what speaks against it stays with the scene as a finding."""
    item = stating(0.1, 0.1, s2__processing_baseline="02.14", earthsearch__boa_offset_applied=True)
    contrary = Look.SHIFTED if stated == 0.0 else Look.NOT_SHIFTED

    found = settled(decided(item, programme=stated), contrary, AFTER)

    assert (found.offset, found.rule) == (stated, "programme")
    assert [finding.partition(":")[0] for finding in found.findings] == ["offset_unexpected", "offset_conflict"]
    assert all(finding.endswith(f"the programme file decided on {stated:g}") for finding in found.findings)


def test_a_product_that_never_changed_has_one_offset() -> None:
    """A statement of another is a conflict."""
    landsat = Reflectance(scale=2.75e-5, offset=-0.2, nodata=0, saturated=65535)

    assert boa_offset(stating(None, None), KEYS, landsat).rule == "mission"
    assert refusal(lambda: boa_offset(stating(0.0, 0.0), KEYS, landsat)).code == "offset_unexpected"


# What docs/catalogues.md says, written down once more: each place with what it can hold.

MIXTURES = {"fuzz": 5_000, "nightly": 100_000}
TRUTHS: Mapping[str, tuple[float, float | None]] = {"old": (0.0, 0.0), "new": (-0.1, -0.1), "applied": (0.0, -0.1)}
"""The right offset, and the offset of the product before its catalogue changed it."""
OLD, NEW = ("02.08", "03.01", 2.08, "3.1", "N0214"), ("04.00", "05.09", 5.0, "5.0", "N0511", 509)


def test_mixed_dialects_are_right_or_refused() -> None:
    """Random mixtures of all seven places, honest and not: one honest statement is enough to keep a lie out."""
    chance = random.Random(20260612)
    outcomes = {"right": 0, "refused": 0, "deceived": 0}
    for _ in range(MIXTURES[os.environ.get("HYPOTHESIS_PROFILE", "fuzz")]):
        outcomes[_mixture(chance)] += 1
    assert outcomes["right"] > 500
    assert outcomes["refused"] > 500


def _mixture(chance: random.Random) -> str:
    truth = chance.choice(sorted(TRUTHS))
    right, product = TRUTHS[truth]
    honest_evidence = False
    lies = False

    def pick(honest: Any, lie: Any, *, speaks: bool = True) -> Any:
        nonlocal honest_evidence, lies
        kind = chance.choices(["none", "honest", "lie"], [6, 3, 1])[0]
        if kind == "none":
            return None
        if kind == "lie":
            lies = True
            return lie
        honest_evidence |= speaks
        return honest

    contrary = {0.0: -0.1, -0.1: chance.choice([0.0, 0.1])}
    own = pick(
        product if truth != "applied" else chance.choice([-0.1, 0.0]), contrary[right], speaks=truth != "applied"
    )
    baseline = pick(chance.choice(OLD if truth == "old" else NEW), chance.choice(NEW if truth == "old" else OLD))
    name = pick("N0208" if truth == "old" else "N0500", "N0500" if truth == "old" else "N0208")
    # An item's own statement stands in place of its collection's.
    collection = pick(product, contrary[right], speaks=truth != "applied" and own is None)
    file = pick(right, contrary[right])
    flag: object = {"applied": True}.get(truth, chance.choice([None, False]))
    if chance.random() < 0.05:
        flag, lies = truth != "applied", True
    properties: dict[str, Any] = {}
    if baseline is not None:
        properties[chance.choice(["s2__processing_baseline", "sentinel__processing_baseline"])] = baseline
    if name is not None:
        properties["s2__product_uri"] = f"S2B_MSIL2A_20210703T093039_{name}_R136_T34TER_20230203T111111.SAFE"
    if flag is not None:
        properties[chance.choice(["earthsearch__boa_offset_applied", "sentinel__boa_offset_applied"])] = flag
    item = stating(own, own, **properties)
    described = {} if collection is None else {key: {"raster:bands": [{"offset": collection}]} for key in KEYS}
    look = _look(chance, right)
    stated = NOTHING if file is None else FileRadiometry(scale=1e-4, offset=file)
    try:
        sensed = chance.choice([BEFORE, AFTER]) if truth == "old" or chance.random() < 0.5 else AFTER
        decision = _selected(item, described, sensed, chance)
        found = settle(decision, sensed, dict.fromkeys(KEYS, stated), look, RADIOMETRY)
    except UnusableError:
        return "refused"
    if found.offset == right:
        return "right"
    # A catalogue that lies about the flag, or in all that it says, deceives where its pixels tell nothing.
    assert lies, (truth, item, described, stated, look, found)
    assert look.look is Look.UNDECIDED
    assert flag is (truth != "applied") or not honest_evidence, (truth, item, described, stated, found)
    return "deceived"


def _selected(item: Item, described: Item, sensed: datetime, chance: random.Random) -> OffsetDecision:
    """The decision on an item that was selected, under some id; raises what it was left out for."""
    whole = {
        **item,
        "id": chance.choice(["a", "S2B_34TER_20220124_0_L2A", "T34TER_20220124T093039", "s2-l2a-1"]),
        "bbox": [21.0, 45.0, 22.0, 46.0],
        "assets": {**item["assets"], "scl": {"href": "scl.tif"}},
    }
    whole["properties"]["datetime"] = sensed.isoformat()
    selection = select([whole], SENTINEL2, f"{sensed:%Y-%m}", item_assets=described)
    for excluded in selection.excluded:
        raise UnusableError(excluded.code, excluded.detail)
    [[scene]] = [observation.scenes for observation in selection.observations]
    assert scene.offset is not None
    return scene.offset


def _look(chance: random.Random, right: float) -> OffsetLook:
    """Pixels of dark or of bright ground, published with the right offset."""
    dark = chance.random() < 0.5
    shift = 1000 if right else 0
    counts = {}
    for band, reflectance in (("blue", 0.01 if dark else 0.4), ("red", 0.015 if dark else 0.5)):
        dn = np.full(2_000, round(reflectance * 1e4) + shift, np.uint16)
        counts[band] = dn_counts(dn)
    return offset_look(counts, RADIOMETRY)


def test_the_profiles_of_mixtures_are_those_that_there_are() -> None:
    """A profile under another name would leave the mixtures out."""
    assert all(settings.get_profile(name) for name in MIXTURES)
