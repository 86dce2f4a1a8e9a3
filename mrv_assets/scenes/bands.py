"""The files of a STAC item that hold a mission's bands, under whatever name the catalogue uses."""

from collections.abc import Mapping, Sequence

from mrv_assets.missions.mission import Band, FoundBy, Mission
from mrv_assets.scenes.item import Item, band_label

Files = Mapping[str, Item]
"""STAC assets that link to a file, by key."""


def files_of(assets: Mapping[str, object]) -> dict[str, Item]:
    """The STAC assets of an item that link to a file, by key."""
    return {key: asset for key, asset in assets.items() if isinstance(asset, Mapping) and _has_link(asset)}


def is_jp2(asset: Item) -> bool:
    """Whether a file is JPEG 2000, which is not read, because it has no COG tiles to fetch."""
    return asset.get("type") == "image/jp2" or asset["href"].split("?", 1)[0].lower().endswith(".jp2")


def asset_key(files: Files, name: str, mission: Mission) -> str | None:
    """Key of the file that holds a band; None where there is none.

    The mission defines the fields to search. Sentinel-2's bands cannot be found by their common names: Planetary
    Computer's B8A shares "rededge" with three others.

    Args:
        files: The item's files.
        name: The mission's name for the band, reflectance or quality.
        mission: The mission, with the names of its bands and the fields that hold them.
    """
    band = mission.bands.get(name)
    if band is None:
        return _by_key(files, mission.quality[name].names, None, mission)
    keys = (
        _by_key(files, band.names, band, mission) if where is FoundBy.KEY else _by_label(files, band, where)
        for where in band.found_by
    )
    return next((key for key in keys if key is not None), None)


def _by_label(files: Files, band: Band, where: FoundBy) -> str | None:
    labelled = [key for key, asset in files.items() if band_label(asset, where) in band.names]
    # CDSE publishes a band at several resolutions: the native one was not resampled.
    return min(
        labelled,
        key=lambda key: (_rank(key, band.names), files[key].get("gsd") != band.resolution_m, key),
        default=None,
    )


def _by_key(files: Files, names: Sequence[str], band: Band | None, mission: Mission) -> str | None:
    # A file that states another band is not this band, whatever its key.
    others = [other for other in mission.bands.values() if other is not band]
    return next((key for key in names if key in files and not _is_any(files[key], others)), None)


def _is_any(asset: Item, bands: Sequence[Band]) -> bool:
    return any(
        band_label(asset, where) in band.names for band in bands for where in band.found_by if where is not FoundBy.KEY
    )


def _rank(key: str, names: Sequence[str]) -> int:
    return names.index(key) if key in names else len(names)


def _has_link(asset: Item) -> bool:
    return isinstance(asset.get("href"), str) and bool(asset["href"])
