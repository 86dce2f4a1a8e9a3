"""The gate: a decision on every tile-month, and nothing unverified past it."""

from pathlib import Path

import pytest
from block_scenes import AROUND, CLOUD, CORNER, MONTH, TILE, Box, SceneSpec, a_programme_of, shaded
from demo_lake import decision, rows, run_months

from mrv_assets.deployment import Deployment
from mrv_assets.errors import GateRefused

CLEAR = Box(row=CORNER - 50, col=CORNER - 50, height=10, width=10)
CLOUDED = Box(row=CORNER - 50, col=CORNER - 20, height=10, width=10)
HALF_CLOUD = SceneSpec(id="s", scl=shaded(AROUND, (CLOUDED, CLOUD)))


def materialized(deployment: Deployment) -> Deployment:
    """The programme with its month in the lake."""
    run_months(deployment, [MONTH])
    return deployment


def test_overlapping_parcels_count_once(tmp_path: Path) -> None:
    """Three parcels over one clear hectare and one over a clouded one: half the ground was seen, not three quarters."""
    boxes = {"a": CLEAR, "b": CLEAR, "c": CLEAR, "d": CLOUDED}

    deployment = materialized(a_programme_of(tmp_path, [HALF_CLOUD], boxes))

    gate = decision(deployment.lake, MONTH)
    assert gate["coverage"] == pytest.approx(0.5, abs=1e-9)
    assert (gate["status"], gate["reasons"]) == ("REJECTED", ["below_tile_coverage"])


def test_coverage_equal_to_the_threshold_passes(tmp_path: Path) -> None:
    """Half seen, half needed: the month passes; the parcel that was not seen does not."""
    deployment = materialized(
        a_programme_of(tmp_path, [HALF_CLOUD], {"a": CLEAR, "d": CLOUDED}, gate={"min_coverage": 0.5})
    )

    assert decision(deployment.lake, MONTH)["status"] == "PASSED"
    found = {parcel: (row["value_status"], row["valid_fraction"]) for parcel, row in rows(deployment, MONTH).items()}
    assert found == {"a": ("ok", 1.0), "d": ("below_coverage", 0.0)}


def test_a_parcel_below_coverage_has_nulls_in_a_month_that_passed(tmp_path: Path) -> None:
    """The parcel gate is the same as the tile's: what was hardly seen has no value, and what was seen is said."""
    spot = Box(row=CORNER - 50, col=CORNER - 20, height=10, width=6)
    scene = SceneSpec(id="s", scl=shaded(AROUND, (spot, CLOUD)))

    deployment = materialized(a_programme_of(tmp_path, [scene], {"a": CLEAR, "d": CLOUDED}))

    row = rows(deployment, MONTH)["d"]
    assert (row["value_status"], row["gate_status"], row["mission"]) == ("below_coverage", "PASSED", "sentinel2")
    assert row["valid_fraction"] == pytest.approx(0.4)
    assert row["observed_area_ha"] == pytest.approx(0.4 * row["parcel_area_ha"])
    assert {value for name, value in row.items() if name.endswith(("_mean", "_std", "_valid_area_ha"))} == {None}


def test_rejected_data_does_not_leave_the_gate(tmp_path: Path) -> None:
    """Opening is refused with the reason; the rows say why, and no raster holds a value."""
    deployment = materialized(a_programme_of(tmp_path, [HALF_CLOUD], {"a": CLEAR, "d": CLOUDED}))

    with pytest.raises(GateRefused, match="below_tile_coverage"):
        deployment.lake.open("sentinel2/gated_tiles", TILE, MONTH)

    found = rows(deployment, MONTH)
    assert {name: row["value_status"] for name, row in found.items()} == {"a": "gate_closed", "d": "no_data"}
    for row in found.values():
        assert (row["gate_status"], row["mission"]) == ("REJECTED", None)
        assert {value for name, value in row.items() if name.endswith(("_mean", "_std", "_valid_area_ha"))} == {None}
    rasters = deployment.lake.open("monthly_proxies", TILE, MONTH)
    assert set(rasters.data_vars) == {"n_obs"}
    assert int(rasters.n_obs.isel(y=slice(5000, 5200), x=slice(5000, 5200)).max()) == 0


def test_the_measured_indices_of_a_rejected_month_can_be_inspected(tmp_path: Path) -> None:
    """What the error suggests works: the indices asset opens, for eyes and not for the inventory."""
    deployment = materialized(a_programme_of(tmp_path, [HALF_CLOUD], {"a": CLEAR, "d": CLOUDED}))

    ndvi = deployment.lake.open("sentinel2/indices", TILE, MONTH).ndvi

    assert float(ndvi[0, CORNER - 45, CORNER - 45]) == pytest.approx(0.75, abs=1e-4)


def test_a_month_in_which_every_scene_is_refused_says_so(tmp_path: Path) -> None:
    """Scenes there were, none could be read: that is another reason than no scenes."""
    deployment = a_programme_of(tmp_path, [HALF_CLOUD], {"a": CLEAR})
    for band in (tmp_path / "catalogue").rglob("*.tif"):
        band.write_bytes(band.read_bytes()[:-200])

    materialized(deployment)

    gate = decision(deployment.lake, MONTH)
    assert (gate["status"], gate["reasons"]) == ("REJECTED", ["all_scenes_refused"])
    assert [refused["code"] for refused in gate["scenes_refused"]] == ["truncated"]
