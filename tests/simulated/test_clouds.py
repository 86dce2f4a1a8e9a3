"""Clouds cover what they are asked to cover, and nothing else changes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from simulated_patches import (
    COLLECTIONS,
    MONTH,
    UNCLEAR,
    a_patch,
    bands_of,
    polygons,
    reflectance,
    weights,
)

from mrv_assets.science.grid import Window
from mrv_assets.simulated.archive import Archive, Landsat, Sentinel2
from mrv_assets.simulated.parcels import feature_collection
from mrv_assets.simulated.publish import Simulated, scenes_of
from mrv_assets.simulated.scene import SimulatedScene

OPTICAL = sorted(UNCLEAR)
PIXELS_A_CLASS = {"sentinel2": 4, "landsat": 1}
"""How many of red's pixels one of the quality band's covers."""
OBSERVERS = {"sentinel2": Sentinel2(every_days=5), "landsat": Landsat(every_days=8)}


def unclear(mission: str, values: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Cloud or shadow, by the band that tells."""
    band, codes = UNCLEAR[mission]
    return np.isin(values[band], codes)


def pixels_of(scene: SimulatedScene) -> Mapping[str, NDArray[Any]]:
    return scene.pixels(Window(0, 0, scene.grid.height, scene.grid.width))


def first_scene(archive: Archive, mission: str, share: float) -> SimulatedScene:
    """A month's first scene with such a share of clouds."""
    observer = replace(OBSERVERS[mission], clouds=share)
    return scenes_of(replace(archive, observers=(observer,)), observer, MONTH)[0]


@pytest.mark.parametrize("mission", OPTICAL)
def test_every_scene_has_its_share_over_the_parcels(clouded: Simulated, mission: str) -> None:
    """40 and 60 % of the parcels' area within a percentage point, measured in the files by outlines in degrees."""
    band, _ = UNCLEAR[mission]
    expected = {"sentinel2": 0.4, "landsat": 0.6}[mission]
    asked = {str(number): outline for number, outline in enumerate(clouded.archive.asked)}
    parcels = polygons(feature_collection(asked, clouded.archive.frame))
    passes: dict[str, list[tuple[float, float]]] = {}

    for item in clouded.items_of(COLLECTIONS[mission]):
        values = bands_of(clouded, item)
        share = sum(weights(clouded.folder_of(item) / f"{band}.tif", outline) for outline in parcels.values())
        seen = (float((share * unclear(mission, values)).sum()), float(share.sum()))
        passes.setdefault(item["properties"]["datetime"][:10], []).append(seen)

    # Rows of one pass overlap: the one that holds all parcels speaks for it.
    shares = [max(rows, key=lambda row: row[1]) for rows in passes.values()]
    assert len(shares) >= 2
    for covered, area in shares:
        assert abs(covered / area - expected) < 0.01


@pytest.mark.parametrize("mission", OPTICAL)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9, 0.99])
def test_without_parcels_a_share_is_of_all_the_ground(mission: str, share: float) -> None:
    """Within a percentage point of the scene's pixels over the ground."""
    archive = a_patch()

    scene = first_scene(archive, mission, share)

    found = unclear(mission, pixels_of(scene))
    west, south, east, north = archive.grid.bounds()
    x, y = scene.grid.x[np.newaxis, :], scene.grid.y[:, np.newaxis]
    ground = (x > west) & (x < east) & (y > south) & (y < north)
    assert abs(found[ground].mean() - share) < 0.01


@pytest.mark.parametrize("mission", OPTICAL)
def test_nothing_and_everything_hold_everywhere(mission: str) -> None:
    """A share of 0 leaves no pixel unclear, a share of 1 leaves none clear, beyond the ground too."""
    archive = a_patch()

    none, everything = (pixels_of(first_scene(archive, mission, share)) for share in (0.0, 1.0))

    outside = everything["red"] == 0
    assert not unclear(mission, none).any()
    assert unclear(mission, everything).sum() == (~outside).sum() // PIXELS_A_CLASS[mission]


@pytest.mark.parametrize("mission", OPTICAL)
def test_clouds_brighten_shadows_darken_and_clear_pixels_are_untouched(mission: str) -> None:
    """What the quality band calls clear has in every band the numbers of a clear sky."""
    archive = a_patch()
    shadow = {"sentinel2": 3, "landsat": 23888}[mission]

    clear, hazy = (pixels_of(first_scene(archive, mission, share)) for share in (0.0, 0.5))

    band, _ = UNCLEAR[mission]
    for name in ("blue", "red", "nir08", "swir16", "swir22"):
        times = hazy[name].shape[0] // hazy[band].shape[0]
        quality = hazy[band].repeat(times, axis=0).repeat(times, axis=1)
        valid = hazy[name] > 0
        cloud, shade = np.isin(quality, UNCLEAR[mission][1]) & (quality != shadow), quality == shadow
        before, after = (reflectance(mission, values[name]) for values in (clear, hazy))
        np.testing.assert_array_equal(after[~cloud & ~shade], before[~cloud & ~shade])
        assert (after[cloud & valid] > before[cloud & valid] + 0.01).all()
        bright = shade & valid & (before > 0.02)
        assert bright.sum() > 10
        assert (after[bright] < before[bright]).all()


def test_a_shadow_lies_where_its_cloud_was_moved_to() -> None:
    """Every shadow is a piece of a cloud, 90 m to the west and 130 m to the north; in the south to the south."""
    for tile, north in (("34TER", 13), ("20LKP", -13)):
        scene = first_scene(a_patch(tile=tile), "sentinel2", 0.5)
        scl = pixels_of(scene)["scl"].repeat(2, axis=0).repeat(2, axis=1)

        shadow, cloud = scl == 3, np.isin(scl, (8, 9))

        # To the ground's pixel (row, col) comes what the cloud at (row + 13, col + 9) keeps off.
        moved = np.roll(cloud, (-north, -9), axis=(0, 1))
        interior = (slice(20, -20), slice(20, -20))
        agree = (moved & ~cloud)[interior] == shadow[interior]
        assert shadow[interior].mean() > 0.02
        # 130 and 90 m are no multiples of 20 m: edges may differ by a pixel.
        assert agree.mean() > 0.97


def test_the_sky_is_another_each_day_and_for_each_mission() -> None:
    """Two passes, and two missions, do not see the same clouds; the same pass does twice."""
    archive = a_patch()
    observer = Sentinel2(every_days=10, clouds=0.5)

    first, second, *_ = scenes_of(archive, observer, MONTH)
    again = scenes_of(archive, observer, MONTH)[0]

    skies = [unclear("sentinel2", pixels_of(scene)) for scene in (first, second, again)]
    assert 0.2 < (skies[0] != skies[1]).mean() < 0.8
    np.testing.assert_array_equal(skies[0], skies[2])


def test_cloud_probability_agrees_with_the_classes() -> None:
    """At least 40 percent under every cloud, below 5 everywhere else, shadows among them."""
    values = pixels_of(first_scene(a_patch(), "sentinel2", 0.5))

    cloud = np.isin(values["scl"], (8, 9))
    assert values["cloud"][cloud].min() >= 40
    assert values["cloud"][~cloud].max() < 5


def test_radar_sees_through_clouds(clear: Simulated, clouded: Simulated) -> None:
    """Sentinel-1's files are the same bytes whatever the sky."""
    for before, after in zip(
        clear.items_of(COLLECTIONS["sentinel1"]), clouded.items_of(COLLECTIONS["sentinel1"]), strict=True
    ):
        assert before["assets"] == after["assets"]


def test_a_month_that_is_not_named_has_a_clear_sky() -> None:
    """Shares by month say nothing of other months."""
    observer = Sentinel2(every_days=15, clouds={"2023-08": 1.0})
    archive = a_patch(months=("2023-07", "2023-08"), observers=(observer,))

    seen = {month: unclear("sentinel2", pixels_of(scenes_of(archive, observer, month)[0])) for month in archive.months}

    assert not seen["2023-07"].any()
    assert seen["2023-08"].all()
