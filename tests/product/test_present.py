"""A parcel counts once, in the present: what was made with other parcels is named, and never counted beside the new."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from demo_lake import CATALOGUE, COLLECTION
from field_cases import a_parcels_case

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import StaleUpstream
from mrv_assets.export.build import export
from mrv_assets.export.formats import format_named
from mrv_assets.export.options import Options
from mrv_assets.reports.explain import answer as explain
from mrv_assets.reports.plan import answer as plan
from mrv_assets.reports.tiles import answer as tiles
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.present import stale, stale_months

MAY = "2018-05"


def run(deployment: Deployment) -> Deployment:
    """Every tile's first month; gives the programme opened anew."""
    for tile in deployment.tiles:
        for _ in deployment.run(tile, deployment.months[0]):
            pass
    return again(deployment)


def again(deployment: Deployment) -> Deployment:
    """The programme as its files are now."""
    return Deployment(program_path=deployment.program_path, lake_path=deployment.lake_path)


def exported(deployment: Deployment, folder: Path) -> tuple[dict[str, float], list[tuple[str, str]]]:
    """Area of each parcel in an export's table, and the months without values with the reason."""
    done = export(
        deployment, Options(format=format_named("geoparquet"), month=deployment.months[0]), folder, lambda *_: None
    )
    [table] = [folder / file["path"] for file in done.files if file["path"].endswith(".parquet")]
    rows = pq.read_table(table).to_pylist()
    return (
        {row["parcel_id"]: row["parcel_area_ha"] for row in rows},
        [(e["tile"], e["because"]) for e in done.manifest["without_values"] if e["because"] in ("stale", "history")],
    )


@pytest.fixture
def changed(tmp_path: Path) -> Deployment:
    """May of A-101, A-102 and B-7; now A-101 is redrawn, A-102 gone, B-7 called B-8, and N-1 new."""
    deployment = a_parcels_case("parcels-changed-after-run", tmp_path)
    folder = deployment.program_path.parent
    parcels = folder / deployment.program.parcels
    shutil.copy(folder / "parcels-before.geojson", parcels)
    run(deployment)
    shutil.copy(folder / "parcels-after.geojson", parcels)
    return again(deployment)


def test_a_month_of_other_parcels_says_so(changed: Deployment) -> None:
    """Each change by its kind, and what to run."""
    [tile] = changed.tiles

    found = stale(changed, changed.lake.current(Partition(PRODUCT, tile, MAY)))

    assert found is not None
    assert (found.redrawn, found.gone, found.missing) == (("A-101",), ("A-102", "B-7"), ("B-8", "N-1"))
    assert str(found).endswith(f"Run `mrv run --tile {tile} --month {MAY}`")


def test_nothing_old_is_exported_explained_or_planned_as_current(changed: Deployment, tmp_path: Path) -> None:
    """The export has no row left to write; explanations are refused with the same sentence; the plan counts it anew."""
    [tile] = changed.tiles
    with pytest.raises(StaleUpstream, match=r"A-101 redrawn.*B-8, N-1 missing"):
        exported(changed, tmp_path / "exported")
    for parcel in ("A-101", "N-1"):
        with pytest.raises(StaleUpstream, match="is of other parcels"):
            explain(changed, parcel, MAY)
    planned = plan(changed, [tile], [MAY])
    assert planned["totals"]["materialized"] == 0
    assert len(planned["stale"]) == 1

    after = run(changed)

    areas, without = exported(after, tmp_path / "exported")
    assert sorted(areas) == sorted(after.assigned.parcel_id)
    assert areas["A-101"] == pytest.approx(6.55, abs=0.01)
    assert without == []
    assert stale_months(after, [tile], [MAY]) == []


def test_a_parcel_that_moved_to_another_tile_counts_once(tmp_path: Path) -> None:
    """The month of its old tile is history or stale; the table has one row of it."""
    deployment = a_parcels_case("tile-override-counts-twice", tmp_path)
    program = yaml.safe_load(deployment.program_path.read_text())
    # The demo's catalogue has no scene here: what counts is the parcels.
    program["missions"]["sentinel2"] = {"catalog": str(CATALOGUE), "collection": COLLECTION}
    program.pop("tiles", None)
    deployment.program_path.write_text(yaml.safe_dump(program))
    first = run(again(deployment))
    assert set(first.tiles) == {"32UKU"}
    deployment.program_path.write_text(yaml.safe_dump({**program, "tiles": {"p": "32TKU"}}))
    moved = again(deployment)
    for _ in moved.run("32TKU", moved.months[0]):
        pass

    areas, without = exported(moved, tmp_path / "exported")

    assert list(areas) == ["p"]
    assert without == [("32UKU", "stale")]

    whole, without = exported(run(moved), tmp_path / "whole")
    assert sorted(whole) == ["p", "q"]
    assert sum(whole.values()) == pytest.approx(17.39, abs=0.01)


def test_a_tile_that_left_the_programme_is_named_and_its_months_stay(tmp_path: Path) -> None:
    """All parcels went to another tile."""
    deployment = a_parcels_case("tile-override-counts-twice", tmp_path)
    program = yaml.safe_load(deployment.program_path.read_text())
    # The demo's catalogue has no scene here: what counts is the parcels.
    program["missions"]["sentinel2"] = {"catalog": str(CATALOGUE), "collection": COLLECTION}
    deployment.program_path.write_text(yaml.safe_dump({**program, "tiles": {}}))
    run(again(deployment))
    deployment.program_path.write_text(yaml.safe_dump({**program, "tiles": {"p": "32TKU", "q": "32TKU"}}))
    moved = run(again(deployment))

    areas, without = exported(moved, tmp_path / "exported")

    assert sorted(areas) == ["p", "q"]
    assert without == [("32UKU", "history")]
    assert tiles(moved, [])["history"] == [{"tile": "32UKU", "months": [moved.months[0]]}]
    assert moved.lake.current(Partition(PRODUCT, "32UKU", moved.months[0])).audit_hash
