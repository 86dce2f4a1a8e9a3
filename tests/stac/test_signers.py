"""Each link of a preset is signed as its publisher needs it, or left as it is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from signing_servers import ACCESS_KEY, SECRET_KEY, azure_server

from mrv_assets.errors import HostRefused, ObjectReadError
from mrv_assets.stac.presets import PRESETS, Preset, rules_of, signer_of
from mrv_assets.transport.s3 import Bucket
from mrv_assets.transport.sas import SasService
from mrv_assets.transport.signing import Signer

PLAIN = "https://sentinel-cogs.s3.us-west-2.amazonaws.com/sentinel-s2-l2a-cogs/34/T/ER/B04.tif"
BLOB = "https://landsateuwest.blob.core.windows.net/landsat-c2/B04.TIF"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def a_preset(**parts: Any) -> Preset:
    return Preset(name="ours", api="https://stac.example.org", hosts=(), **parts)


def signed(signer: Signer, href: str) -> str:
    return asyncio.run(signer.sign(href)).url


def test_each_link_is_signed_as_its_place_wants_it(tmp_path: Path) -> None:
    """Of one catalogue: a blob gets a token, asked for with the key; an object a signature; the rest stays."""
    bucket = Bucket(name="usgs-landsat", region="us-west-2", access="requester pays")
    with azure_server(tmp_path) as azure:
        azure.subscription_key = "k3y"
        sas = SasService(token_url=azure.url("token/{account}/{container}"))
        signer = signer_of(a_preset(buckets=(bucket,), sas=sas), subscription_key="k3y", loopback=True)

        blob, landsat, plain = (signed(signer, href) for href in (BLOB, "s3://usgs-landsat/B4.TIF", PLAIN))

    assert blob == f"{BLOB}?{azure.given[0]}"
    assert landsat.startswith(f"https://{bucket.host}/B4.TIF?x-amz-request-payer=requester&X-Amz-Algorithm=")
    assert plain == PLAIN


def test_a_token_service_on_this_machine_has_to_be_allowed(tmp_path: Path) -> None:
    """As everything on this machine."""
    with azure_server(tmp_path) as azure:
        signer = signer_of(a_preset(sas=SasService(token_url=azure.url("token/{account}/{container}"))))

        with pytest.raises(ObjectReadError, match="not https"):
            signed(signer, BLOB)

    assert azure.asked == []


@pytest.mark.parametrize("preset", [preset for preset in PRESETS.values() if preset.buckets], ids=lambda p: p.name)
def test_a_presets_signed_links_lead_to_hosts_it_names(preset: Preset) -> None:
    """The transport follows what the signer makes of a preset's links; other buckets are nobody's."""
    signer, rules = signer_of(preset), rules_of(preset)

    for bucket in preset.buckets:
        link = signed(signer, f"s3://{bucket.name}/collection02/level-2/B4.TIF")
        assert str(rules.check(link)) == link
    with pytest.raises(HostRefused):
        signed(signer, "s3://another-bucket/B4.TIF")
