"""A parcel counts once, in the present: what was made with other parcels is named, and never counted beside the new."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from demo_lake import CATALOGUE, COLLECTION, TILE, Demo
from field_cases import a_parcels_case
from tampering import GATED, PASSED, RAW, a_copy, forge

from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import DamagedLake, StaleUpstream
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


@pytest.fixture(scope="module")
def a_month(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """May of the demo's ground, as it was run first."""
    deployment = a_parcels_case("parcels-changed-after-run", tmp_path_factory.mktemp("month"))
    folder = deployment.program_path.parent
    shutil.copy(folder / "parcels-before.geojson", folder / deployment.program.parcels)
    return run(again(deployment))


def edited(a_month: Deployment, folder: Path, **fields: object) -> Deployment:
    """A copy of a programme and its lake, with other fields."""
    copied = shutil.copytree(a_month.program_path.parent, folder / "programme")
    lake = copied / a_month.lake_path.relative_to(a_month.program_path.parent)
    program = copied / a_month.program_path.name
    program.write_text(yaml.safe_dump({**yaml.safe_load(program.read_text()), **fields}))
    return Deployment(program_path=program, lake_path=lake)


SENTINEL2 = {"catalog": str(CATALOGUE), "collection": COLLECTION}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"gate": {"min_coverage": 0.99}}, "gate"),
        ({"gate": {"dilation_px": 4}}, "gate, dilation_px"),
        ({"composite": "median"}, "composite"),
        ({"grid": {"resolution_m": 20}}, "resolution_m"),
        ({"min_native_pixels": 40}, "min_native_pixels"),
        ({"snow_is_clear": True}, "snow_is_clear"),
        ({"bandpass": "hls-s2a"}, "bandpass"),
        ({"missions": {"sentinel2": {**SENTINEL2, "offset": -0.1}}}, "offset"),
        ({"missions": {"sentinel2": {**SENTINEL2, "integrity": "full"}}}, "integrity"),
        ({"missions": {"sentinel2": {**SENTINEL2, "collection": "another"}}}, "collection"),
        ({"missions": {"sentinel2": {**SENTINEL2, "catalog": "earth-search"}}}, "catalogue"),
        (
            {"missions": {"sentinel2": SENTINEL2, "landsat": SENTINEL2}, "substitution": ["sentinel2", "landsat"]},
            "substitution",
        ),
    ],
)
def test_a_month_made_by_other_rules_is_not_the_present(
    fields: dict[str, object], named: str, a_month: Deployment, tmp_path: Path
) -> None:
    """It is neither exported nor counted as done, and what is explained says it; the rules are named."""
    changed = edited(a_month, tmp_path, **fields)
    [tile] = changed.tiles

    planned = stale_months(changed, [tile], [MAY])

    assert [change.rules for change in planned] == [tuple(named.split(", "))]
    with pytest.raises(StaleUpstream, match=rf"was made with another {named} than the programme has now\. Bring") as no:
        exported(changed, tmp_path / "exported")
    assert str(no.value).count("mrv run") == 1
    [part] = explain(changed, "A-101", MAY)["parts"]
    assert part["stale"] == str(planned[0])


def test_an_item_left_out_since_or_no_more_makes_a_month_stale(a_month: Deployment, tmp_path: Path) -> None:
    """An exclusion of what never counted changes nothing; another reason is another exclusion."""
    [tile] = a_month.tiles
    raw = a_month.lake.current(Partition("sentinel2/raw_tiles", tile, MAY))
    counted = raw.inputs["items"][0]["id"]

    def of(folder: str, *left_out: tuple[str, str]) -> tuple[Deployment, list[tuple[str, ...]]]:
        exclude = [{"item": item, "reason": reason} for item, reason in left_out]
        changed = edited(a_month, tmp_path / folder, exclude=exclude)
        return changed, [change.rules for change in stale_months(changed, [tile], [MAY])]

    assert of("none", ("no such item", "haze"))[1] == []
    changed, named = of("counted", (counted, "haze"))
    assert named == [("exclude",)]
    changed = run(changed)
    assert stale_months(changed, [tile], [MAY]) == []
    for number, exclude in enumerate(([], [{"item": counted, "reason": "smoke"}])):
        back = edited(changed, tmp_path / f"back{number}", exclude=exclude)
        assert [change.rules for change in stale_months(back, [tile], [MAY])] == [("exclude",)]


@pytest.mark.parametrize(
    ("stage", "fields"), [("gated_tiles", {"gate": {"min_coverage": 0.99}}), ("indices", {"bandpass": "hls-s2a"})]
)
def test_a_month_whose_decision_or_indices_were_replaced_is_not_the_present(
    stage: str, fields: dict[str, object], a_month: Deployment, tmp_path: Path
) -> None:
    """Somebody materializes one asset of it with other rules, and goes back to the first ones."""
    changed = edited(a_month, tmp_path, **fields)
    [tile] = changed.tiles
    changed.materialize(stage, changed.plan(tile, MAY, changed.missions[0]))
    back = Deployment(program_path=a_month.program_path, lake_path=changed.lake_path)

    [change] = stale_months(back, [tile], [MAY])

    assert change.rules == ()
    assert f"a record of sentinel2/{stage} that has since been replaced" in str(change)
    assert plan(back, [tile], [MAY])["totals"]["materialized"] == 0
    for refused in (
        lambda: explain(back, "A-101", MAY),
        lambda: exported(back, tmp_path / "exported"),
        lambda: back.lake.open(PRODUCT, tile, MAY),
    ):
        with pytest.raises(StaleUpstream, match="has since been replaced"):
            refused()


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


@pytest.mark.parametrize(
    ("asset", "edit"),
    [
        (RAW, lambda document: document["inputs"].pop("excluded")),
        (RAW, lambda document: document["inputs"].update(items=[1])),
        (GATED, lambda document: document["plan"].update(reviewers=[{}])),
        (PRODUCT, lambda document: document["plan"].update(parcels=[[1]])),
        (PRODUCT, lambda document: document["plan"].pop("parcels")),
    ],
    ids=["no exclusions", "items", "reviewers", "parcels", "no parcels"],
)
def test_records_that_no_run_wrote_are_damage_and_no_crash(
    asset: str, edit: Callable[[dict[str, Any]], object], demo: Demo, tmp_path: Path
) -> None:
    """Every digest of them fits: whoever compares them with the programme says so."""
    lake = a_copy(demo.deployment.lake_path, tmp_path / "lake", PASSED)
    forge(lake, asset, PASSED, lambda _, document: edit(document))
    forged = Deployment(program_path=demo.deployment.program_path, lake_path=lake)

    for look in (
        lambda: stale_months(forged, [TILE], [PASSED]),
        lambda: explain(forged, "north-loss-1", PASSED),
        lambda: export(forged, Options(format=format_named("csv"), month=PASSED), tmp_path / "table", lambda *_: None),
    ):
        with pytest.raises(DamagedLake):
            look()
