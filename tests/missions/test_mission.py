"""A mission's description says all of it: what is left out could change a number unseen."""

import json
from dataclasses import replace
from typing import Any

import pytest

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import BitQuality, ClassQuality, FoundBy, Mission, ProbabilityQuality, described
from mrv_assets.missions.sentinel2 import SENTINEL2

SCL, QA60, CLOUD = (SENTINEL2.quality[name] for name in ("scl", "qa60", "cloud_probability"))
assert isinstance(SCL, ClassQuality)
assert isinstance(QA60, BitQuality)
assert isinstance(CLOUD, ProbabilityQuality)
RED = SENTINEL2.bands["red"]
CHANGE = SENTINEL2.radiometry.offset_change
assert CHANGE is not None
assert CHANGE.evidence is not None


def with_quality(**quality: ClassQuality | BitQuality | ProbabilityQuality) -> Mission:
    return replace(SENTINEL2, quality={**SENTINEL2.quality, **quality})


def with_evidence(**evidence: Any) -> Mission:
    changed = replace(CHANGE, evidence=replace(CHANGE.evidence, **evidence))
    return replace(SENTINEL2, radiometry=replace(SENTINEL2.radiometry, offset_change=changed))


@pytest.mark.parametrize(
    "changed",
    [
        with_quality(scl=replace(SCL, flags={**SCL.flags, 8: Flag.DARK})),
        with_quality(scl=replace(SCL, clear=frozenset({4, 5}))),
        with_quality(scl=replace(SCL, severity=SCL.severity[::-1])),
        with_quality(qa60=replace(QA60, bits={10: Flag.CLOUD})),
        with_quality(cloud_probability=replace(CLOUD, scale=0.004)),
        with_quality(cloud_probability=replace(CLOUD, nodata=255)),
        replace(SENTINEL2, radiometry=replace(SENTINEL2.radiometry, saturated=65534)),
        replace(SENTINEL2, radiometry=replace(SENTINEL2.radiometry, offset_change=None)),
        replace(SENTINEL2, bands={**SENTINEL2.bands, "red": replace(RED, names=("B04",))}),
        replace(SENTINEL2, bands={**SENTINEL2.bands, "red": replace(RED, found_by=(FoundBy.COMMON_NAME,))}),
        with_evidence(floor_dn=900),
        with_evidence(bands=("red",)),
        replace(SENTINEL2, platforms=("sentinel-2a",)),
        replace(SENTINEL2, stand_ins={"nir": "nir08"}),
        replace(SENTINEL2, title="Sentinel-2"),
    ],
)
def test_every_change_of_a_mission_shows(changed: Mission) -> None:
    """The class a cloud is called, a bit, a scale, a name: each is part of the request made from it."""
    assert described(changed) != described(SENTINEL2)


def test_a_description_is_plain_json_and_always_the_same() -> None:
    """It goes into records: no sets, enums or dates, and no order but the mission's own."""
    assert json.loads(json.dumps(described(SENTINEL2))) == described(SENTINEL2)
    assert described(SENTINEL2)["quality"]["scl"]["clear"] == [4, 5, 6]
    assert described(SENTINEL2)["quality"]["scl"]["flags"]["9"] == "CLOUD"


def test_what_missions_are_not_made_of_is_refused() -> None:
    """An object would be described by its address."""
    with pytest.raises(TypeError, match="not part of a mission"):
        described(object())
