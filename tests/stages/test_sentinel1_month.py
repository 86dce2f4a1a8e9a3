"""Sentinel-1 through every stage: power in, filtered where ratios are made, from one side, and re-derived."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from block_scenes import MONTH, TILE, Box
from demo_lake import rows, run_months
from mission_scenes import Look, a_programme_with, around, sentinel1, values_of
from numpy.typing import NDArray
from tampering import quiet

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import Power
from mrv_assets.missions.sentinel1 import SENTINEL1
from mrv_assets.reports.verify import answer as verify
from mrv_assets.science.blocks import BLOCK
from mrv_assets.science.grid import Grid, tile_grid
from mrv_assets.science.speckle import lee
from mrv_assets.verify.verification import Options

assert isinstance(SENTINEL1.radiometry, Power)
LOOKS = SENTINEL1.radiometry.looks
CORNER = 10 * BLOCK
"""Row and column where block (10, 10), the tile's smallest, meets three others."""
PARCEL = Box(row=CORNER + 1, col=CORNER + 1, height=30, width=30)
"""A pixel inside its block: a parcel that touches an edge makes the block beyond it active."""
OTHERS = {
    "b": Box(row=CORNER - 12, col=CORNER + 4, height=8, width=8),
    "c": Box(row=CORNER - 12, col=CORNER - 12, height=8, width=8),
}
MARGIN = 60
EVERYWHERE = Box(row=PARCEL.row - MARGIN, col=PARCEL.col - MARGIN, height=30 + 2 * MARGIN, width=30 + 2 * MARGIN)
"""Where scenes lie unless told otherwise."""
WEST, EAST = (Box(row=PARCEL.row, col=PARCEL.col + step, height=30, width=15) for step in (0, 15))

Json = dict[str, Any]


def own_grid(box: Box = EVERYWHERE) -> Grid:
    """The tile's own pixels in a box: alignment copies them."""
    return around(box, margin=0, pixel=10, offset=0)


def a_month(folder: Path, *looks: Look, boxes: dict[str, Box] | None = None, **changed: Any) -> Deployment:
    """A programme with its month in the lake."""
    deployment = a_programme_with(folder, "sentinel1", looks, boxes or {"p": PARCEL}, **changed)
    run_months(deployment, deployment.months)
    return deployment


def speckled(mean: float, seed: int, grid: Grid) -> NDArray[np.float32]:
    """Backscatter of one field under speckle."""
    random = np.random.default_rng(seed)
    values = mean * random.gamma(LOOKS, 1 / LOOKS, (grid.height, grid.width))
    return np.asarray(values, np.float32)


def a_speckled_look(scene_id: str = "a", seed: int = 1, **more: Any) -> Look:
    """A scene of rough ground."""
    grid = own_grid()
    return sentinel1(scene_id, grid, vv=speckled(0.1, seed, grid), vh=speckled(0.02, seed + 100, grid), **more)


def pixels_of(look: Look, name: str, box: Box) -> NDArray[np.float32]:
    """What a scene on the tile's own grid published in a box."""
    own = tile_grid(TILE)
    row, col = round((look.grid.y0 - own.y0) / -10), round((look.grid.x0 - own.x0) / 10)
    return np.asarray(look.files[name].values[box.row - row :, box.col - col :][: box.height, : box.width])


def record(deployment: Deployment, stage: str) -> Json:
    """A stage's current record."""
    document: Json = deployment.lake.current(Partition(f"sentinel1/{stage}", TILE, MONTH)).document
    return document


def test_a_month_of_radar_gives_its_indices_and_comes_out_identical_again(tmp_path: Path) -> None:
    """VV 0.1 and VH 0.02 on flat ground: 0.2 and 0.6667; no index of reflectance; every bit again."""
    deployment = a_month(tmp_path, sentinel1("a", own_grid()))

    row = rows(deployment, MONTH)["p"]

    assert (row["vh_vv_mean"], row["rvi_mean"]) == pytest.approx((0.2, 0.66667), abs=1e-4)
    assert (row["vh_vv_std"], row["rvi_std"]) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert row["rvi_valid_area_ha"] == pytest.approx(row["parcel_area_ha"])
    assert (row["ndvi_mean"], row["nbr_valid_area_ha"]) == (None, None)
    assert (row["mission"], row["resolution_m"], row["n_obs"], row["value_status"]) == ("sentinel1", 10.0, 1, "ok")
    answer = verify(deployment.lake_path, Options(), again=True, progress=quiet)
    assert answer["verified"]
    assert {one["answer"] for one in answer["rerun"]} == {"IDENTICAL"}


def test_power_is_stored_unfiltered_as_the_publisher_has_it(tmp_path: Path) -> None:
    """aligned_tiles is the product's gamma0, float32, linear, bit for bit where the grids agree; missing is NaN."""
    look = a_speckled_look()
    look.files["vv"].values[MARGIN, MARGIN] = -32768.0
    deployment = a_month(tmp_path, look)

    vv = values_of(deployment, "sentinel1/aligned_tiles", "vv", PARCEL)

    expected = pixels_of(look, "vv", PARCEL).copy()
    expected[expected == -32768.0] = np.nan
    np.testing.assert_array_equal(vv[0], expected)
    assert np.isnan(vv[0, 0, 0])
    assert values_of(deployment, "sentinel1/masked_tiles", "unclear_flags", PARCEL)[0, 0, 0] == Flag.NODATA


@pytest.mark.parametrize("speckle", ["lee7", "none"])
def test_indices_are_ratios_of_filtered_power(speckle: str, tmp_path: Path) -> None:
    """The whole ground filtered at once, then divided, is what a block gives; without a filter it is the ratio."""
    look = a_speckled_look()
    deployment = a_month(tmp_path, look, speckle=speckle)

    found = values_of(deployment, "sentinel1/indices", "vh_vv", PARCEL)[0]

    whole = {name: look.files[name].values[np.newaxis] for name in ("vv", "vh")}
    if speckle == "lee7":
        whole = {name: lee(values, LOOKS) for name, values in whole.items()}
    inner = (0, slice(MARGIN, MARGIN + 30), slice(MARGIN, MARGIN + 30))
    np.testing.assert_allclose(found, whole["vh"][inner] / whole["vv"][inner], rtol=1e-6)
    assert record(deployment, "indices")["plan"]["speckle"]["filter"] == speckle
    if speckle == "none":
        # The lake alone says that there was no filter.
        answer = verify(deployment.lake_path, Options(), again=True, progress=quiet)
        assert {one["answer"] for one in answer["rerun"]} == {"IDENTICAL"}


def test_a_block_s_values_do_not_depend_on_which_neighbours_are_active(tmp_path: Path) -> None:
    """Parcels in the blocks above and across change no bit of this one, up to its edge; nor does layover up there."""
    grid = own_grid()
    mask = np.zeros((grid.height, grid.width), np.uint8)
    mask[MARGIN - 10 : MARGIN, MARGIN - 10 : MARGIN + 20] = 2
    look = a_speckled_look(mask=mask)
    alone = a_month(tmp_path / "alone", look)

    among = a_month(tmp_path / "among", look, boxes={"p": PARCEL, **OTHERS})

    active = [record(deployment, "indices")["plan"]["active_blocks"] for deployment in (alone, among)]
    assert active == [[[10, 10]], [[9, 9], [9, 10], [10, 10]]]
    block = Box(row=CORNER, col=CORNER, height=MARGIN, width=MARGIN)
    for stage, names in (("indices", ("vh_vv", "rvi")), ("masked_tiles", ("unclear_flags",))):
        for name in names:
            first, second = (values_of(deployment, f"sentinel1/{stage}", name, block) for deployment in (alone, among))
            np.testing.assert_array_equal(first, second)
    ours = {name: value for name, value in rows(alone, MONTH)["p"].items() if name != "gate_status"}
    theirs = {name: value for name, value in rows(among, MONTH)["p"].items() if name != "gate_status"}
    assert ours == theirs


def test_layover_is_not_seen_and_reaches_into_no_neighbour(tmp_path: Path) -> None:
    """A slope folded onto itself is a hundred times as bright: unclear, and no part of the filter beside it."""
    grid = own_grid()
    box = Box(row=PARCEL.row + 10, col=PARCEL.col + 10, height=4, width=4)
    mask = np.zeros((grid.height, grid.width), np.uint8)
    folded = (slice(MARGIN + 10, MARGIN + 14),) * 2
    mask[folded] = 3
    vv = np.full((grid.height, grid.width), 0.1, np.float32)
    vv[folded] = 10.0
    deployment = a_month(tmp_path, sentinel1("a", grid, vv=vv, mask=mask), gate={"dilation_px": 3})

    flags = values_of(deployment, "sentinel1/masked_tiles", "unclear_flags", PARCEL)[0]
    ratio = values_of(deployment, "sentinel1/indices", "vh_vv", PARCEL)[0]

    inside = box.slices(PARCEL)
    outside = np.ones(flags.shape, bool)
    outside[inside] = False
    assert np.unique(flags[inside]).tolist() == [Flag.SHADOW | Flag.LAYOVER]
    assert np.unique(flags[outside]).tolist() == [0]
    np.testing.assert_allclose(ratio[outside], 0.2, rtol=1e-6)
    assert np.isnan(ratio[inside]).all()
    assert rows(deployment, MONTH)["p"]["valid_fraction"] == pytest.approx(1 - 16 / 900, abs=1e-6)


@pytest.mark.parametrize(("direction", "kept"), [("descending", ["down"]), ("ascending", ["up-1", "up-2"])])
def test_a_month_looks_from_one_side_only(direction: str, kept: list[str], tmp_path: Path) -> None:
    """The programme's, however many scenes the other side has; those are in the record by name, and the choice is."""
    grid = own_grid()
    looks = [
        sentinel1("up-1", grid, when="2018-07-03T16:30:00Z", orbit="ascending", vv=0.2),
        sentinel1("up-2", grid, when="2018-07-15T16:30:00Z", orbit="ascending", vv=0.2),
        sentinel1("down", grid, when="2018-07-10T04:40:00Z", orbit="descending", vv=0.1),
    ]

    deployment = a_month(tmp_path, *looks, orbit_direction=direction)

    raw = record(deployment, "raw_tiles")
    assert [scene["id"] for scene in raw["inputs"]["items"]] == kept
    assert {code for _, code, _ in raw["inputs"]["excluded"]} == {"orbit_other"}
    assert raw["plan"]["orbit_direction"] == direction
    expected = 0.1 if direction == "ascending" else 0.2
    assert rows(deployment, MONTH)["p"]["vh_vv_mean"] == pytest.approx(expected, abs=1e-5)


def test_slices_of_a_pass_complete_each_other_where_their_swath_ends(tmp_path: Path) -> None:
    """Without a mask the numbers say where a slice ends; in the overlap the lower id counts. Once, not twice."""
    grid = own_grid()
    seam = MARGIN + 15
    first, second = (np.full((grid.height, grid.width), vv, np.float32) for vv in (0.1, 0.2))
    first[:, seam:] = -32768.0
    second[:, : seam - 5] = -32768.0
    one_pass = {"sat:absolute_orbit": 22713}
    looks = [
        sentinel1("b", grid, when="2018-07-10T04:40:25Z", vv=second, vh=second / 5, properties=one_pass),
        sentinel1("a", grid, vv=first, vh=np.where(first < 0, first, first / 5), properties=one_pass),
    ]
    looks[0].files["vh"].values[second < 0] = -32768.0

    deployment = a_month(tmp_path, *looks, speckle="none")

    vv = values_of(deployment, "sentinel1/aligned_tiles", "vv", PARCEL)
    assert vv.shape[0] == 1
    np.testing.assert_allclose(vv[0, :, :15], 0.1)
    np.testing.assert_allclose(vv[0, :, 15:], 0.2)
    row = rows(deployment, MONTH)["p"]
    assert (row["n_obs"], row["valid_fraction"]) == (1, 1.0)


def test_coverage_ends_with_the_swath(tmp_path: Path) -> None:
    """A parcel half beyond it is half seen, and rejected for that."""
    grid = own_grid()
    vv = np.full((grid.height, grid.width), 0.1, np.float32)
    vv[:, MARGIN + 15 :] = np.nan
    deployment = a_month(tmp_path, sentinel1("a", grid, vv=vv))

    decision = json.loads(
        (deployment.lake.current(Partition("sentinel1/gated_tiles", TILE, MONTH)).data / "decision.json").read_bytes()
    )

    assert (decision["status"], decision["coverage"]) == ("REJECTED", 0.5)
    assert rows(deployment, MONTH)["p"]["rvi_mean"] is None


def test_a_look_of_one_polarization_leaves_ratios_to_the_others(tmp_path: Path) -> None:
    """VV alone is seen and has no ratio; when the month has nothing else, both indices are unavailable and say why."""
    grid = own_grid()
    alone = sentinel1("vv-only", grid, vh=None)
    both = sentinel1("both", grid, when="2018-07-22T04:40:00Z")
    mixed = a_month(tmp_path / "mixed", alone, both)

    without = a_month(tmp_path / "without", alone)

    assert rows(mixed, MONTH)["p"]["vh_vv_mean"] == pytest.approx(0.2, abs=1e-6)
    assert rows(mixed, MONTH)["p"]["n_obs"] == 2
    unavailable = record(without, "indices")["output"]["attrs"]["unavailable"]
    assert unavailable == dict.fromkeys(("vh_vv", "rvi"), "no scene of the month publishes vh")
    assert rows(without, MONTH)["p"]["value_status"] == "unavailable"


def test_another_filter_computes_indices_anew_and_nothing_before(tmp_path: Path) -> None:
    """The filter belongs to indices: power and masks stay what they are, and old indices are not gated as new."""
    look = a_speckled_look()
    before = a_month(tmp_path, look)
    hashes = before.current_hashes(TILE, MONTH)
    assert hashes is not None

    after = a_month(tmp_path, look, speckle="none")

    now = after.current_hashes(TILE, MONTH)
    assert now is not None
    same = {name.rpartition("/")[2] for name in hashes if hashes[name] == now[name]}
    assert same == {"raw_tiles", "aligned_tiles", "masked_tiles"}
