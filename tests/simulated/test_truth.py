"""Truth comes from the ground, and scenes come near it; both by numpy of the tests' own."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod, Transformer
from shapely.geometry import shape
from simulated_patches import COLLECTIONS, MONTH, a_patch, asking, bands_of, polygons, reflectance, weights

from mrv_assets.errors import ArchiveError
from mrv_assets.simulated.archive import Sentinel2
from mrv_assets.simulated.cover import Cover
from mrv_assets.simulated.landscape import Clearing
from mrv_assets.simulated.parcels import outlines_of, parcels_of
from mrv_assets.simulated.publish import Simulated, simulate
from mrv_assets.simulated.truth import clearings, truth

PARCELS = 6
PIXEL_HA = {"sentinel2": 0.01, "landsat": 0.09}
NIR = {"sentinel2": "nir", "landsat": "nir08"}
INDICES = {"ndvi": 0.01, "evi": 0.01, "nbr": 0.01, "ndmi": 0.01}
"""How far a parcel's mean may be from the truth."""


def indices(mission: str, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The four indices of a scene's files; bands of 20 m repeated to 10 m."""
    band = {name: reflectance(mission, values[name]) for name in ("blue", "red", "nir08", "swir16", "swir22")}
    nir = reflectance(mission, values[NIR[mission]])
    if mission == "sentinel2":
        band |= {name: band[name].repeat(2, 0).repeat(2, 1) for name in ("nir08", "swir16", "swir22")}
    red, blue, narrow = band["red"], band["blue"], band["nir08"]
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "ndvi": (nir - red) / (nir + red),
            "evi": 2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1),
            "nbr": (narrow - band["swir22"]) / (narrow + band["swir22"]),
            "ndmi": (narrow - band["swir16"]) / (narrow + band["swir16"]),
        }


@pytest.mark.parametrize("cover", [Cover.FOREST, Cover.CROP])
@pytest.mark.parametrize("mission", sorted(NIR))
def test_optical_missions_agree_with_the_truth(clear: Simulated, mission: str, cover: Cover) -> None:
    """Parcel means of all four indices within 0.01 of the truth, in every scene that holds the parcel."""
    parcels = parcels_of(clear.archive, PARCELS, cover=cover)
    expected = truth(clear.archive, parcels).set_index("parcel_id")
    compared = 0

    for item in clear.items_of(COLLECTIONS[mission]):
        found = indices(mission, bands_of(clear, item))
        for name, outline in polygons(parcels).items():
            share = weights(clear.folder_of(item) / "red.tif", outline)
            if not np.isclose(share.sum() * PIXEL_HA[mission], expected.area_ha[name], 0.01):
                # This row of the pass has only a part of it.
                continue
            for index, tolerance in INDICES.items():
                mean = (found[index] * share)[share > 0].sum() / share.sum()
                assert mean == pytest.approx(expected[index][name], abs=tolerance), (item["id"], name, index)
                compared += 1

    assert compared >= 2 * PARCELS * len(INDICES)


def test_radar_agrees_with_the_truth(clear: Simulated) -> None:
    """Means of linear power over 10 ha within the 3 % that speckle of four looks leaves, and so their ratio."""
    parcels = parcels_of(clear.archive, PARCELS)
    expected = truth(clear.archive, parcels).set_index("parcel_id")
    items = clear.items_of(COLLECTIONS["sentinel1"])

    for item in items:
        values = bands_of(clear, item)
        for name, outline in polygons(parcels).items():
            share = weights(clear.folder_of(item) / "vv.tif", outline)
            vv, vh = ((values[band] * share).sum() / share.sum() for band in ("vv", "vh"))
            # Four standard errors of the mean of some 1000 pixels.
            assert vv == pytest.approx(expected.vv[name], rel=0.065)
            assert vh == pytest.approx(expected.vh[name], rel=0.065)
            assert 4 * vh / (vv + vh) == pytest.approx(expected.rvi[name], abs=0.08)
    assert len(items) >= 2


def test_speckle_is_as_stated(clear: Simulated) -> None:
    """Over forest, power varies by 1 / looks around the ground's own texture."""
    parcels = parcels_of(clear.archive, 1)
    [outline] = polygons(parcels).values()
    item = clear.items_of(COLLECTIONS["sentinel1"])[0]

    share = weights(clear.folder_of(item) / "vv.tif", outline)
    power = bands_of(clear, item)["vv"][share == 1]

    assert power.size > 800
    assert power.var() / power.mean() ** 2 == pytest.approx(1 / 4, rel=0.15)


def test_the_truth_of_a_parcel_cleared_halfway_is_in_between() -> None:
    """Forest until the 10th, bare for 21 days: weighted by days; shares of cover are those of the last day."""
    archive, parcels = asking(a_patch(months=("2023-06", "2023-07", "2023-08")), 2)
    name = parcels["features"][0]["properties"]["parcel_id"]
    outline = archive.asked[0]
    felled = Clearing(name="a", outline=outline.buffer(10), day=date(2023, 7, 11))
    natural = truth(archive, parcels).set_index(["parcel_id", "month"]).loc[name]

    after = truth(a_patch(months=archive.months, clearings=(felled,)), parcels).set_index(["parcel_id", "month"])

    cut = after.loc[name]
    assert cut.ndvi["2023-06"] == pytest.approx(natural.ndvi["2023-06"], abs=1e-9)
    assert cut.ndvi["2023-08"] < 0.25
    assert (cut.forest["2023-06"], cut.bare["2023-07"], cut.bare["2023-08"]) == (1, 1, 1)
    bare = a_patch(clearings=(Clearing(name="a", outline=outline.buffer(10), day=date(2023, 7, 1)),))
    whole = truth(bare, parcels).set_index("parcel_id").ndvi[name]
    assert cut.ndvi["2023-07"] == pytest.approx((10 * natural.ndvi["2023-07"] + 21 * whole) / 31, abs=1e-9)
    assert cut.cleared_ha.tolist() == [0, pytest.approx(cut.area_ha["2023-07"], rel=1e-4), 0]


def test_a_clearing_has_its_area_and_its_day() -> None:
    """300 m by 200 m in the zone's metres: 6 ha, which on the ellipsoid are a little more or less."""
    archive = a_patch()
    west, south, _, _ = archive.grid.bounds()
    box = shapely.box(west + 500, south + 500, west + 800, south + 700)

    felled = Clearing(name="south", outline=box, day=date(2023, 7, 4))
    [row] = clearings(a_patch(clearings=(felled,))).to_dict("records")

    to_lonlat = Transformer.from_crs(archive.frame, 4326, always_xy=True)
    lons, lats = to_lonlat.transform(*np.array(box.exterior.coords).T)
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(lons, lats)
    assert (row["name"], row["day"]) == ("south", "2023-07-04")
    assert row["area_ha"] == pytest.approx(abs(area) / 1e4, rel=1e-5)
    assert row["area_ha"] == pytest.approx(6, rel=1e-3)


def test_scenes_show_a_clearing_from_its_day_on(tmp_path: Path) -> None:
    """NDVI over the clearing falls between the pass before its day and the pass on it."""
    archive, parcels = asking(a_patch(observers=(Sentinel2(every_days=10),)), 1)
    days = [item["properties"]["datetime"][:10] for item in simulate(tmp_path / "natural", archive).items]
    cut = a_patch(
        observers=archive.observers,
        clearings=(Clearing(name="a", outline=archive.asked[0], day=date.fromisoformat(days[1])),),
    )

    published = simulate(tmp_path / "cut", cut)

    [outline] = polygons(parcels).values()
    means = []
    for item in published.items:
        share = weights(published.folder_of(item) / "red.tif", outline)
        means.append(float((indices("sentinel2", bands_of(published, item))["ndvi"] * share).sum() / share.sum()))
    assert means[0] > 0.8
    assert all(mean < 0.25 for mean in means[1:])


def test_parcels_are_where_their_cover_is() -> None:
    """The best places first, none in another, none at the ground's edge; the same places whatever is cleared."""
    archive = a_patch()

    forest = parcels_of(archive, 8)

    shares = truth(archive, forest).forest.tolist()
    assert min(shares[:4]) > 0.97
    assert truth(archive, parcels_of(archive, 2, cover=Cover.CROP)).forest.max() < 0.5
    outlines = list(outlines_of(forest, archive.frame).values())
    assert shapely.union_all(outlines).area == pytest.approx(sum(one.area for one in outlines))
    inside = shapely.box(*archive.grid.bounds()).buffer(-199)
    assert all(inside.contains(one) for one in outlines)
    clearing = Clearing(name="a", outline=outlines[0], day=date(2023, 7, 1))
    assert parcels_of(a_patch(clearings=(clearing,)), 8) == forest
    assert all(shape(feature["geometry"]).is_valid for feature in forest["features"])


def test_too_many_parcels_are_refused() -> None:
    """With how many there is room for."""
    with pytest.raises(ArchiveError, match=r"parcels 50: The ground has room for 25"):
        parcels_of(a_patch(), 50)


def test_a_month_of_the_archive_is_the_default() -> None:
    """One row a parcel and month; other months can be asked for."""
    archive, parcels = asking(a_patch(), 2)

    assert truth(archive, parcels).month.tolist() == [MONTH] * 2
    winter = truth(archive, parcels, ["2024-01"])
    assert (winter.ndvi.to_numpy() < truth(archive, parcels).ndvi.to_numpy()).all()
