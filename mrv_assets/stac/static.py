"""A static STAC catalogue on disk, searched by bbox and time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from mrv_assets.errors import CatalogueError, HrefRefused
from mrv_assets.scenes.bbox import touches_bbox
from mrv_assets.scenes.item import instant, quoted, text
from mrv_assets.science.grid import Bounds
from mrv_assets.stac.json_document import MAX_DOCUMENT_BYTES, parsed
from mrv_assets.stac.pages import stated_count
from mrv_assets.stac.source import Json, SearchResult
from mrv_assets.transport.store import is_remote, path_beneath

MAX_DOCUMENTS = 1_000_000
MAX_PAGE_BYTES = 128 << 20
"""Bytes of a saved page of items, as of all pages of a search."""


@dataclass(frozen=True, kw_only=True)
class _ItemFile:
    """An item, and the folder of its document."""

    item: Json
    collection: str | None
    """The collection that the item states; else the one whose document links it."""
    parent: str | None
    """The collection whose document links it."""
    folder: Path


@dataclass(frozen=True, kw_only=True)
class _Contents:
    """All items and collections beneath a catalogue."""

    files: tuple[_ItemFile, ...]
    without_collection: bool
    """Whether it is a saved page with items that state no collection: they are of the one that is asked for."""
    collections: Mapping[str, Json]
    """The collection's document by its id; empty for one that only items name."""
    elsewhere: Mapping[str, str]
    """Address of a collection's items, where its document links them over the network, by the collection's id."""


@dataclass(frozen=True)
class StaticCatalogue:
    """A catalogue of JSON documents on disk, each of which is read once."""

    root: Path
    """Its folder, resolved; no file outside is ever read."""
    document: Path
    """The document the walk starts from."""

    @classmethod
    def open(cls, path: str | Path) -> "StaticCatalogue":
        """The catalogue of a folder, of its catalog.json or collection.json, or of a saved page of items.

        Raises:
            CatalogueError: When there is none, or its first document cannot be used.
        """
        given = Path(path)
        candidates = [given / "catalog.json", given / "collection.json"] if given.is_dir() else [given]
        document = next((candidate for candidate in candidates if candidate.is_file()), None)
        if document is None:
            raise CatalogueError(
                str(path),
                "there is no catalog.json or collection.json here",
                "Name the folder of a static STAC catalogue, its catalog.json, or a saved FeatureCollection of items",
            )
        document = document.resolve()
        _document(document, page=True)
        return cls(document.parent, document)

    def search(self, collection: str, bounds: Bounds, start: str, end: str) -> SearchResult:
        """Items of a collection that touch a bbox and a time, both ends included.

        More than a month may come back, never less: an item whose time cannot be read is among them, so that
        selection can say why it is left out.

        Args:
            collection: Collection id.
            bounds: West, south, east, north in degrees.
            start: First instant, ISO 8601.
            end: Last instant, ISO 8601.

        Raises:
            CatalogueError: When a document cannot be used, or there is no such collection.
        """
        if collection not in self._contents.collections and not self._contents.without_collection:
            present = quoted(", ".join(sorted(self._contents.collections))) or "none"
            raise CatalogueError(
                str(self.document),
                f"it has no collection {collection!r}",
                f"It has: {present}. Set the mission's collection to one of them",
            )
        self._check_items(collection)
        first, last = instant(start), instant(end)
        if first is None or last is None:
            raise ValueError(f"a search needs two ISO 8601 instants, not {start!r} and {end!r}")
        items = tuple(
            file.item
            for file in self._contents.files
            if file.collection in (collection, None)
            and _touches_time(file.item, first, last)
            and touches_bbox(file.item, bounds)
        )
        return SearchResult(items=items, matched=len(items), returned=len(items))

    def _check_items(self, collection: str) -> None:
        """Refuse a collection that has none of its items here, although its document leads to some."""
        if any(file.collection in (collection, None) for file in self._contents.files):
            return
        if others := sorted({str(file.collection) for file in self._contents.files if file.parent == collection}):
            raise CatalogueError(
                str(self.document),
                f"the items that collection {collection!r} links say that they are of {quoted(', '.join(others))}",
                "Set the mission's collection to that, or correct the items",
            )
        if (linked := self._contents.elsewhere.get(collection)) is not None:
            raise CatalogueError(
                str(self.document),
                f"its items are not here: {collection!r} links them at {quoted(linked)}",
                "Name that API as the catalogue, or save its items beside the collection",
            )

    def item_assets(self, collection: str) -> Json:
        """A collection's own description of its items' STAC assets, by key; empty where it has none."""
        described = self._contents.collections.get(collection, {}).get("item_assets")
        return described if isinstance(described, dict) else {}

    def absolute_href(
        self, item_id: str, href: str, collection: str | None = None, *, item: Mapping[str, object] | None = None
    ) -> str:
        """The file that an item's link means, as an absolute path.

        Args:
            item_id: The item that has the link; the first where two have this id.
            href: The link, as published.
            collection: The item's collection; needed only where several hold this id.
            item: The item itself, as a search gave it, where several items have this id.

        Raises:
            CatalogueError: When no item has this id, or items of several collections have.
            HrefRefused: When the link leads out of the catalogue.
        """
        if is_remote(href):
            # The transport holds it against the hosts that may be read from.
            return href
        if item is not None and (own := self._folders_of_items.get(id(item))) is not None:
            return str(path_beneath(self.root, own, href))
        by_collection = self._folders.get(item_id, {})
        if collection is not None:
            by_collection = {name: folder for name, folder in by_collection.items() if name == collection}
        if len(by_collection) != 1:
            raise CatalogueError(
                str(self.document),
                f"{len(by_collection) or 'no'} collections hold an item {item_id!r}",
                "Name an item of this catalogue, with its collection where several share the id",
            )
        [folder] = by_collection.values()
        return str(path_beneath(self.root, folder, href))

    @cached_property
    def _contents(self) -> _Contents:
        files: list[_ItemFile] = []
        collections: dict[str, Json] = {}
        elsewhere: dict[str, str] = {}
        for path, document, parent in _walk(self.root, self.document):
            if document.get("type") == "FeatureCollection":
                for item in _features(path, document):
                    stated = item.get("collection")
                    collection = stated if isinstance(stated, str) else parent
                    files.append(_ItemFile(item=item, collection=collection, parent=parent, folder=path.parent))
                    if collection:
                        collections.setdefault(collection, {})
            elif document.get("type") == "Feature":
                stated = document.get("collection")
                collection = stated if isinstance(stated, str) else parent
                files.append(_ItemFile(item=document, collection=collection, parent=parent, folder=path.parent))
                if collection:
                    collections.setdefault(collection, {})
            elif document.get("type") == "Collection":
                name = _text(path, document, "id")
                if (other := collections.get(name)) and other.get("item_assets") != document.get("item_assets"):
                    raise CatalogueError(
                        str(path),
                        f"another collection here has its id {quoted(name)!r} and describes its assets otherwise",
                        "Give each an id of its own, which its items state, or make a catalogue of each",
                    )
                collections[name] = document
                if address := _remote_items(document):
                    elsewhere[name] = address
        alone = any(file.collection is None for file in files) and not collections
        return _Contents(files=tuple(files), without_collection=alone, collections=collections, elsewhere=elsewhere)

    @cached_property
    def _folders_of_items(self) -> Mapping[int, Path]:
        """Folder by the item object itself, which lives as long as this catalogue."""
        return {id(file.item): file.folder for file in self._contents.files}

    @cached_property
    def _folders(self) -> Mapping[str, Mapping[str | None, Path]]:
        """Folder by item id and collection; that of the first item where two have one id."""
        folders: dict[str, dict[str | None, Path]] = {}
        for file in self._contents.files:
            folders.setdefault(str(file.item.get("id")), {}).setdefault(file.collection, file.folder)
        return folders


def _walk(root: Path, start: Path) -> Iterator[tuple[Path, Json, str | None]]:
    """Every document once, in the order linked, with the id of the collection above it. Links may form loops."""
    pending: list[tuple[Path, str | None]] = [(start, None)]
    pages = {start}
    seen: set[Path] = set()
    while pending:
        path, parent = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        if len(seen) > MAX_DOCUMENTS:
            raise CatalogueError(
                str(start),
                f"it links more than {MAX_DOCUMENTS} documents",
                "Split it into several catalogues",
            )
        document = _document(path, page=path in pages)
        yield path, document, parent
        if document.get("type") in ("Feature", "FeatureCollection"):
            continue
        above = _text(path, document, "id") if document.get("type") == "Collection" else parent
        linked = list(_children(root, path, document))
        pages.update(child for rel, child in linked if rel == "items")
        children = [(child, above) for _, child in linked]
        pending.extend(reversed(children))


def _children(root: Path, path: Path, document: Json) -> Iterator[tuple[str, Path]]:
    """Documents beneath one, each with the relation of its link. Pages of items on the network are none of them."""
    links = document.get("links")
    if not isinstance(links, list):
        raise CatalogueError(str(path), "it has no list of links", "Write the catalogue again; STAC requires links")
    for link in links:
        if not isinstance(link, dict) or link.get("rel") not in ("child", "item", "items"):
            continue
        href = link.get("href")
        if link["rel"] == "items" and isinstance(href, str) and is_remote(href):
            continue
        if not isinstance(href, str):
            raise CatalogueError(str(path), f"a {link['rel']} link has no href", "Give it one, or remove the link")
        try:
            yield link["rel"], path_beneath(root, path.parent, href)
        except HrefRefused as refusal:
            raise CatalogueError(
                str(path),
                f"its {link['rel']} link {quoted(refusal.href)!r} cannot be followed: {refusal.reason}",
                "Make it a relative link to a file beneath the catalogue's folder",
            ) from refusal


def _features(path: Path, document: Json) -> Iterator[Json]:
    """The items of a saved page, which has to be a whole answer."""
    features = document.get("features")
    count, matched = len(features) if isinstance(features, list) else 0, stated_count(document)
    more = any(link.get("rel") == "next" for link in _links(document))
    if count < matched if matched is not None else more:
        raise CatalogueError(
            str(path),
            f"it is one page of several: it holds {count} items"
            + (" and links to more" if matched is None else f" of {matched} that match"),
            "Save the items of all pages in one FeatureCollection",
        )
    for feature in features if isinstance(features, list) else ():
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise CatalogueError(
                str(path), "it holds an entry that is not an item", "Save the items of a search, or name a catalogue"
            )
        yield feature


def _links(document: Json) -> list[Json]:
    links = document.get("links")
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def _remote_items(document: Json) -> str:
    """The address on the network at which a collection's document links its items; empty where there is none."""
    addresses = (link.get("href") for link in _links(document) if link.get("rel") == "items")
    return next((href.partition("?")[0] for href in addresses if isinstance(href, str) and is_remote(href)), "")


def _document(path: Path, *, page: bool = False) -> Json:
    """One STAC document; its size and depth are bounded. Only the first, and one that is linked so, may be a page."""
    cure = "Write it again as UTF-8 STAC JSON, or remove the link to it"
    limit = MAX_PAGE_BYTES if page else MAX_DOCUMENT_BYTES
    if path.exists() and not path.is_file():
        raise CatalogueError(str(path), "it is not a file", cure)
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise CatalogueError(str(path), f"it cannot be read ({error.strerror})", cure) from error
    if len(data) > limit:
        raise CatalogueError(
            str(path), f"it is larger than {limit >> 20} MB", "Split it into several files or catalogues"
        )
    try:
        document = parsed(data)
    except ValueError as error:
        raise CatalogueError(str(path), f"it {error}", cure) from error
    kinds = ("Catalog", "Collection", "Feature", *(("FeatureCollection",) if page else ()))
    if not isinstance(document, dict) or document.get("type") not in kinds:
        raise CatalogueError(str(path), "it is not a STAC catalogue, collection or item", cure)
    return document


def _text(path: Path, document: Json, key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise CatalogueError(str(path), f"its {key!r} is not text", "Write it again; STAC requires it")
    return value


def _touches_time(item: Json, first: datetime, last: datetime) -> bool:
    at, begin, stop = (instant(text(item, key)) for key in ("datetime", "start_datetime", "end_datetime"))
    if at is None and begin is None:
        return True
    if at is not None and first <= at <= last:
        return True
    return begin is not None and begin <= last and (stop or begin) >= first
