"""Indices as data: a row that could not be computed or stored rightly is refused when it is written."""

from typing import Any

import pytest

from mrv_assets.missions.indices import LARGEST, SpectralIndex

ROW: dict[str, Any] = {"name": "x", "long_name": "an index", "bands": ("nir", "red"), "source": "nobody"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"bands": ("nir", "red", "blue")}, "2 weights for 3 bands"),
        ({"weights": (1.0, 1.0, 1.0)}, "3 weights for 2 bands"),
        ({"bands": ("nir",), "weights": (1.0,)}, "1 weights for 1 bands"),
        ({"bands": ("a", "b", "c", "d"), "weights": (1.0,) * 4}, "4 weights for 4 bands"),
        ({"limit": 4.0}, "its limit 4"),
        ({"limit": 0.0}, "its limit 0"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(row: dict[str, Any], reason: str) -> None:
    """Values beyond what an int16 of ten thousandths can hold would wrap around."""
    with pytest.raises(ValueError, match=f"x: {reason}"):
        SpectralIndex(**{**ROW, **row})


def test_the_largest_limit_can_be_stored() -> None:
    """In an int16, beside the value that means missing."""
    assert round(LARGEST * 10_000) == 2**15 - 1
    assert SpectralIndex(**ROW, limit=LARGEST).limit == LARGEST
