"""Offsets as people's catalogues write them, through a whole month: the right reflectance, or the scene is refused."""

import json
from pathlib import Path

import pytest
import yaml
from field_cases import NDVI, FieldMonth, a_field_case, field_month, run_all

from mrv_assets.reports.explain import answer as explain
from mrv_assets.reports.run import answer as ran


def refused(month: FieldMonth) -> dict[str, str]:
    """Code of each scene that was refused after its files were read, by id."""
    return {scene["id"]: scene["code"] for scene in month.record("sentinel2/raw_tiles").output["refused"]}


@pytest.mark.parametrize(
    ("case", "rule"),
    [
        ("a7_baseline_number_5_0", "baseline"),
        ("a7b_baseline_text_5_0", "baseline"),
        ("a7d_number_late", "baseline"),
        ("a8_v0_applied_2023", "boa_offset_applied"),
        ("a8b_v0_not_applied_2022", "baseline"),
        ("a8c_v0_reprocessed_2021", "baseline"),
        ("a14_file_states_offset_item_nothing", "file"),
        ("b7_offset_in_collection_item_assets", "collection"),
        ("b10_baseline_only_in_id_and_href", "baseline"),
    ],
)
def test_the_offset_is_found_wherever_it_is_stated(case: str, rule: str, tmp_path: Path) -> None:
    """In a field under another prefix, as a number, in the id, in the collection, in the GeoTIFF."""
    month = field_month(case, tmp_path)

    assert month.rows["P1"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)
    [observation] = json.loads((month.record("sentinel2/raw_tiles").data / "scenes.json").read_bytes())
    assert [scene["offset_rule"] for scene in observation["scenes"]] == [rule]


@pytest.mark.parametrize(
    ("case", "numbers"),
    [
        ("a10_boa_flag_false_but_shifted", ("the item states -0.1", "look not shifted")),
        ("a14b_file_offset_item_zero", ("the item states 0", "the file of blue states -0.1")),
        ("a38_offset_sign_reversed", ("offset of 0.1", "-0.1 or 0")),
    ],
)
def test_a_contradiction_refuses_the_scene_with_both_numbers(
    case: str, numbers: tuple[str, ...], tmp_path: Path
) -> None:
    """And everybody who asks for the month is told: `mrv run`, `mrv explain`, and the gate's decision."""
    month = field_month(case, tmp_path)

    assert month.rows["P1"]["value_status"] == "no_data"
    assert month.rows["P1"]["ndvi_mean"] is None
    [tile] = month.deployment.tiles
    for answer in (
        ran(month.deployment, tile, month.month, []),
        explain(month.deployment, "P1", month.month)["parts"][0],
    ):
        [scene] = answer["left_out"]
        assert scene["code"] in ("offset_conflict", "offset_unexpected")
        assert all(number in scene["detail"] for number in numbers)
        assert "state it in the programme file as the mission's offset" in scene["detail"]


def test_the_cure_works(tmp_path: Path) -> None:
    """The programme states the offset; the record has it, and what speaks against it."""
    deployment = a_field_case("a14b_file_offset_item_zero", tmp_path)
    program = yaml.safe_load(deployment.program_path.read_text())
    program["missions"]["sentinel2"]["offset"] = -0.1
    deployment.program_path.write_text(yaml.safe_dump(program))

    month = run_all(deployment)

    assert month.rows["P1"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)
    assert month.record("sentinel2/raw_tiles").document["plan"]["offset"] == -0.1
    [scene] = explain(deployment, "P1", month.month)["parts"][0]["scenes"]
    assert (scene["offset_rule"], len(scene["findings"])) == ("programme", 1)
    assert scene["findings"][0].startswith("offset_conflict: ")
