"""Publishing a simulated archive: a static STAC catalogue on disk, and what is true of its ground."""

import json
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mrv_assets.errors import ArchiveError
from mrv_assets.simulated.archive import Archive, Json, Landsat, Observer, Sentinel1, Sentinel2
from mrv_assets.simulated.cogs import write_scenes
from mrv_assets.simulated.items import catalogue_of, collection_of, item_of
from mrv_assets.simulated.landsat import landsat_scenes
from mrv_assets.simulated.scene import SimulatedScene
from mrv_assets.simulated.sentinel1 import sentinel1_scenes
from mrv_assets.simulated.sentinel2 import sentinel2_scenes


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """An archive on disk."""

    archive: Archive
    folder: Path
    """Folder of the catalogue, which a programme names as a mission's ``catalog``."""
    items: tuple[Json, ...]
    """STAC items of all missions, as written."""

    def folder_of(self, item: Json) -> Path:
        """Folder of an item and its files."""
        return self.folder / str(item["collection"]) / str(item["id"])

    def items_of(self, collection: str) -> tuple[Json, ...]:
        """The items of one mission's collection, in order of time."""
        return tuple(item for item in self.items if item["collection"] == collection)


def simulate(folder: Path, archive: Archive) -> Simulated:
    """Write a simulated archive as a static STAC catalogue. The same archive gives the same bytes.

    The catalogue has a collection for each mission: ``simulated-sentinel-2-c1-l2a``, ``simulated-landsat-c2-l2``,
    ``simulated-sentinel-1-rtc``. Memory does not grow with the ground.

    Args:
        folder: New, or empty.
        archive: What it holds.

    Raises:
        ArchiveError: When there is something in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ArchiveError("folder", str(folder), "Name a folder that is new or empty")
    collections = []
    items: list[Json] = []
    for observer in archive.observers:
        published = [item for month in archive.months for item in _published(folder, archive, observer, month)]
        collection = collection_of(published)
        _write(folder / collection["id"] / "collection.json", collection)
        collections.append(collection)
        items += published
    # Last, so that half an archive is never taken for one.
    _write(folder / "catalog.json", catalogue_of(collections))
    return Simulated(archive=archive, folder=folder, items=tuple(items))


def scenes_of(archive: Archive, observer: Observer, month: str) -> list[SimulatedScene]:
    """The scenes of a mission and month, in order of time, not yet written."""
    match observer:
        case Sentinel2():
            return sentinel2_scenes(archive, observer, month)
        case Landsat():
            return landsat_scenes(archive, observer, month)
        case Sentinel1():
            return sentinel1_scenes(archive, observer, month)


def _published(folder: Path, archive: Archive, observer: Observer, month: str) -> list[Json]:
    """Write a month's scenes and their items."""
    scenes = scenes_of(archive, observer, month)
    for _, group in groupby(sorted(scenes, key=_place), key=_place):
        together = list(group)
        folders = [folder / scene.collection / scene.id for scene in together]
        folders[0].parent.mkdir(parents=True, exist_ok=True)
        write_scenes(together, folders)
    return [_with_item(scene, folder / scene.collection / scene.id) for scene in scenes]


def _place(scene: SimulatedScene) -> tuple[float, ...]:
    """Scenes of the same place have the same grid, and are written together."""
    return scene.grid.x0, scene.grid.y0, scene.grid.width, scene.grid.height


def _with_item(scene: SimulatedScene, folder: Path) -> Json:
    item = item_of(scene, folder)
    _write(folder / f"{scene.id}.json", item)
    return item


def _write(path: Path, document: Json) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n")
