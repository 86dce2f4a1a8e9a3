"""Golden graph digests: no change of code moves an audit hash unseen."""

import json
from pathlib import Path
from typing import Any

import pytest
from golden_graphs import COMMAND, GOLDEN, a_month, graphs_of
from stage_names import PRODUCT, STAGES

from mrv_assets.stages.materialize import Materialized

ASSETS = (*(f"sentinel2/{stage}" for stage in STAGES), PRODUCT)


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """The golden file."""
    found: dict[str, Any] = json.loads(GOLDEN.read_bytes())
    return found


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Materialized]:
    """The month, run here."""
    return a_month(tmp_path_factory.mktemp("month"))


@pytest.mark.parametrize("asset", ASSETS)
def test_an_assets_graph_is_the_golden_one(asset: str, golden: dict[str, Any], month: dict[str, Materialized]) -> None:
    """On every machine, in every folder: audit hashes change when a graph does, and a user has to be told."""
    found = graphs_of(month)["graphs"][asset]

    assert found == golden["graphs"][asset], (
        f"The graph of {asset} is another than the golden one, and so is every audit hash from there on. "
        f"Write it anew: {COMMAND}. "
        "The commit says why, and CHANGELOG.md that audit hashes changed though no value moved."
    )


def test_the_golden_file_has_every_asset_and_says_how_it_is_written(
    golden: dict[str, Any], month: dict[str, Materialized]
) -> None:
    """No asset's graph goes unwatched; no two assets share one."""
    assert golden["written_by"] == COMMAND
    assert tuple(golden["graphs"]) == tuple(month) == ASSETS
    assert len(set(golden["graphs"].values())) == len(ASSETS)
    assert (Path(__file__).parents[2] / COMMAND.split()[1]).is_file()


def test_the_golden_month_takes_the_longer_way_through_every_stage(month: dict[str, Materialized]) -> None:
    """Four blocks, an observation refused and one used, every index: else a part of a graph would go unwatched."""
    documents = {asset: one.record.document for asset, one in month.items()}
    decision = json.loads((month["sentinel2/gated_tiles"].path / "decision.json").read_bytes())

    assert len(documents[PRODUCT]["plan"]["active_blocks"]) == 4
    assert [observation["used"] for observation in decision["observations"]] == [True, False]
    assert {"ndvi", "evi", "nbr", "ndmi"} <= set(documents[PRODUCT]["output"]["rasters"]["arrays"])
    # What was measured is in the graph of monthly_proxies: whole numbers are the same on every machine.
    assert decision["coverage"] == 1.0
    assert [observation["clear_of_parcels"] for observation in decision["observations"]] == [1.0, 0.0]
