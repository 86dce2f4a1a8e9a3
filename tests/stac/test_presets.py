"""Catalogues as data: every link that real ones publish leads to a host of its preset, and to no other."""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dialects import earth_search_c1, earth_search_l2a, planetary_computer
from dialects_of_others import (
    earth_search_landsat,
    landsatlook,
    planetary_computer_landsat,
    planetary_computer_s1,
)
from scene_builders import Item

from mrv_assets.errors import CatalogueError, HostRefused
from mrv_assets.programme.model import CATALOGUES
from mrv_assets.scenes.bands import files_of, is_jp2
from mrv_assets.stac.api import ApiCatalogue
from mrv_assets.stac.presets import PRESETS, check_link, preset_of, rules_of
from mrv_assets.transport.hosts import HostRules
from mrv_assets.transport.s3 import S3Signer, bucket_of


def test_a_programme_may_name_every_preset() -> None:
    """And no other."""
    assert set(PRESETS) == set(CATALOGUES)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_may_ask_where_it_searches_and_signs(name: str) -> None:
    """Its API is https, and it, its buckets and whoever gives its tokens are on its list of hosts; no one else is."""
    preset = PRESETS[name]
    rules = rules_of(preset)
    tokens = [] if preset.sas is None else [preset.sas.token_url.format(account="a", container="b")]

    for href in (preset.api, *(bucket.url("a/key.tif") for bucket in preset.buckets), *tokens):
        rules.check(href)
    for href in ("https://example.org/", "https://127.0.0.1/", f"http{preset.api[5:]}"):
        with pytest.raises(HostRefused):
            rules.check(href)


def cogs(item: Item) -> Iterator[str]:
    """The links of an item that could be read."""
    for asset in files_of(item["assets"]).values():
        if "tiff" in str(asset.get("type")) and not is_jp2(asset):
            yield asset["href"]


def read_at(name: str, href: str) -> str:
    """The address that is asked for a link of a catalogue's item, unsigned where it is public."""
    preset = PRESETS[name]
    meant = ApiCatalogue(preset, rules_of(preset)).absolute_href("item", href)
    if not meant.startswith("s3://"):
        return meant
    [bucket] = [one for one in preset.buckets if meant.startswith(f"s3://{one.name}/")]
    return bucket.url(meant.removeprefix(f"s3://{bucket.name}/"))


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("earth-search", earth_search_c1()),
        ("earth-search", earth_search_l2a()),
        ("earth-search", earth_search_landsat()),
        ("planetary-computer", planetary_computer()),
        ("planetary-computer", planetary_computer_landsat()),
        ("planetary-computer", planetary_computer_s1()),
        ("usgs", landsatlook()),
    ],
)
def test_what_a_catalogue_links_to_may_be_read(name: str, item: Item) -> None:
    """Every COG of every dialect; LandsatLook's own site is passed by, for it asks people to log in."""
    links = [read_at(name, href) for href in cogs(item)]

    assert links
    for link in links:
        rules_of(PRESETS[name]).check(link)
        assert "landsatlook.usgs.gov/data" not in link


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("earth-search", "stac_json/earthsearch_v1_sentinel-2-c1-l2a_10items_T13TDE.json"),
        ("earth-search", "s2_cog_29RKH_20200219/S2A_29RKH_20200219_0_L2A.json"),
        ("planetary-computer", "stac_json/pc_sentinel-2-l2a_2items_T13TDE_baseline0511.json"),
        ("planetary-computer", "stac_json/pc_landsat-c2-l2_4items_LC09_089.json"),
        ("planetary-computer", "stac_json/pc_sentinel-1-rtc_4items.json"),
        ("usgs", "stac_json/landsatlook_landsat-c2l2-sr_LC08_028030_20200114.json"),
    ],
)
def test_what_real_items_link_to_may_be_read(name: str, file: str) -> None:
    """As downloaded: all their COGs, and none of them elsewhere."""
    folder = os.environ.get("MRV_REAL_DATA")
    if not folder:
        pytest.skip("MRV_REAL_DATA does not name the folder of real data")
    document = json.loads((Path(folder) / file).read_bytes())
    items = document if isinstance(document, list) else document.get("features", [document])

    links = [read_at(name, href) for item in items for href in cogs(item)]

    assert links
    for link in links:
        rules_of(PRESETS[name]).check(link)


def test_a_bucket_that_was_not_named_is_not_signed_for() -> None:
    """Earth Search's JPEG 2000 twins lie in a bucket whose reader pays too: no link into it is made."""
    signer = S3Signer(PRESETS["earth-search"].buckets)

    with pytest.raises(HostRefused, match="its bucket is not one that was named; MRV_S3_BUCKETS names more"):
        asyncio.run(signer.sign("s3://sentinel-s2-l2a/tiles/34/T/ER/B02.jp2"))


def test_any_api_is_a_preset_of_its_own_host() -> None:
    """Its links may lead to itself and nowhere else, unless the deployment names more."""
    preset = preset_of("https://STAC.example.org:8443/v1/")

    assert (preset.name, preset.api) == ("https://STAC.example.org:8443/v1",) * 2
    assert rules_of(preset, ("data.example.org",)) == HostRules(hosts=("stac.example.org", "data.example.org"))
    assert rules_of(preset_of("http://127.0.0.1:8080"), loopback=True) == HostRules(loopback=True)


@pytest.mark.parametrize(
    ("catalogue", "reason"),
    [
        ("earthsearch", "neither a preset nor the address"),
        ("ftp://stac.example.org", "neither a preset nor the address"),
        ("https://", "neither a preset nor the address"),
        ("https://[::1", "neither a preset nor the address"),
        ("https://me:SECRET@stac.example.org", "neither a preset nor the address"),
        ("https://stac.example.org/v1?key=SECRET", "has a query or fragment"),
        ("https://stac.example.org/v1#SECRET", "has a query or fragment"),
        ("https://bücher.example/v1", "'bücher.example' is not the name of a host"),
        ("https://a..b.org/v1", "'a..b.org' is not the name of a host"),
    ],
)
def test_what_is_no_catalogue_is_said_to_be_none(catalogue: str, reason: str) -> None:
    """With what to write instead, and without any key that someone wrote."""
    with pytest.raises(CatalogueError, match=reason) as error:
        preset_of(catalogue)

    assert "SECRET" not in str(error.value)


def test_a_link_is_refused_by_its_words_alone() -> None:
    """Before anything is asked: a host or a bucket that nobody named, until somebody does."""
    preset = preset_of("usgs")
    added = replace(preset, buckets=(bucket_of("others eu-central-1"), *preset.buckets))
    elsewhere, in_a_bucket = "https://data.example.org/a.tif?sig=SECRET", "s3://others/a key.tif"

    for href in (elsewhere, in_a_bucket):
        with pytest.raises(HostRefused, match="named") as refused:
            check_link(preset, rules_of(preset), href)
        assert "SECRET" not in str(refused.value)

    check_link(preset, rules_of(preset, ("data.example.org",)), elsewhere)
    check_link(added, rules_of(added), in_a_bucket)
    check_link(preset, rules_of(preset), preset.buckets[0].url("a.tif"))
