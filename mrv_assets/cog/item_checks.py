"""Checks of an item's statements on a file's position, shape and size against the file's own header."""

import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from mrv_assets.cog.georeference import bounds_of
from mrv_assets.errors import HeaderRefused
from mrv_assets.scenes.bbox import place_of, touches_bbox
from mrv_assets.scenes.item import recordable
from mrv_assets.science.grid import Grid

# Degrees by which item and file may differ: items state rounded bboxes.
APART_DEG = 0.1

# Statements of items may have any length and depth; findings are read by people and stored in records.
_SHORT = reprlib.Repr()
_SHORT.maxlist = 9
MAX_QUOTED = 160
_BELIEVED = "the file is believed"


def check_place(grid: Grid, item: Mapping[str, Any]) -> None:
    """Refuse a file that lies elsewhere than its item, because it belongs to another scene.

    Raises:
        HeaderRefused: With code place_conflict, when the file does not touch the bbox of its item.
    """
    stated, own = place_of(item).boxes, bounds_of(grid)
    if not stated or own is None:
        return
    west, south, east, north = own
    around = (west - APART_DEG, max(south - APART_DEG, -90.0), east + APART_DEG, min(north + APART_DEG, 90.0))
    if not touches_bbox(item, around):
        lies = _short([round(degrees, 4) for degrees in own])
        raise HeaderRefused(
            "place_conflict",
            f"it lies at {lies}, but its item at {_short([*stated[0]])} (west, south, east, north, degrees). "
            "Check that the link leads to this scene",
        )


def item_findings(grid: Grid, size: int, asset: Mapping[str, Any], item: Mapping[str, Any]) -> tuple[str, ...]:
    """Findings where item and file differ and the file counts, because its pixels are read; ``code: detail``."""
    properties = item.get("properties")
    levels = [asset, properties if isinstance(properties, Mapping) else {}]

    def stated(key: str) -> Any:
        return next((level[key] for level in levels if level.get(key) is not None), None)

    findings = []
    code = stated("proj:code") or (f"EPSG:{_short(stated('proj:epsg'))}" if stated("proj:epsg") else None)
    if code is not None and code != grid.crs:
        findings.append(f"crs_conflict: the item states {_short(code)}, the file {_short(grid.crs)}; {_BELIEVED}")
    transform = stated("proj:transform")
    own = (grid.dx, 0.0, grid.x0, 0.0, grid.dy, grid.y0)
    if transform is not None and not _near(transform, own, abs(grid.dx) * 1e-6):
        findings.append(f"transform_conflict: the item states {_short(transform)}, the file {list(own)}; {_BELIEVED}")
    shape = stated("proj:shape")
    if shape is not None and shape != [grid.height, grid.width]:
        own_shape = [grid.height, grid.width]
        findings.append(f"shape_conflict: the item states {_short(shape)}, the file {own_shape}; {_BELIEVED}")
    stated_size = asset.get("file:size")
    if stated_size is not None and stated_size != size:
        findings.append(f"size_conflict: the item states {_short(stated_size)} bytes, the file has {size}")
    return tuple(findings)


def _short(stated: object) -> str:
    # A name such as EPSG:32634 is quoted as it is; a lone surrogate cannot be stored in a record.
    text = recordable(stated) if isinstance(stated, str) else _SHORT.repr(stated)
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."


def _near(stated: object, own: Sequence[float], tolerance: float) -> bool:
    # STAC allows six numbers, or nine with the last row of the matrix.
    if not isinstance(stated, list) or len(stated) not in (6, 9):
        return False
    return all(
        # Whole numbers in JSON are unlimited, floats are not.
        isinstance(number, int | float)
        and abs(number) < 1e18
        and math.isclose(number, expected, rel_tol=0, abs_tol=tolerance)
        for number, expected in zip(stated, own)
    )
