"""Public STAC catalogues as data: the API of each, the hosts of its files, and how their links are signed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mrv_assets.errors import CatalogueError, HostRefused
from mrv_assets.scenes.links import without_query
from mrv_assets.transport.hosts import HostRules, is_name
from mrv_assets.transport.s3 import Bucket, S3Signer
from mrv_assets.transport.sas import SasService, SasSigner
from mrv_assets.transport.signing import Signer, Signers


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A catalogue on the network."""

    name: str
    """Its name in programmes and records."""
    api: str
    """Root of its STAC API."""
    hosts: tuple[str, ...]
    """Hosts of its API and its files, besides those of its buckets; ``*.example.org`` means all beneath."""
    buckets: tuple[Bucket, ...] = ()
    """Buckets that its ``s3://`` links may lead to, and those whose https links need a signature."""
    sas: SasService | None = None
    """The service of tokens for its links into Azure; None where it has no such links."""
    moved: Mapping[str, str] = field(default_factory=dict)
    """Beginnings of published links, by which the links that are read instead begin."""


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
    """The preset that a programme names, or one for the STAC API whose address it gives.

    An API that is not a preset may link to its own host and to no other; the deployment names further hosts.

    Raises:
        CatalogueError: When the text is neither.
    """
    if catalogue in PRESETS:
        return PRESETS[catalogue]
    try:
        url = urlsplit(catalogue)
        host, userinfo = (url.hostname or "").lower(), url.username or url.password
    except ValueError:
        url, host, userinfo = urlsplit(""), "", None
    if url.scheme not in ("http", "https") or not host or userinfo:
        raise CatalogueError(
            catalogue.rpartition("@")[2].partition("?")[0],
            "it is neither a preset nor the address of a STAC API",
            f"Name one of {', '.join(sorted(PRESETS))}, or write an address like https://stac.example.org/v1",
        )
    if url.query or url.fragment:
        raise CatalogueError(
            f"{url.scheme}://{url.netloc}{url.path}",
            "its address has a query or fragment, which is not part of a STAC API's address",
            "Write the address of the API's root alone; it is repeated in records",
        )
    root = f"{url.scheme}://{url.netloc}{url.path}".rstrip("/")
    # An address such as 127.0.0.1 is not a name to allow; the deployment allows this machine.
    named = (host,) if host.rpartition(".")[2].isalpha() and "." in host else ()
    if named and not is_name(host):
        raise CatalogueError(
            root,
            f"{host[:80]!r} is not the name of a host",
            "Write it like stac.example.org; a name with other letters than a to z by its xn--... form",
        )
    return Preset(name=root, api=root, hosts=named)


def check_link(preset: Preset, rules: HostRules, href: str) -> None:
    """Hold a link against the rules before a request is sent: the link itself, not where it may redirect to.

    Raises:
        HostRefused: When it leads to a host or a bucket that nobody named.
    """
    if any(bucket.key(href) is not None for bucket in preset.buckets):
        return
    if href.startswith("s3:"):
        raise HostRefused(without_query(href), "its bucket is not one that was named; MRV_S3_BUCKETS names more")
    rules.check(href)


def rules_of(preset: Preset, hosts: tuple[str, ...] = (), *, loopback: bool = False) -> HostRules:
    """The machines that a catalogue's API and files may be asked of.

    Args:
        preset: The catalogue.
        hosts: Hosts that the deployment adds.
        loopback: Whether this machine itself may be asked.
    """
    return HostRules(hosts=(*preset.hosts, *(bucket.host for bucket in preset.buckets), *hosts), loopback=loopback)


def signer_of(preset: Preset, *, subscription_key: str | None = None, loopback: bool = False) -> Signer:
    """The signer of a catalogue's links.

    Args:
        preset: The catalogue.
        subscription_key: For its service of tokens.
        loopback: Whether that service may be on this machine.
    """
    buckets = S3Signer(preset.buckets)
    if preset.sas is None:
        return buckets
    return Signers((buckets, SasSigner(preset.sas, subscription_key=subscription_key, loopback=loopback)))
