"""Which file of a STAC item is a mission's band, whatever the catalogue calls it."""

from collections.abc import Mapping, Sequence

from mrv_assets.missions.mission import Band, FoundBy, Mission
from mrv_assets.scenes.item import Item, band_label

Files = Mapping[str, Item]
"""STAC assets that link to a file, by key."""


def files_of(assets: Mapping[str, object]) -> dict[str, Item]:
    """The assets of an item that link to a file."""
    return {key: asset for key, asset in assets.items() if isinstance(asset, Mapping) and _has_link(asset)}


def is_jp2(asset: Item) -> bool:
    """Whether a file is JPEG 2000, which is not read: it has no COG tiles to fetch."""
    return asset.get("type") == "image/jp2" or asset["href"].split("?", 1)[0].lower().endswith(".jp2")


def asset_key(files: Files, name: str, mission: Mission) -> str | None:
    """Key of the file that is a band; None where there is none.

    The mission says where to look. Sentinel-2's bands have no common name to be found by: Planetary Computer's
    B8A shares "rededge" with three others.

    Args:
        files: The item's files.
        name: The mission's name for the band, reflectance or quality.
        mission: What its bands are called, and where.
    """
    band = mission.bands.get(name)
    if band is None:
        return _by_key(files, mission.quality[name].names, None, mission)
    found = (
        _by_key(files, band.names, band, mission) if where is FoundBy.KEY else _by_label(files, band, where)
        for where in band.found_by
    )
    return next((key for key in found if key is not None), None)


def _by_label(files: Files, band: Band, where: FoundBy) -> str | None:
    labelled = [key for key, asset in files.items() if band_label(asset, where) in band.names]
    # CDSE publishes a band at several resolutions: its own is the one that was not resampled.
    return min(
        labelled,
        key=lambda key: (_rank(key, band.names), files[key].get("gsd") != band.resolution_m, key),
        default=None,
    )


def _by_key(files: Files, names: Sequence[str], band: Band | None, mission: Mission) -> str | None:
    # A file that says it is another band is not this one, whatever its key.
    others = [one for one in mission.bands.values() if one is not band]
    return next((key for key in names if key in files and not _is_any(files[key], others)), None)


def _is_any(asset: Item, bands: Sequence[Band]) -> bool:
    return any(
        band_label(asset, where) in band.names for band in bands for where in band.found_by if where is not FoundBy.KEY
    )


def _rank(key: str, names: Sequence[str]) -> int:
    return names.index(key) if key in names else len(names)


def _has_link(asset: Item) -> bool:
    return isinstance(asset.get("href"), str) and bool(asset["href"])
