"""The formats of `mrv export`: the one list of them. A new format is a row here and a file of its name beside this one.

The file has ``write(content, folder, step)``, which is a :data:`mrv_assets.export.build.Writer`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format that an export is written in."""

    name: str
    """Value of ``--as``, and name of the module that writes it."""
    has_rasters: bool = False
    """True where pixels are written."""
    has_rows: bool = False
    """True where the parcels' rows are written."""


FORMATS = (
    Format(name="cog", has_rasters=True),
    Format(name="geoparquet", has_rows=True),
    Format(name="csv", has_rows=True),
    Format(name="xlsx", has_rows=True),
    Format(name="stac", has_rasters=True, has_rows=True),
)


def format_named(name: str) -> Format:
    """The format of a name.

    Raises:
        ValueError: When there is no format of this name.
    """
    for format in FORMATS:
        if format.name == name:
            return format
    raise ValueError(f"{name!r} is not an export format")
