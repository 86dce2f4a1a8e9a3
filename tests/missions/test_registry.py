"""Missions are data: each stands alone, and another one changes nothing for those that are there."""

import pytest
from edited_package import Edit, source_with
from stage_names import PRODUCT, STAGES

from mrv_assets.audit.code import code_digest
from mrv_assets.missions.mission import Mission, described
from mrv_assets.missions.registry import MISSIONS

MODULES = (*STAGES, PRODUCT)


@pytest.mark.parametrize("stage", MODULES)
def test_a_mission_s_file_is_in_no_stage_s_code(stage: str) -> None:
    """A stage gets its mission as data, which its plan says in full: adding one changes no other's record."""
    edits = [
        Edit(file=f"missions/{name}.py", new="\nX = 1\n") for name in ("sentinel2", "landsat", "sentinel1", "known")
    ]
    module = f"mrv_assets.stages.{stage}"

    assert code_digest(module, source_with(*edits)) == code_digest(module, source_with())


@pytest.mark.parametrize("stage", MODULES)
def test_the_types_missions_are_written_in_are_in_every_stage_s_code(stage: str) -> None:
    """What the test above rests on: an edit of what a stage does import is seen."""
    module = f"mrv_assets.stages.{stage}"
    edited = source_with(Edit(file="missions/mission.py", new="\nX = 1\n"))

    assert code_digest(module, edited) != code_digest(module, source_with())


@pytest.mark.parametrize("mission", MISSIONS.values(), ids=MISSIONS)
def test_a_mission_names_only_what_it_has(mission: Mission) -> None:
    """Bands that stand in are its own; quality bands and bands share no name; its description is plain."""
    assert set(mission.stand_ins.values()) <= set(mission.bands)
    assert not set(mission.stand_ins) & set(mission.bands)
    assert not set(mission.quality) & set(mission.bands)
    assert described(mission)["name"] == mission.name


def test_no_two_missions_take_each_other_s_items() -> None:
    """An item's platform begins with the names of one mission alone."""
    names = [name for mission in MISSIONS.values() for name in mission.platforms]

    assert not [(a, b) for a in names for b in names if a is not b and a.startswith(b)]
