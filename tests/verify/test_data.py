"""Data against its record: what it says decides, whatever the run record says of its bytes."""

from collections.abc import Callable
from pathlib import Path

import data_edits as edits
import pytest
from tampering import (
    ALIGNED,
    GATED,
    INDICES,
    PASSED,
    RAW,
    Json,
    accept,
    data_of,
    findings,
    forge,
    names,
    partition,
    rewrite_run,
    the_only,
)

from mrv_assets.stages.table import PRODUCT

# Each edit is made as someone would who knows how a lake is checked: the run record is edited too, so that every stored
# byte is as it says, and it has the name that it must have.

FORGED_DATA: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "value": (INDICES, edits.another_value, "ndvi"),
    "chunk lost": (INDICES, edits.no_chunk, "ndvi"),
    "chunk added": (INDICES, edits.a_chunk_elsewhere, "ndvi"),
    "chunk broken": (INDICES, edits.a_broken_chunk, ""),
    "scale": (INDICES, edits.another_scale, "ndvi"),
    "fill": (INDICES, edits.another_fill, "ndvi"),
    "type": (INDICES, edits.another_type, "ndvi"),
    "dims": (INDICES, edits.dims_swapped, "ndvi"),
    "endless coordinate": (INDICES, edits.an_endless_coordinate, "time"),
    "time": (INDICES, edits.another_time, ""),
    "column": (INDICES, edits.another_column, ""),
    "unit": (INDICES, edits.another_unit, ""),
    "CRS": (INDICES, edits.another_crs, "spatial_ref"),
    "second CRS": (INDICES, edits.a_second_crs, "spatial_ref"),
    "corner": (INDICES, edits.another_corner, "spatial_ref"),
    "attribute of the group": (INDICES, edits.another_mission, ""),
    "variable too many": (INDICES, edits.a_variable_too_many, "evi2"),
    "variable too few": (INDICES, edits.a_variable_too_few, "evi"),
    "no group": (INDICES, edits.no_group, ""),
    "row": (PRODUCT, edits.another_mean, "parcels.parquet"),
    "rows": (PRODUCT, edits.a_row_less, "parcels.parquet"),
    "outlines": (PRODUCT, edits.outlines_changed, "parcels.parquet"),
    "CRS of outlines": (PRODUCT, edits.outlines_in_another_crs, "parcels.parquet"),
    "composite": (PRODUCT, edits.another_composite, "rasters.zarr/ndvi"),
    "picture": (GATED, edits.another_picture, "preview.png"),
    "decision": (GATED, edits.another_decision, "decision.json"),
    "GeoTIFF": (RAW, edits.another_scene, ""),
    "scene": (RAW, edits.another_file, ""),
    "another codec": (INDICES, edits.in_another_codec, "ndvi"),
    "consolidated metadata": (INDICES, edits.consolidated, "zarr.json"),
    "consolidated metadata of the rasters": (PRODUCT, edits.consolidated_rasters, "rasters.zarr/zarr.json"),
    "chunk under another key": (INDICES, edits.a_chunk_under_another_key, "ndvi"),
    "chunk with another header": (INDICES, edits.a_chunk_bomb, "ndvi"),
    "chunk that is a link": (INDICES, edits.a_linked_chunk, ""),
    "list of leaves": (INDICES, edits.another_leaf, "ndvi/leaves.json"),
    "list of leaves, reordered": (INDICES, edits.leaves_with_a_blank, "ndvi/leaves.json"),
    "variable that is renamed": (INDICES, edits.variables_swapped, ""),
    "words of pandas": (PRODUCT, edits.swapped_by_pandas, "parcels.parquet"),
    "unit of a column": (PRODUCT, edits.another_unit_of_a_column, "parcels.parquet"),
    "metadata of the table": (PRODUCT, edits.a_word_in_the_table, "parcels.parquet"),
    "type of a column": (PRODUCT, edits.another_type_of_a_column, "parcels.parquet"),
    "second frame": (GATED, edits.a_second_frame, "preview.png"),
    "colours of a picture": (GATED, edits.another_gamma, "preview.png"),
    "after a picture's end": (GATED, edits.bytes_after_the_end, "preview.png"),
    "file of nobody": (PRODUCT, edits.a_file_of_nobody, "notes.txt"),
}


@pytest.mark.parametrize(("asset", "edit", "place"), FORGED_DATA.values(), ids=FORGED_DATA)
def test_data_is_found_out_though_its_run_record_was_forged(
    asset: str, edit: Callable[[Path], None], place: str, lake: Path
) -> None:
    """A run record that agrees with altered data is worth nothing: the record says what the data says."""
    data = data_of(lake, asset, PASSED)
    edit(data)
    accept(lake, asset, PASSED)

    found = findings(lake, asset=asset)

    assert found
    assert names(found, (data / place).relative_to(lake).as_posix())


def test_arrays_of_another_shape_are_not_decoded(lake: Path) -> None:
    """What was described anew may ask for any amount of memory: that it differs is all there is to know."""
    edits.an_endless_coordinate(data_of(lake, INDICES, PASSED))
    accept(lake, INDICES, PASSED)

    found = findings(lake, asset=INDICES)

    assert [one["check"] for one in found] == ["content"]


def another_host(run: Json) -> None:
    """Say that it ran elsewhere, later, on another processor."""
    run.update(host="another", finished="2030-01-01T00:00:00+00:00")
    run["environment"]["cpu"] = "another"


def test_what_a_record_does_not_cover_is_not_found(lake: Path) -> None:
    """As docs/audit.md has it: how a PNG is compressed says nothing; who computed it, and when, nobody signs."""
    edits.as_another_png(data_of(lake, GATED, PASSED))
    assert findings(lake)
    accept(lake, GATED, PASSED)
    rewrite_run(the_only(partition(lake, ALIGNED, PASSED) / "runs"), another_host)

    assert findings(lake) == []


def test_a_record_that_says_nothing_of_its_data_is_found(lake: Path) -> None:
    """Data that no digest covers could be anything."""

    def no_output(data: Path, document: Json) -> None:
        document["output"] = {"status": "PASSED"}

    forge(lake, GATED, PASSED, no_output)

    found = findings(lake, asset=GATED)

    assert "its record says what it is" in [one["check"] for one in found]


def test_a_record_that_speaks_of_another_decision_than_its_data_is_found(lake: Path) -> None:
    """Whoever reads the record alone is told what the data says."""

    def rejected(data: Path, document: Json) -> None:
        document["output"].update(status="REJECTED", reasons=["below_coverage"])

    forge(lake, GATED, PASSED, rejected)

    found = findings(lake, asset=GATED)

    assert {one["check"] for one in found} == {"status as in the record", "reasons as in the record"}
