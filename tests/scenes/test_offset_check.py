"""Whether pixels look as their offset says: on ground of every kind, published in both conventions."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.scenes.offset_check import Look, OffsetLook, dn_counts, offset_look

RADIOMETRY = SENTINEL2.radiometry
DEMO = Path(__file__).parents[2] / "mrv_assets" / "demo" / "catalogue"
STEP = 1000
"""What the offset of -0.1 adds to a digital number: 0.1 / 1e-4."""

DN = NDArray[np.uint16]


def ground(blue: tuple[float, float], red: tuple[float, float], pixels: int = 20_000) -> dict[str, DN]:
    """Bands of ground whose reflectance is normal with this mean and deviation, published without an offset.

    Below DN 1 the older baselines cut off; 0 is nodata.
    """
    chance = np.random.default_rng(34)
    drawn = {"blue": blue, "red": red}
    return {
        name: np.clip(np.rint(chance.normal(*shape, pixels) * 1e4), 1, 20_000).astype(np.uint16)
        for name, shape in drawn.items()
    }


FOREST = ground(blue=(0.02, 0.005), red=(0.025, 0.006))
WATER = ground(blue=(0.02, 0.006), red=(0.004, 0.004))
CROPS = ground(blue=(0.05, 0.02), red=(0.07, 0.03))
SNOW = ground(blue=(0.7, 0.1), red=(0.68, 0.1))
CLOUD = ground(blue=(0.45, 0.07), red=(0.42, 0.06))
DESERT = ground(blue=(0.16, 0.02), red=(0.33, 0.04))
SOIL = ground(blue=(0.08, 0.01), red=(0.16, 0.02))


def shifted(bands: Mapping[str, DN]) -> dict[str, DN]:
    """The same ground, published with the offset; nodata stays nodata."""
    return {name: np.where(dn > 0, dn + np.uint16(STEP), 0).astype(np.uint16) for name, dn in bands.items()}


def look_of(bands: Mapping[str, DN]) -> OffsetLook:
    return offset_look({name: dn_counts(dn) for name, dn in bands.items()}, RADIOMETRY)


@pytest.mark.parametrize("bands", [FOREST, WATER, CROPS], ids=["forest", "water", "crops"])
def test_dark_ground_without_an_offset_looks_not_shifted(bands: dict[str, DN]) -> None:
    """Next to nothing is reflected, and the digital numbers next to nothing are there."""
    assert look_of(bands).look is Look.NOT_SHIFTED


@pytest.mark.parametrize("bands", [FOREST, WATER], ids=["forest", "water"])
def test_dark_ground_with_an_offset_looks_shifted(bands: dict[str, DN]) -> None:
    """The same ground is as dense above DN 1000 as it was above 0, and nothing is left below."""
    assert look_of(shifted(bands)).look is Look.SHIFTED


@pytest.mark.parametrize("bands", [SNOW, CLOUD, DESERT, SOIL], ids=["snow", "cloud", "desert", "soil"])
@pytest.mark.parametrize("publish", [dict, shifted], ids=["without", "with"])
def test_ground_that_is_bright_all_over_could_be_either(bands: dict[str, DN], publish: Any) -> None:
    """With nothing dark to see, bright ground without an offset is as bright as darker ground with one."""
    assert look_of(publish(bands)).look is Look.UNDECIDED


def test_a_lake_in_the_desert_tells() -> None:
    """A twentieth of dark pixels is enough to see that there is no offset."""
    bands = {name: np.concatenate([DESERT[name], WATER[name][:1500]]) for name in DESERT}

    assert look_of(bands).look is Look.NOT_SHIFTED


def test_shade_that_was_corrected_too_far_is_still_shifted() -> None:
    """Reflectance below zero, which the offset is there to keep, is no sign that it is missing."""
    bands = ground(blue=(0.015, 0.006), red=(0.015, 0.006))
    published = {name: dn + np.uint16(STEP) for name, dn in bands.items()}
    published["blue"][:600] = 920

    assert look_of(published).look is Look.SHIFTED


def test_bands_that_disagree_say_nothing() -> None:
    """Blue of a hazy desert can look shifted; red of the same ground does not."""
    mixed = {"blue": shifted(FOREST)["blue"], "red": DESERT["red"]}
    contrary = {"blue": shifted(FOREST)["blue"], "red": FOREST["red"]}

    assert look_of(mixed).look is Look.UNDECIDED
    assert look_of(contrary).look is Look.UNDECIDED


def test_a_missing_band_or_few_pixels_say_nothing() -> None:
    """And the text says which."""
    alone = look_of({"red": FOREST["red"]})
    few = look_of({name: dn[:999] for name, dn in FOREST.items()})

    assert (alone.look, few.look) == (Look.UNDECIDED, Look.UNDECIDED)
    assert "no blue" in alone.text
    assert few.text == "blue: 999 pixels; red: 999 pixels"


def test_nodata_is_no_dark_ground() -> None:
    """A scene's empty corner is 0 in every convention."""
    bands = {name: np.concatenate([dn, np.zeros(100_000, np.uint16)]) for name, dn in shifted(FOREST).items()}

    assert look_of(bands) == look_of(shifted(FOREST))


def test_counts_of_parts_add_up() -> None:
    """A band is read COG tile by COG tile."""
    red = FOREST["red"].reshape(100, 200)

    parts = dn_counts(red[:40]) + dn_counts(red[40:, :7]) + dn_counts(red[40:, 7:])

    np.testing.assert_array_equal(parts, dn_counts(red))
    assert parts.sum() == red.size


def test_the_numbers_are_those_of_the_pixels() -> None:
    """Share below the floor and dark end, by hand: 60 of 1000 pixels below 800, the tenth darkest is 109."""
    dn = np.concatenate([np.arange(100, 160), np.full(940, 3000)]).astype(np.uint16)

    look = look_of({"blue": dn, "red": dn})

    assert look.look is Look.NOT_SHIFTED
    assert look.text == "; ".join(
        f"{name}: 6.00% of 1000 pixels below DN 800, darkest 1% up to DN 109" for name in ("blue", "red")
    )


def test_a_mission_without_evidence_is_not_judged() -> None:
    """A product that never changed its offset has nothing to be told by."""
    constant = replace(RADIOMETRY, offset_change=None)
    counts = {name: dn_counts(dn) for name, dn in FOREST.items()}

    assert offset_look(counts, constant).look is Look.UNDECIDED


def bands_of(folder: Path, blue: str, red: str) -> dict[str, DN]:
    bands = {}
    for name, file in (("blue", blue), ("red", red)):
        with rasterio.open(folder / file) as source:
            bands[name] = source.read(1)
    return bands


def test_of_the_demo_s_year_no_scene_is_misjudged() -> None:
    """Real forest in snow, leaf, haze and cloud: every scene is told right or left undecided, most are told."""
    folders = sorted(path.parent for path in DEMO.glob("2018/*/*/B2.tif"))
    published = [bands_of(folder, "B2.tif", "B4.tif") for folder in folders]

    without = [look_of(bands).look for bands in published]
    beside = [look_of(shifted(bands)).look for bands in published]

    assert len(folders) == 34
    assert Look.SHIFTED not in without
    assert Look.NOT_SHIFTED not in beside
    assert without.count(Look.NOT_SHIFTED) == 25
    assert beside.count(Look.SHIFTED) == 16


def test_a_real_desert_is_undecided() -> None:
    """Its blue alone would pass for dark ground with an offset: 1 % is at or below DN 1012."""
    root = os.environ.get("MRV_REAL_DATA")
    if not root:
        pytest.skip("MRV_REAL_DATA does not name the folder of real data")
    bands = bands_of(Path(root) / "s2_cog_29RKH_20200219", "B02.tif", "B04.tif")

    assert look_of(bands).look is Look.UNDECIDED
    assert look_of(shifted(bands)).look is Look.UNDECIDED
