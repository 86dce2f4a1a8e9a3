"""APIs, saved items and files that are gone, as people meet them: the month goes on, and nothing is lost unsaid."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from field_cases import NDVI, SCENES, FieldMonth, a_case_served, a_field_case, field_month, rewrite, run_all
from servers import range_server
from stac_servers import Asked, Json, Reply

from mrv_assets.deployment import Deployment
from mrv_assets.errors import ProgramError
from mrv_assets.formats.artifacts import observations_of
from mrv_assets.reports.plan import answer as plan
from mrv_assets.reports.run import answer as ran
from mrv_assets.stac import open as opening


def refused(deployment: Deployment) -> dict[str, str]:
    """Code of each scene of the first month that was refused, by id."""
    [tile] = deployment.tiles
    left_out = ran(deployment, tile, deployment.months[0], [])["left_out"]
    return {scene["id"]: scene["code"] for scene in left_out}


def without_post(status: int, *, advertised: bool) -> object:
    """An API that is searched by GET only, and says so or not."""

    def twist(asked: Asked, document: Json) -> Json | Reply:
        if asked.path == "/" and not advertised:
            document["links"] = [link for link in document["links"] if link["method"] == "GET"]
        if asked.path == "/search" and asked.method == "POST":
            return Reply(status=status, body=b'{"detail": "Method Not Allowed"}')
        return document

    return twist


@pytest.mark.parametrize(
    ("case", "status", "advertised"),
    [("a12_get_only_405", 405, False), ("a12b_get_only_403", 403, False), ("a12c_both_advertised_post_405", 405, True)],
)
def test_an_api_is_searched_by_get_where_it_takes_no_post(
    case: str, status: int, advertised: bool, tmp_path: Path
) -> None:
    """Where its landing page says so, and where it does not."""
    with a_case_served(case, tmp_path, without_post(status, advertised=advertised)) as (deployment, api, _):  # type: ignore[arg-type]
        month = run_all(deployment)

        assert month.rows["P1"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)
        assert api.asked("/search")[-1].method == "GET"


def test_an_api_that_keeps_its_collections_to_itself_is_searched_all_the_same(tmp_path: Path) -> None:
    """What a collection says of its items is evidence where it is to be had."""

    def twist(asked: Asked, document: Json) -> Json | Reply:
        return Reply(status=403) if asked.path.startswith("/collections/") else document

    with a_case_served("a12_get_only_405", tmp_path, twist) as (deployment, _, _):
        assert run_all(deployment).rows["P1"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)


def test_a_file_that_is_gone_leaves_out_its_scene_and_comes_back(tmp_path: Path) -> None:
    """The other scenes count; the next run asks again, and once the file is there the record is reopened."""
    with a_case_served("a13_band_404_forever", tmp_path) as (deployment, api, files):
        [gone] = [item for item in api.items if item["id"] == "S2A_20180715"]
        name = gone["assets"]["red"]["href"].removeprefix(files.url(""))
        content = files.content(name)
        assert content is not None
        files.contents.pop(name)

        month = run_all(deployment)

        assert refused(deployment) == {"S2A_20180715": "file_gone"}
        assert month.rows["P1"]["n_obs"] == 2
        assert month.rows["P1"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)
        before = month.record("sentinel2/raw_tiles").audit_hash
        assert run_all(deployment).record("sentinel2/raw_tiles").audit_hash == before

        files.put(name, content.data)
        opening.forget_connections()
        again = run_all(deployment)

        assert refused(deployment) == {}
        assert again.rows["P1"]["n_obs"] == 3
        assert again.record("sentinel2/raw_tiles").document["inputs"]["reopened"] == before


def test_a_quality_band_that_is_gone_is_asked_for_again_too(tmp_path: Path) -> None:
    """Without the probability of clouds the scene counts by its classes; once it is there, its cloud is masked."""
    with a_case_served("a13_band_404_forever", tmp_path) as (deployment, api, files):
        [cloudy] = [item for item in api.items if item["id"] == "S2A_20180715"]
        classes = tmp_path / "cloud.tif"
        served = files.content(cloudy["assets"]["scl"]["href"].removeprefix(files.url("")))
        assert served is not None
        classes.write_bytes(served.data)
        rewrite(classes, lambda pixels: np.full_like(pixels, 100))
        address = files.put("S2A_20180715/CLD.tif", classes.read_bytes())
        cloudy["assets"]["cloud"] = {**cloudy["assets"]["scl"], "href": address}
        content = files.contents.pop("S2A_20180715/CLD.tif").data

        without = run_all(deployment)

        assert without.rows["P1"]["n_obs"] == 3
        [left_out] = [doubt for doubt in findings_of(without) if doubt.startswith("band_left_out: file_gone")]
        assert "asks for it again" in left_out
        files.put("S2A_20180715/CLD.tif", content)
        opening.forget_connections()
        assert run_all(deployment).rows["P1"]["n_obs"] == 2


def findings_of(month: FieldMonth) -> list[str]:
    """What was found about the scenes that count."""
    observations = observations_of(month.record("sentinel2/raw_tiles"))
    return [finding for one in observations for scene in one["scenes"] for finding in scene["findings"]]


def test_a_file_that_is_gone_from_disk_leaves_out_its_scene_too(tmp_path: Path) -> None:
    """And comes back with the file."""
    deployment = a_field_case("a13_band_404_forever", tmp_path)
    program = deployment.program_path
    program.write_text(program.read_text().replace("API", "catalogue"))
    path = program.parent / "catalogue" / "S2A_20180705" / "B04.tif"
    path.rename(tmp_path / "B04.tif")

    run_all(deployment)
    assert refused(deployment) == {"S2A_20180705": "file_gone"}

    (tmp_path / "B04.tif").rename(path)
    assert run_all(deployment).rows["P1"]["n_obs"] == 3
    assert refused(deployment) == {}


def test_a_saved_search_is_a_catalogue(tmp_path: Path) -> None:
    """A FeatureCollection of items; their files lie beside it."""
    month = field_month("a40_item_collection_file", tmp_path)

    assert month.rows["P1"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)


def test_a_saved_search_without_collections_is_of_the_one_that_is_asked_for(tmp_path: Path) -> None:
    """Some tools leave the field out."""
    deployment = a_field_case("a40_item_collection_file", tmp_path)
    path = deployment.program_path.parent / "catalogue" / "items.json"
    page = json.loads(path.read_bytes())
    for item in page["features"]:
        item.pop("collection", None)
    path.write_text(json.dumps(page))

    assert run_all(deployment).rows["P1"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)


def test_items_on_disk_link_to_files_on_the_network(tmp_path: Path) -> None:
    """Read from hosts that are named, so that a pinned search can be run again; else refused with the cure."""
    case = "a39_items_on_disk_files_on_network"
    with range_server() as files:
        deployment = a_field_case(case, tmp_path)
        path = deployment.program_path.parent / "catalogue" / "0.json"
        item = json.loads(path.read_bytes())
        folder = SCENES / case / "catalogue" / "S2A_34TER_20180705"
        for asset in item["assets"].values():
            name = asset["href"].rpartition("/")[2]
            asset["href"] = files.put(name, (folder / name).read_bytes())
        path.write_text(json.dumps(item))

        run_all(deployment)
        [scene] = ran(deployment, deployment.tiles[0], deployment.months[0], [])["left_out"]
        assert scene["code"] == "host_refused"

        allowed = run_all(replace(deployment, loopback=True))
        assert allowed.rows["P1"]["ndvi_mean"] == pytest.approx(NDVI, abs=1e-4)
    opening.forget_connections()


def test_a_host_that_was_not_named_is_told_by_the_variable_that_names_it(tmp_path: Path) -> None:
    """As the case is published: https files of some host."""
    deployment = a_field_case("a39_items_on_disk_files_on_network", tmp_path)

    run_all(deployment)

    [scene] = ran(deployment, deployment.tiles[0], deployment.months[0], [])["left_out"]
    assert scene["code"] == "host_refused"
    assert "MRV_ALLOW_HOSTS" in scene["detail"]


def test_a_programme_leaves_items_out_with_a_reason(tmp_path: Path) -> None:
    """It is recorded; a name that no catalogue has is told by the plan."""
    deployment = a_field_case("a13_band_404_forever", tmp_path)
    path = deployment.program_path
    program = yaml.safe_load(path.read_text().replace("API", "catalogue"))
    program["exclude"] = [
        {"item": "S2A_20180710", "reason": "smoke"},
        {"item": "S2A_20180711", "reason": "a slip"},
    ]
    path.write_text(yaml.safe_dump(program))

    month = run_all(deployment)

    assert month.rows["P1"]["n_obs"] == 2
    assert month.excluded() == {"S2A_20180710": ("excluded_by_programme", "smoke")}
    planned = plan(deployment, deployment.tiles, deployment.months)
    assert planned["exclusions_without_item"] == ["S2A_20180711"]


@pytest.mark.parametrize(
    "exclude",
    [
        [{"item": "a"}],
        [{"item": "a", "reason": "  "}],
        [{"item": "", "reason": "b"}],
        [{"item": "a", "reason": "b"}] * 2,
    ],
)
def test_an_exclusion_has_an_item_and_a_reason(exclude: list[Json], tmp_path: Path) -> None:
    """Once."""
    deployment = a_field_case("a40_item_collection_file", tmp_path)
    path = deployment.program_path
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "exclude": exclude}))

    with pytest.raises(ProgramError, match="exclude"):
        deployment.program  # noqa: B018


def test_an_item_of_another_month_by_its_interval_is_named(tmp_path: Path) -> None:
    """A search by datetime finds it in the month of its upload: it is left out there by name."""
    deployment = a_field_case("a11_datetime_is_insertion", tmp_path)
    deployment.program_path.write_text(deployment.program_path.read_text().replace("2018-07", "2018-09"))

    assert [code for code, _ in run_all(deployment).excluded().values()] == ["month_other"]
    shutil.rmtree(deployment.lake_path)
