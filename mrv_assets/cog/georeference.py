"""The position of a GeoTIFF on Earth: its CRS and the corners of its pixels, by its tags."""

import math
import struct
from functools import lru_cache
from threading import Lock

import numpy as np
from pyproj import Geod

from mrv_assets.cog.tiff import SHORT, Tag, TiffHeader, write_tiff
from mrv_assets.errors import HeaderRefused
from mrv_assets.science.grid import Bounds, Grid
from mrv_assets.science.projection import knows_a_way, transformed

# GeoKeys: type of the model (projected or geographic), pixel is area or point, and the EPSG codes.
_MODEL_TYPE, _RASTER_TYPE, _GEOGRAPHIC, _PROJECTED = 1024, 1025, 2048, 3072
_GEO_TAGS = (34735, 34736, 34737)

# In units of the CRS, from degrees to feet: the Earth's circumference is 1.3e8 feet. Beyond these limits, arithmetic on
# pixels has no meaning.
MAX_COORDINATE = 1e9
MIN_PIXEL, MAX_PIXEL = 1e-7, 1e6

# Texts that GDAL writes where GeoKeys are incomplete, and texts that make PROJ open a file named in the definition.
_NO_DEFINITION = ("unretrievable", 'UNIT["unknown"', "EXTENSION[", "+proj", "grids=")

_WGS84 = Geod(ellps="WGS84")

_LONLAT = "EPSG:4326"

# All other threads stand still while GDAL reads a CRS: one thread asks for it, and the rest use the cached answer.
_asking = Lock()


def grid_of(tiff: TiffHeader, width: int, height: int) -> Grid:
    """The pixel grid of a north-up GeoTIFF.

    Args:
        tiff: The file's tags.
        width: Width of the image, pixels.
        height: Height of the image, pixels.

    Raises:
        HeaderRefused: With one of the codes transform_missing, transform_invalid, rotated, crs_missing, crs_unusable.
    """
    keys = _geokeys(tiff)
    x0, y0, dx, dy = map(float, _transform(tiff))
    if keys.get(_RASTER_TYPE) == 2:
        # "Pixel is point": the tie point is a pixel's centre.
        x0, y0 = x0 - dx / 2, y0 - dy / 2
    corners = (x0, y0, x0 + width * dx, y0 + height * dy)
    # The comparisons are written so that NaN is refused too.
    if not all(abs(corner) <= MAX_COORDINATE for corner in corners) or not all(
        MIN_PIXEL <= abs(side) <= MAX_PIXEL for side in (dx, dy)
    ):
        raise HeaderRefused(
            "transform_invalid",
            f"pixels of {dx:g} by {dy:g} from {x0:g}, {y0:g} are not usable. Set its corners with gdal_edit -a_ullr",
        )
    with _asking:
        crs = _crs(tiff.order, tuple((code, tiff.tags[code]) for code in _GEO_TAGS if code in tiff.tags))
    if crs is None:
        raise HeaderRefused("crs_missing", "it states no usable CRS. Write its CRS with gdal_edit -a_srs")
    if not knows_a_way(crs, _LONLAT):
        raise HeaderRefused(
            "crs_unusable",
            "no transformation from its CRS to longitude and latitude is known. Warp it to a CRS with an EPSG code",
        )
    return Grid(crs=crs, x0=x0, y0=y0, dx=dx, dy=dy, width=width, height=height)


@lru_cache(maxsize=256)
def pixel_side_m(grid: Grid) -> float | None:
    """Side of a square with the area of a pixel on the ground, in the middle of the grid, metres.

    None where the middle of the grid is not on Earth.
    """
    if not knows_a_way(grid.crs, _LONLAT):
        return None
    x, y = grid.x0 + grid.width / 2 * grid.dx, grid.y0 + grid.height / 2 * grid.dy
    lon, lat = transformed(grid.crs, _LONLAT, [x, x + grid.dx, x], [y, y, y + grid.dy])
    # PROJ passes degrees on unchanged, even beyond 90.
    if not all(map(math.isfinite, lon)) or not all(abs(degrees) <= 90 for degrees in lat):
        return None
    _, _, sides = _WGS84.inv([lon[0]] * 2, [lat[0]] * 2, lon[1:], lat[1:])
    return math.sqrt(sides[0] * sides[1])


@lru_cache(maxsize=256)
def bounds_of(grid: Grid) -> Bounds | None:
    """West, south, east, north of a grid, degrees; east is above 180 where the grid crosses the antimeridian.

    None where no part of the grid is on Earth.
    """
    if not knows_a_way(grid.crs, _LONLAT):
        return None
    # The sides of the grid are curved in degrees, so the corners alone are not enough.
    steps = np.linspace(0, 1, 9)
    xs, ys = np.meshgrid(
        grid.x0 + steps * grid.width * grid.dx,
        grid.y0 + steps * grid.height * grid.dy,
    )
    lons, lats = (np.asarray(degrees).ravel() for degrees in transformed(grid.crs, _LONLAT, xs, ys))
    on_earth = np.isfinite(lons) & np.isfinite(lats)
    if not on_earth.any():
        return None
    # Longitudes are counted from the first point on, so that they do not jump at 180.
    first = lons[on_earth][0]
    lons = (lons[on_earth] - first + 180) % 360 - 180 + first
    west = (lons.min() + 180) % 360 - 180
    return float(west), float(lats[on_earth].min()), float(west + np.ptp(lons)), float(lats[on_earth].max())


def _transform(tiff: TiffHeader) -> tuple[float, float, float, float]:
    """Outer corner (x, y) and pixel size (dx, dy) of a north-up image by its tags, CRS units."""
    matrix, scale, tie = tiff.numbers(34264), tiff.numbers(33550), tiff.numbers(33922)
    if len(scale) >= 2 and len(tie) >= 6:
        col, row, _, x, y, _ = tie[:6]
        corner_and_size = x - col * scale[0], y + row * scale[1], scale[0], -scale[1]
    elif len(matrix) == 16:
        if matrix[1] or matrix[4]:
            raise HeaderRefused("rotated", "its rows do not run west to east. Warp it to a north-up grid")
        corner_and_size = matrix[3], matrix[7], matrix[0], matrix[5]
    else:
        raise HeaderRefused("transform_missing", "it does not state the position of its pixels. Write it as a GeoTIFF")
    if corner_and_size[2] < 0 or corner_and_size[3] > 0:
        raise HeaderRefused(
            "rotated",
            f"it is not north-up: its pixels are {corner_and_size[2]:g} by {corner_and_size[3]:g}. "
            "Warp it to a north-up grid",
        )
    return corner_and_size


def _geokeys(tiff: TiffHeader) -> dict[int, int]:
    """The GeoKeys whose values are numbers in the GeoKey directory itself, by key."""
    values = tiff.integers(34735)
    entries = (values[at : at + 4] for at in range(4, len(values) - 3, 4))
    return {key: value for key, location, _, value in entries if location == 0}


@lru_cache(maxsize=256)
def _crs(order: str, geokeys: tuple[tuple[int, Tag], ...]) -> str | None:
    """The CRS of GeoKeys, as GDAL reads it from a file of one empty tile; None where there is none that is usable."""
    import rasterio

    if not geokeys:
        return None
    shorts = {256: 16, 257: 16, 258: 8, 259: 1, 262: 1, 277: 1, 322: 16, 323: 16}
    tags = {code: Tag(type=SHORT, count=1, data=struct.pack(f"{order}H", value)) for code, value in shorts.items()}
    # Without a georeference GDAL would warn.
    tags[33550] = Tag(type=12, count=3, data=struct.pack(f"{order}3d", 10, 10, 0))
    tags[33922] = Tag(type=12, count=6, data=struct.pack(f"{order}6d", 0, 0, 0, 500000, 5000000, 0))
    tiff = TiffHeader(order=order, big=False, tags={**tags, **dict(geokeys)}, subfile_types=())
    try:
        with rasterio.MemoryFile(write_tiff(tiff, {}, 1)) as file, file.open(driver="GTiff") as dataset:
            crs = dataset.crs
            if crs is None or not (crs.is_projected or crs.is_geographic):
                return None
            keys = _geokeys(tiff)
            code = keys.get({1: _PROJECTED, 2: _GEOGRAPHIC}.get(keys.get(_MODEL_TYPE, 0), 0))
            # GDAL also guesses codes for similar definitions; only a stated code counts.
            if code is not None and crs.to_epsg() == code:
                return f"EPSG:{code}"
            definition = str(crs.to_wkt())
            return None if any(sign in definition for sign in _NO_DEFINITION) else definition
    except (rasterio.errors.RasterioError, rasterio.errors.CRSError, UnicodeDecodeError):
        # rasterio decodes names in the GeoKeys as UTF-8, even where they are not.
        return None
