"""Public STAC catalogues as data: where each is searched, where its files lie, and how their links are signed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mrv_assets.errors import CatalogueError, HostRefused
from mrv_assets.scenes.links import without_query
from mrv_assets.transport.bucket import Bucket
from mrv_assets.transport.hosts import HostRules, is_name
from mrv_assets.transport.sas import SasService


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A catalogue on the network."""

    name: str
    """What a programme calls it, and a record says of it."""
    api: str
    """Root of its STAC API."""
    hosts: tuple[str, ...]
    """Hosts that search and files may be asked of, besides those of its buckets; ``*.example.org`` is all beneath."""
    buckets: tuple[Bucket, ...] = ()
    """Where its ``s3://`` links may lead."""
    sas: SasService | None = None
    """Who gives tokens for its links into Azure; None where there are none."""
    moved: Mapping[str, str] = field(default_factory=dict)
    """Beginnings of published links, and of those that are read instead."""


# https://www.usgs.gov/landsat-missions/landsat-commercial-cloud-data-access: LandsatLook's own links ask people to log
# in; the same files lie in the bucket, which items name as their alternate.
_USGS_BUCKET = Bucket(name="usgs-landsat", region="us-west-2", access="requester pays")
_USGS_MOVED = {"https://landsatlook.usgs.gov/data/": "s3://usgs-landsat/"}

PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        # https://element84.com/earth-search
        Preset(
            name="earth-search",
            api="https://earth-search.aws.element84.com/v1",
            hosts=(
                "earth-search.aws.element84.com",
                "e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com",
                "sentinel-cogs.s3.us-west-2.amazonaws.com",
            ),
            buckets=(_USGS_BUCKET,),
            moved=_USGS_MOVED,
        ),
        # https://planetarycomputer.microsoft.com/docs/concepts/sas
        Preset(
            name="planetary-computer",
            api="https://planetarycomputer.microsoft.com/api/stac/v1",
            hosts=("planetarycomputer.microsoft.com", "*.blob.core.windows.net"),
            sas=SasService(token_url="https://planetarycomputer.microsoft.com/api/sas/v1/token/{account}/{container}"),
        ),
        # https://landsatlook.usgs.gov/stac-server
        Preset(
            name="usgs",
            api="https://landsatlook.usgs.gov/stac-server",
            hosts=("landsatlook.usgs.gov",),
            buckets=(_USGS_BUCKET,),
            moved=_USGS_MOVED,
        ),
    )
}


def preset_of(catalogue: str) -> Preset:
    """The preset a programme names, or one for the STAC API whose address it gives.

    An API that is no preset may link to its own host and to no other; who trusts more names them to the deployment.

    Raises:
        CatalogueError: When it is neither.
    """
    if catalogue in PRESETS:
        return PRESETS[catalogue]
    try:
        url = urlsplit(catalogue)
        host, userinfo = (url.hostname or "").lower(), url.username or url.password
    except ValueError:
        url, host, userinfo = urlsplit(""), "", None
    if url.scheme not in ("http", "https") or not host or userinfo:
        shown = catalogue.rpartition("@")[2].partition("?")[0]
        raise CatalogueError(
            shown,
            "it is neither a preset nor the address of a STAC API",
            f"Name one of {', '.join(sorted(PRESETS))}, or write an address like https://stac.example.org/v1",
        )
    if url.query or url.fragment:
        raise CatalogueError(
            f"{url.scheme}://{url.netloc}{url.path}",
            "its address has a query or fragment, which is no part of a STAC API's",
            "Write the address of the API's root alone; it is repeated in records",
        )
    root = f"{url.scheme}://{url.netloc}{url.path}".rstrip("/")
    # An address such as 127.0.0.1 is no name to allow; this machine is allowed by the deployment.
    named = (host,) if host.rpartition(".")[2].isalpha() and "." in host else ()
    if named and not is_name(host):
        raise CatalogueError(
            root,
            f"{host[:80]!r} is no name of a host",
            "Write it like stac.example.org; a name of other letters than a to z as the xn--... that it stands for",
        )
    return Preset(name=root, api=root, hosts=named)


def check_link(preset: Preset, rules: HostRules, href: str) -> None:
    """Hold a link against the rules before anything is asked: by its words alone, wherever it may redirect to.

    Raises:
        HostRefused: When it leads to a host or a bucket that nobody named.
    """
    if any(bucket.key(href) is not None for bucket in preset.buckets):
        return
    if href.startswith("s3:"):
        raise HostRefused(without_query(href), "its bucket is not one that was named; MRV_S3_BUCKETS names more")
    rules.check(href)


def rules_of(preset: Preset, hosts: tuple[str, ...] = (), *, loopback: bool = False) -> HostRules:
    """Which machines a catalogue's search and files may be asked of.

    Args:
        preset: The catalogue.
        hosts: Those the deployment adds.
        loopback: Whether this machine itself may be asked.
    """
    return HostRules(hosts=(*preset.hosts, *(bucket.host for bucket in preset.buckets), *hosts), loopback=loopback)
