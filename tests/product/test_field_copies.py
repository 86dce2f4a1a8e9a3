"""Scenes that catalogues publish more than once, through a whole month: one scene, one copy."""

from pathlib import Path

import pytest
from field_cases import NDVI, field_month


@pytest.mark.parametrize(
    ("case", "mission", "ndvi", "used", "superseded"),
    [
        ("a5_landsat_processed_twice", "landsat", 0.7610, "20230705_02_T1", "20210310_02_T1"),
        ("a8d_v0_two_copies", "sentinel2", NDVI, "_1_L2A", "_0_L2A"),
        ("a33_deprecated", "sentinel2", NDVI, "_b", "_a"),
    ],
)
def test_the_newest_copy_counts(
    case: str, mission: str, ndvi: float, used: str, superseded: str, tmp_path: Path
) -> None:
    """And the older one is in the record with the rule."""
    month = field_month(case, tmp_path)

    assert month.rows["P1"]["ndvi_mean"] == pytest.approx(ndvi, abs=1e-4)
    [scene] = month.used(mission)
    assert scene.endswith(used)
    [(old, (code, detail))] = month.excluded(mission).items()
    assert old.endswith(superseded)
    assert code == f"superseded_by:{scene}"
    assert detail


def test_halves_of_two_stations_under_one_id_are_both_read(tmp_path: Path) -> None:
    """Each from its own folder: neither half of the ground is lost."""
    month = field_month("a20_two_stations_one_id", tmp_path)

    assert {name: row["ndvi_mean"] for name, row in month.rows.items()} == {
        "LEFT": pytest.approx(NDVI, abs=1e-4),
        "RIGHT": pytest.approx(NDVI, abs=1e-4),
    }
    assert len(month.used()) == 2
    assert len(month.decision()["observations"]) == 1
