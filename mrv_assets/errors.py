"""Every error that is raised on purpose, grouped by the next step of its reader.

MrvError
  BadInputError                    correct what was written, then run again
    ProgramError                   the programme file or the parcels: every problem at once
    SettingError                   an environment variable
    TileError                      the name of a tile
    CatalogueError                 a STAC catalogue
      SearchTooLarge               fewer months at once
    LinkRefused                    a link of a catalogue
      HrefRefused, HostRefused
    RequestRefused                 an export, or a manual decision
      ExportError, DecisionRefused
    LakeMismatch                   the lake of another programme
    ArchiveError, DemoFolderError  simulated scenes, and the demo's folder
  PartitionError                   an asset's tile and month
    NotMaterialized                run it first
    StaleUpstream                  run it again
    ClosedPartition                it holds a decision and no values
      GateRefused, NotEvaluated
    NotReproducible                compare two outputs
  DamagedLake                      restore from a backup, or compute again
  SceneReadError, ObjectReadError  run again: a publisher's file could not be read
    ObjectChanged
  HeaderRefused                    nothing to do: the scene is left out, and the record says why
  HoleError                        add a parcel there, or read elsewhere
"""

import reprlib
from dataclasses import dataclass

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120


class MrvError(Exception):
    """The root of all errors that this project raises on purpose."""


class BadInputError(MrvError):
    """Something the user wrote is wrong; the message names it, its value and the cure."""


class TileError(BadInputError):
    """A tile name is not a Sentinel-2 MGRS tile."""

    def __init__(self, tile: str, reason: str) -> None:
        super().__init__(tile, reason)
        self.tile, self.reason = tile, reason

    def __str__(self) -> str:
        return f"Tile {self.tile!r}: {self.reason}. Write it like 34TER: zone, latitude band, column, row."


class CatalogueError(BadInputError):
    """A STAC catalogue cannot be used as it is."""

    def __init__(self, catalogue: str, reason: str, cure: str, status: int = 0) -> None:
        super().__init__(catalogue, reason, cure, status)
        # The HTTP status that is the reason; 0 where it is not.
        self.catalogue, self.reason, self.cure, self.status = catalogue, reason, cure, status

    def __str__(self) -> str:
        return f"Catalogue {self.catalogue}: {self.reason}. {self.cure}"


class SearchTooLarge(CatalogueError):
    """A search has more answers than are accepted; fewer months at once have fewer answers."""


class SceneReadError(MrvError):
    """A published scene could not be read; running again may help."""

    def __init__(self, item_id: str, band: str, host: str, reason: str, cure: str = "") -> None:
        # All arguments, in order: errors cross processes, and pickle rebuilds them.
        super().__init__(item_id, band, host, reason, cure)
        self.item_id, self.band, self.host, self.reason, self.cure = item_id, band, host, reason, cure

    def __str__(self) -> str:
        cure = self.cure or "Check that the link opens with your credentials"
        return (
            f"Scene {self.item_id}: could not read {self.band!r} from {self.host} ({self.reason}). "
            f"{cure.rstrip('.')}, then run the partition again; what was read already is not fetched twice."
        )


class HeaderRefused(MrvError):
    """A file's header does not describe pixels that can be trusted; the scene is left out for this reason."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class HoleError(MrvError):
    """Pixels were requested that were never fetched: a hole is not nodata."""

    def __init__(self, file: str, tiles: tuple[int, ...]) -> None:
        super().__init__(file, tiles)
        self.file, self.tiles = file, tiles

    def __str__(self) -> str:
        return (
            f"{self.file}: COG tiles {list(self.tiles)} were not fetched, because no active block needs them. "
            "Read inside the active blocks, or add a parcel there and run raw_tiles again."
        )


class PartitionError(MrvError):
    """A partition of the lake, an asset's tile and month, cannot be used."""

    def __init__(self, asset: str, tile: str, month: str, *details: object) -> None:
        # All arguments, in order: errors cross processes, and pickle rebuilds them.
        super().__init__(asset, tile, month, *details)
        self.asset, self.tile, self.month = asset, tile, month

    @property
    def partition(self) -> str:
        """The partition, as messages name it."""
        return f"{self.asset} {self.tile} {self.month}"


class NotMaterialized(PartitionError):
    """An asset's partition is not in the lake yet."""

    def __str__(self) -> str:
        return f"{self.partition} is not in the lake. Run: mrv run --tile {self.tile} --month {self.month}"


class StaleUpstream(PartitionError):
    """A partition was made under another programme, or from records that have been replaced since."""

    def __init__(self, asset: str, tile: str, month: str, reason: str) -> None:
        super().__init__(asset, tile, month, reason)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.partition}: {self.reason}. "
            f"Bring the whole partition up to date: mrv run --tile {self.tile} --month {self.month}"
        )


class ReviewerRemoved(StaleUpstream):
    """A month was approved by somebody who is not among the programme's reviewers any more."""

    def __init__(self, asset: str, tile: str, month: str, names: tuple[str, ...]) -> None:
        super().__init__(
            asset, tile, month, f"it was approved by {', '.join(names)}, no longer among the programme's reviewers"
        )
        # Errors cross processes, and pickle rebuilds them from their arguments.
        self.args = (asset, tile, month, names)
        self.names = names


class NotReproducible(PartitionError):
    """The same request gave another output; both are kept for inspection."""

    def __init__(self, asset: str, tile: str, month: str, first: str, second: str) -> None:
        super().__init__(asset, tile, month, first, second)
        self.first, self.second = first, second

    def __str__(self) -> str:
        return (
            f"{self.partition}: the same request gave record {self.first[:12]} before and "
            f"{self.second[:12]} now. Both are kept under records/; compare their outputs and their run records' "
            "environments before trusting either."
        )


class ClosedPartition(PartitionError):
    """A partition that holds a decision and no values to open."""

    def __init__(self, asset: str, tile: str, month: str, reasons: tuple[str, ...]) -> None:
        super().__init__(asset, tile, month, reasons)
        self.reasons = reasons


class GateRefused(ClosedPartition):
    """The gate rejected this tile-month; its indices must not be used."""

    def __str__(self) -> str:
        return (
            f"{self.partition} is REJECTED ({', '.join(self.reasons)}). "
            "Unverified data does not leave the gate; the measured indices can be inspected by opening "
            f"{self.asset.split('/')[0]}/indices instead."
        )


class NotEvaluated(ClosedPartition):
    """A mission was not needed for this tile-month, so there is nothing of it to open."""

    def __str__(self) -> str:
        return (
            f"{self.partition} is NOT_EVALUATED ({', '.join(self.reasons)}): no scene of it was "
            "read. Open the mission that monthly_proxies names for this month instead."
        )


class RequestRefused(BadInputError):
    """A request cannot be carried out as it was made."""

    def __init__(self, what: str, value: str, reason: str, cure: str) -> None:
        super().__init__(what, value, reason, cure)
        self.what, self.value, self.reason, self.cure = what, value, reason, cure

    def __str__(self) -> str:
        return f"{self.what} {_SHORT.repr(self.value)}: {self.reason}. {self.cure}."


class ExportError(RequestRefused):
    """An export cannot be made as it was requested."""


class DecisionRefused(RequestRefused):
    """A manual decision cannot be made as it was requested."""


class LakeMismatch(BadInputError):
    """The lake belongs to another programme or format."""

    def __init__(self, lake: str, found: str, expected: str) -> None:
        super().__init__(lake, found, expected)
        self.lake, self.found, self.expected = lake, found, expected

    def __str__(self) -> str:
        return (
            f"Lake {self.lake} belongs to {self.found}, not to {self.expected}. "
            "A lake holds one programme: set MRV_LAKE to another folder, or MRV_PROGRAM to the lake's programme."
        )


class DamagedLake(MrvError):
    """A stored object cannot be read, or is not the object that its name or record states."""

    def __init__(self, object_name: str, reason: str) -> None:
        super().__init__(object_name, reason)
        self.object_name, self.reason = object_name, reason

    def __str__(self) -> str:
        # The order of heads, the circumstances of runs and what reviewers signed follow from nothing else.
        parts = ("heads", "runs", "decisions", "lake.json")
        only_kept = any(part in parts for part in self.object_name.split("/"))
        cure = "it cannot be derived again" if only_kept else "or derive it again with --force"
        between = ":" if only_kept else ","
        return f"{self.object_name}: {self.reason}. Restore this object from a backup{between} {cure}."


class LinkRefused(BadInputError):
    """A link of a catalogue is not followed."""

    def __init__(self, href: str, reason: str) -> None:
        super().__init__(href, reason)
        self.href, self.reason = href, reason


class HrefRefused(LinkRefused):
    """A link leads to an address that its catalogue may not link to."""

    def __str__(self) -> str:
        return (
            f"Link {self.href!r}: {self.reason}. A catalogue on disk may only link to files beneath its own folder "
            "(copy the file there and make the link relative), one on the network to https and s3 addresses."
        )


class HostRefused(LinkRefused):
    """A link leads to a machine that must not be read from."""

    def __str__(self) -> str:
        return (
            f"Link {self.href!r}: {self.reason}. Only hosts of the catalogue's preset and those that MRV_ALLOW_HOSTS "
            "names are read from, and buckets that MRV_S3_BUCKETS names; ask who publishes the link before you add one."
        )


class ObjectReadError(MrvError):
    """Bytes of a published object could not be read."""

    def __init__(self, href: str, reason: str, permanent: bool = False, cure: str = "", gone: bool = False) -> None:
        super().__init__(href, reason, permanent, cure, gone)
        self.href, self.reason, self.cure = href, reason, cure
        self.gone = gone
        """True where its server, or the disk, says that there is no such object."""
        self.permanent = permanent
        """False where running again may help by itself."""

    def __str__(self) -> str:
        cure = self.cure or (
            "Check that it opens and is complete, then run the partition again; "
            "what is already in the lake is not fetched twice"
        )
        return f"{self.href}: {self.reason}. {cure}."


class ObjectChanged(ObjectReadError):
    """A published object was replaced while it was read: bytes read so far do not belong to the present object."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One mistake in the user's input."""

    field: str
    """Location: ``gate.min_coverage``, ``parcels.geojson: features[3].geometry``, or a file's name."""
    reason: str
    cure: str
    value: object = None
    """Value that is written there; None where nothing is written."""

    def __str__(self) -> str:
        written = "" if self.value is None else f" = {_SHORT.repr(self.value)}"
        return f"{self.field}{written}: {self.reason}. {self.cure}."


class ProgramError(BadInputError):
    """A programme cannot be used as it is; every problem at once."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(source, problems)
        self.source, self.problems = source, problems

    def __str__(self) -> str:
        count = f"{len(self.problems)} problem{'' if len(self.problems) == 1 else 's'}"
        return "\n".join([f"{self.source}: {count}", *(f"  {problem}" for problem in self.problems)])


class SettingError(BadInputError):
    """An environment variable cannot be used as it is."""

    def __init__(self, variable: str, value: str, reason: str, cure: str) -> None:
        super().__init__(variable, value, reason, cure)
        self.variable, self.value, self.reason, self.cure = variable, value, reason, cure

    def __str__(self) -> str:
        return f"{self.variable}={self.value}: {self.reason}. {self.cure}."


class ArchiveError(BadInputError):
    """A simulated archive cannot be made as it was requested."""

    def __init__(self, what: str, value: object, cure: str) -> None:
        super().__init__(what, value, cure)
        self.what, self.value, self.cure = what, value, cure

    def __str__(self) -> str:
        return f"Simulated archive, {self.what} {_SHORT.repr(self.value)}: {self.cure}."


class DemoFolderError(BadInputError):
    """The folder of the demo's simulated programme holds files that this version does not make."""

    def __init__(self, folder: str, file: str, reason: str) -> None:
        super().__init__(folder, file, reason)
        self.folder, self.file, self.reason = folder, file, reason

    def __str__(self) -> str:
        return (
            f"Folder {self.folder} of the demo's simulated programme, {self.file}: {self.reason}. "
            "Move the folder away, or name another folder with --into, and run `mrv demo` again: it makes a new one."
        )
