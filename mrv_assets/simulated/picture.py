"""A picture of a simulated month: what each mission saw, one row a mission, one square a pass."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mrv_assets.simulated.archive import Json
from mrv_assets.simulated.landsat import COLLECTION as LANDSAT
from mrv_assets.simulated.publish import Simulated
from mrv_assets.simulated.sentinel1 import COLLECTION as SENTINEL1
from mrv_assets.simulated.sentinel2 import COLLECTION as SENTINEL2

SIDE_PX, GAP_PX, TITLE_PX = 192, 8, 18
PASSES = 3
"""Squares a row, at most."""
Colours = NDArray[np.uint8]

_WHITE, _BLACK, _CLOUD, _SHADOW = (255, 255, 255), (24, 24, 24), (240, 240, 246), (84, 84, 96)
# NDVI from bare to dense, as six stops between 0 and 1.
_RAMP = np.array(
    [(166, 97, 26), (223, 194, 125), (240, 234, 190), (166, 217, 106), (60, 150, 70), (0, 88, 40)], np.float64
)
_BRIGHTEST = {"vv": 0.35, "vh": 0.09}
"""Gamma naught that is shown white."""
_ROWS = (
    (SENTINEL2, "Sentinel-2, simulated: NDVI, clouds and shadows"),
    (LANDSAT, "Landsat 8/9, simulated: NDVI, clouds and shadows"),
    (SENTINEL1, "Sentinel-1, simulated: VV, VH, VV"),
)


def picture(simulated: Simulated, month: str) -> Image.Image:
    """The first passes of a month, mission by mission; north is up.

    Args:
        simulated: An archive on disk.
        month: One of its months.
    """
    rows = [
        (title, [_colours(simulated, item) for item in _passes(simulated, collection, month)])
        for collection, title in _ROWS
    ]
    rows = [(title, squares) for title, squares in rows if squares]
    width = GAP_PX + PASSES * (SIDE_PX + GAP_PX)
    canvas = Image.new("RGB", (width, GAP_PX + len(rows) * (TITLE_PX + SIDE_PX + GAP_PX)), _WHITE)
    draw = ImageDraw.Draw(canvas)
    for number, (title, squares) in enumerate(rows):
        top = GAP_PX + number * (TITLE_PX + SIDE_PX + GAP_PX)
        draw.text((GAP_PX, top), title, fill=_BLACK)
        for place, square in enumerate(squares):
            shown = Image.fromarray(square).resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST)
            canvas.paste(shown, (GAP_PX + place * (SIDE_PX + GAP_PX), top + TITLE_PX))
    # Few colours, so that the file is small.
    return canvas.quantize(40, dither=Image.Dither.NONE)


def _passes(simulated: Simulated, collection: str, month: str) -> list[Json]:
    """The first scene of each pass."""
    first: dict[str, Json] = {}
    for item in simulated.items_of(collection):
        day = item["properties"]["datetime"][:10]
        if day.startswith(month):
            first.setdefault(day, item)
    return list(first.values())[:PASSES]


def _colours(simulated: Simulated, item: Json) -> Colours:
    """A scene as red, green and blue, dims (y, x, 3)."""
    values = {
        key: _pixels(simulated, item, key)
        for key in ("red", "nir", "nir08", "scl", "qa_pixel", "vv", "vh")
        if key in item["assets"]
    }
    return _backscatter(values) if "vv" in values else _vegetation(values, item)


def _pixels(simulated: Simulated, item: Json, key: str) -> NDArray[Any]:
    with rasterio.open(simulated.folder_of(item) / f"{key}.tif") as file:
        values: NDArray[Any] = file.read(1)
    return values


def _vegetation(values: Mapping[str, NDArray[Any]], item: Json) -> Colours:
    [stated] = item["assets"]["red"]["raster:bands"]
    red, nir = (
        values[key].astype(np.float64) * stated["scale"] + stated["offset"]
        for key in ("red", "nir" if "nir" in values else "nir08")
    )
    ndvi = np.clip((nir - red) / np.maximum(nir + red, 1e-6), 0, 1) * (len(_RAMP) - 1)
    stop = np.minimum(ndvi.astype(int), len(_RAMP) - 2)
    part = (ndvi - stop)[..., np.newaxis]
    colours = np.asarray(_RAMP[stop] * (1 - part) + _RAMP[stop + 1] * part, np.uint8)
    if "scl" in values:
        classes = values["scl"].repeat(2, axis=0).repeat(2, axis=1)
        cloud, shadow = (classes == 8) | (classes == 9), classes == 3
    else:
        # QA_PIXEL: bit 3 cloud, bit 4 shadow, bit 0 fill.
        cloud, shadow = values["qa_pixel"] & 8 > 0, values["qa_pixel"] & 16 > 0
        colours[values["qa_pixel"] & 1 > 0] = _WHITE
    colours[cloud], colours[shadow] = _CLOUD, _SHADOW
    return colours


def _backscatter(values: Mapping[str, NDArray[Any]]) -> Colours:
    shown = [np.clip(values[key] / _BRIGHTEST[key], 0, 1) ** 0.5 * 255 for key in ("vv", "vh", "vv")]
    colours = np.stack(shown, axis=-1).astype(np.uint8)
    colours[values["vv"] < 0] = _WHITE
    return colours
