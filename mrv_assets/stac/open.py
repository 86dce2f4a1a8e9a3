"""Opening a programme's catalogue by the name it is written with, together with the transport that fits it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from mrv_assets.cog.tiff import other_than_tiff
from mrv_assets.errors import SettingError
from mrv_assets.settings import subscription_key
from mrv_assets.stac.source import Published
from mrv_assets.stac.static import StaticCatalogue
from mrv_assets.transport.read_cache import ReadCache
from mrv_assets.transport.retry import Failure
from mrv_assets.transport.store import DiskTransport, SplitTransport, is_remote

ON_DISK = "static STAC catalogue on disk"


def name_of(catalogue: str) -> str:
    """The name that records have of a catalogue: that of its kind or preset, or an API's address.

    Args:
        catalogue: As :func:`opened` takes it.

    Raises:
        CatalogueError: When it is neither a preset, an address nor an absolute path.
    """
    from mrv_assets.stac.presets import preset_of

    return ON_DISK if Path(catalogue).is_absolute() else preset_of(catalogue).name


def opened(
    catalogue: str, *, hosts: tuple[str, ...] = (), buckets: tuple[str, ...] = (), loopback: bool = False
) -> Published:
    """A catalogue and its transport.

    A static catalogue is read anew each time; connections to the network are shared by the process.

    Args:
        catalogue: A preset's name, the address of a STAC API, or the absolute path of a static catalogue on disk.
        hosts: Hosts that may be read from besides the preset's.
        buckets: Buckets of S3 that may be read from besides the preset's, as ``bucket_of`` reads them.
        loopback: Whether this machine may be read from over HTTP.

    Raises:
        CatalogueError: When it cannot be used.
        SettingError: For a text that does not name a bucket.
    """
    if Path(catalogue).is_absolute():
        static = StaticCatalogue.open(catalogue)
        disk = DiskTransport(static.root)
        remote = cache(lambda: _linked(hosts, buckets, loopback))
        return Published(
            name=ON_DISK,
            catalogue=static,
            transport=SplitTransport(disk, lambda: remote().transport),
            named_by_bytes=True,
            check=lambda href: remote().check(href) if is_remote(href) else None,
        )
    return _over_network(catalogue, hosts, buckets, loopback)


@cache
def _linked(hosts: tuple[str, ...], buckets: tuple[str, ...], loopback: bool) -> Published:
    """The publisher of files that a catalogue on disk links to over the network: of hosts that the deployment names."""
    return _over_network(NO_API, hosts, buckets, loopback)


NO_API = "https://catalogue-on-disk.invalid"
"""In place of an API's address where there is none: nothing is ever asked of it."""


@cache
def _over_network(catalogue: str, hosts: tuple[str, ...], buckets: tuple[str, ...], loopback: bool) -> Published:
    # Imported here, since a programme whose catalogues are on disk needs none of it.
    from mrv_assets.stac.api import ApiCatalogue
    from mrv_assets.stac.presets import check_link, preset_of, rules_of, signer_of
    from mrv_assets.transport.http import HttpTransport
    from mrv_assets.transport.s3 import bucket_of

    preset = preset_of(catalogue)
    try:
        added = tuple(bucket_of(stated) for stated in buckets)
    except ValueError as error:
        raise SettingError("MRV_S3_BUCKETS", ", ".join(buckets), str(error), "Put commas between buckets") from None
    preset = replace(preset, buckets=(*added, *preset.buckets))
    rules = rules_of(preset, hosts, loopback=loopback)
    signer = signer_of(preset, subscription_key=subscription_key(), loopback=loopback)
    return Published(
        name=preset.name,
        catalogue=ApiCatalogue(preset, rules),
        transport=HttpTransport(rules, signer=signer, doubt=not_a_file),
        named_by_bytes=False,
        check=partial(check_link, preset, rules),
    )


def forget_connections() -> None:
    """Open connections anew from now on. The versions of objects that were read are forgotten with the old ones."""
    _over_network.cache_clear()


@contextmanager
def resumed(published: Published, folder: Path) -> Iterator[Published]:
    """The publisher with its reads cached until the work is done, so that a killed process's reads are not repeated.

    Args:
        published: The publisher of the scenes.
        folder: Where reads are cached; removed when the work is done, and left as it is when it fails.
    """
    if published.named_by_bytes:
        yield published
        return
    read_cache = ReadCache(published.transport, folder)
    yield replace(published, transport=read_cache)
    read_cache.forget()


def not_a_file(head: bytes | bytearray) -> Failure | None:
    """The reason why an object's first bytes are not a scene's file, so that they are asked for again.

    Servers send pages and messages in place of a file: they describe the server's state, not the file. JPEG 2000
    passes, since catalogues really link to it, and asking again would bring the same.
    """
    refusal = other_than_tiff(bytes(head[:1024]))
    if refusal is None or refusal.code == "jp2":
        return None
    reason, _, cure = refusal.detail.partition(". ")
    return Failure(reason=f"{refusal.code}: {reason}", cure=cure)
