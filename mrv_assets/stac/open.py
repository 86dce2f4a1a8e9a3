"""Opening what is published: a programme's catalogue, by whatever name it is written, with the transport that fits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from mrv_assets.errors import SettingError
from mrv_assets.settings import subscription_key
from mrv_assets.stac.source import Published
from mrv_assets.stac.static import StaticCatalogue
from mrv_assets.transport.read_cache import KeptTransport
from mrv_assets.transport.store import DiskTransport

ON_DISK = "static STAC catalogue on disk"


def opened(
    catalogue: str, *, hosts: tuple[str, ...] = (), buckets: tuple[str, ...] = (), loopback: bool = False
) -> Published:
    """Open a catalogue. A static one is read anew each time; connections to the network are shared by the process.

    Args:
        catalogue: A preset's name, the address of a STAC API, or the absolute path of a static catalogue on disk.
        hosts: Hosts that may be read from besides the preset's.
        buckets: Buckets of S3 that may be read from besides the preset's, as ``bucket_of`` reads them.
        loopback: Whether this machine may be read from over HTTP.

    Raises:
        CatalogueError: When it cannot be used.
        SettingError: For what is no bucket.
    """
    if Path(catalogue).is_absolute():
        static = StaticCatalogue.open(catalogue)
        transport = DiskTransport(static.root)
        return Published(name=ON_DISK, catalogue=static, transport=transport, named_by_bytes=True)
    return _over_network(catalogue, hosts, buckets, loopback)


@cache
def _over_network(catalogue: str, hosts: tuple[str, ...], buckets: tuple[str, ...], loopback: bool) -> Published:
    # A programme on disk alone needs none of it.
    from mrv_assets.stac.api import ApiCatalogue
    from mrv_assets.stac.instead import no_file
    from mrv_assets.stac.presets import check_link, preset_of, rules_of
    from mrv_assets.transport.bucket import bucket_of
    from mrv_assets.transport.http import HttpTransport
    from mrv_assets.transport.signers import signer_for

    preset = preset_of(catalogue)
    try:
        added = tuple(bucket_of(stated) for stated in buckets)
    except ValueError as error:
        raise SettingError("MRV_S3_BUCKETS", ", ".join(buckets), str(error), "Put commas between buckets") from None
    preset = replace(preset, buckets=(*added, *preset.buckets))
    rules = rules_of(preset, hosts, loopback=loopback)
    signer = signer_for(preset.buckets, preset.sas, subscription_key=subscription_key(), loopback=loopback)
    return Published(
        name=preset.name,
        catalogue=ApiCatalogue(preset, rules),
        transport=HttpTransport(rules, signer=signer, doubt=no_file),
        named_by_bytes=False,
        check=partial(check_link, preset, rules),
    )


def forget_connections() -> None:
    """Open connections anew from now on; what is known of objects that were read goes with the old ones."""
    _over_network.cache_clear()


@contextmanager
def resumed(published: Published, folder: Path) -> Iterator[Published]:
    """Reads that are kept until the work is done: what a killed process had read, the next does not read again.

    Args:
        published: Where scenes are published.
        folder: Where to keep them; removed when the work is done, and left as it is when it fails.
    """
    if published.named_by_bytes:
        yield published
        return
    kept = KeptTransport(published.transport, folder)
    yield replace(published, transport=kept)
    kept.forget()
