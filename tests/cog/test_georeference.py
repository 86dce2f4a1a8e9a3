"""Where a GeoTIFF lies: GDAL's reading where the file says it, a refusal where it does not."""

from collections.abc import Mapping

import numpy as np
import pytest
import rasterio
from pyproj import Geod, Transformer
from rasterio.crs import CRS
from scene_builders import geotiff_bytes, pixels
from tiff_builders import Entry, Tiff

from mrv_assets.cog.georeference import bounds_of, pixel_side_m
from mrv_assets.cog.header import read_header
from mrv_assets.errors import HeaderRefused
from mrv_assets.science.grid import Grid, tile_grid

SHORT, DOUBLE = 3, 12
OWN = CRS.from_proj4("+proj=laea +lat_0=45 +lon_0=22 +datum=WGS84 +units=m")
MODEL, RASTER, GEOGRAPHIC, PROJECTED, NAME, UTM, METHOD = 1024, 1025, 2048, 3072, 3073, 3074, 3075
TEXTS = 34737


def crs_of(data: bytes) -> str:
    """The CRS a file's header is read to have."""
    return read_header(lambda offset, length: data[offset : offset + length], len(data)).grid.crs


def refusal_of(data: bytes) -> str:
    """Why a file is refused."""
    with pytest.raises(HeaderRefused) as refusal:
        crs_of(data)
    return refusal.value.code


def keyed(keys: Mapping[int, int], text: str = "", *texts: int) -> bytes:
    """A GeoTIFF with these GeoKeys, and some that are all of a text."""
    tiff = Tiff.read(geotiff_bytes(pixels(8, 8)))
    value = text.encode() + b"|\0"
    entries = sorted(
        [(key, 0, 1, number) for key, number in keys.items()] + [(k, TEXTS, len(text) + 1, 0) for k in texts]
    )
    numbers = (1, 1, 0, len(entries), *(number for entry in entries for number in entry))
    citation = Entry(code=TEXTS, type=2, count=len(value), value=value)
    return tiff.without(34736, TEXTS).having(tiff.entry(34735, SHORT, *numbers), *([citation] if texts else [])).bytes()


@pytest.mark.parametrize(
    ("keys", "crs"),
    [
        ({MODEL: 1, RASTER: 1, PROJECTED: 32634}, "EPSG:32634"),
        ({MODEL: 2, RASTER: 1, GEOGRAPHIC: 4326}, "EPSG:4326"),
        # Heights above some sea level change nothing on the ground.
        ({MODEL: 1, RASTER: 1, PROJECTED: 32634, 4096: 5773}, "EPSG:32634"),
    ],
    ids=["projected", "geographic", "with-heights"],
)
def test_a_stated_code_is_the_crs(keys: Mapping[int, int], crs: str) -> None:
    """As its authority defines it."""
    assert crs_of(keyed(keys)) == crs


def test_a_code_with_other_units_is_not_that_code() -> None:
    """UTM counted in feet: GDAL reads feet, and so do we."""
    data = keyed({MODEL: 1, RASTER: 1, PROJECTED: 32634, 3076: 9002})

    crs = crs_of(data)

    with rasterio.MemoryFile(data) as memory, memory.open(driver="GTiff") as file:
        assert CRS.from_wkt(crs) == file.crs
    assert CRS.from_wkt(crs).linear_units == "foot"


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {MODEL: 0, RASTER: 1, PROJECTED: 32634},
        {MODEL: 3, RASTER: 1, GEOGRAPHIC: 4978},
        {MODEL: 1, RASTER: 1, PROJECTED: 60000},
        # A projection with none of its parameters, on no ellipsoid: GDAL puts WGS 84 and zeros in their place.
        {MODEL: 1, RASTER: 1, PROJECTED: 32767, UTM: 16034, METHOD: 1},
        {MODEL: 1, RASTER: 1, PROJECTED: 32767, UTM: 16034, METHOD: 1, 2054: 9102, 3076: 9001},
        {MODEL: 1, RASTER: 1, GEOGRAPHIC: 4326, PROJECTED: 32767, UTM: 16034, METHOD: 1},
    ],
    ids=["none", "no-model", "from-the-centre-of-the-earth", "no-such-code", "bare", "no-datum", "no-units"],
)
def test_a_crs_that_is_not_all_there_is_missing(keys: Mapping[int, int]) -> None:
    """What a reader makes up to fill a gap is no place on Earth."""
    assert refusal_of(keyed(keys)) == "crs_missing"


WKT_WITH_A_FILE = (
    'ESRI PE String = PROJCS["x",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["central_meridian",21],UNIT["metre",1],EXTENSION["PROJ4","+proj=tmerc +nadgrids=/etc/passwd"]]'
)


@pytest.mark.parametrize("text", [WKT_WITH_A_FILE, "+proj=tmerc +nadgrids=/etc/passwd"], ids=["wkt", "proj"])
def test_a_definition_cannot_name_files(text: str) -> None:
    """PROJ would open what it names as a grid of shifts."""
    keys = {MODEL: 1, RASTER: 1, GEOGRAPHIC: 4326, PROJECTED: 32767, UTM: 16034, 3076: 9001}
    harmless = crs_of(keyed(keys, "UTM of my own", NAME))

    code = refusal_of(keyed(keys, text, NAME))

    assert code == "crs_missing"
    assert "UTM of my own" in harmless


@pytest.mark.parametrize(("index", "value"), [(0, 200.0), (0, 1e300), (5, 200.0), (5, 1e300)])
def test_a_crs_that_leads_nowhere_is_refused(index: int, value: float) -> None:
    """A projection around latitude 200, or on a ball of 200 m: no transformation to the Earth exists."""
    tiff = Tiff.read(geotiff_bytes(pixels(8, 8), crs=OWN))
    numbers = list(tiff.numbers(34736))
    numbers[index] = value

    assert refusal_of(tiff.having(tiff.entry(34736, DOUBLE, *numbers)).bytes()) == "crs_unusable"
    assert crs_of(tiff.bytes())


@pytest.mark.parametrize("tile", ["34TER", "60WWD", "01CCV"])
def test_a_pixels_side_is_that_on_the_ground(tile: str) -> None:
    """Within a thousandth: the scale of UTM at the middle of the tile."""
    grid = tile_grid(tile)

    side = pixel_side_m(grid)

    assert side == pytest.approx(10, rel=2e-3)


def test_a_pixels_side_in_degrees_narrows_to_the_poles() -> None:
    """A ten-thousandth of a degree at 60 degrees north: 62.2 square metres."""
    grid = Grid(crs="EPSG:4326", x0=22.0, y0=60.0, dx=1e-4, dy=-1e-4, width=10, height=10)

    side = pixel_side_m(grid)

    lon, lat = [22.0, 22.0001, 22.0001, 22.0], [60.0, 60.0, 59.9999, 59.9999]
    area = abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0])
    assert side is not None
    np.testing.assert_allclose([side**2, area], 62.2, rtol=1e-3)


@pytest.mark.parametrize("place", [(22.0, 120.0, 1e-4), (9e8, 9e8, 10.0)])
def test_a_grid_beyond_the_earth_has_no_pixels_on_the_ground(place: tuple[float, float, float]) -> None:
    """Latitude 120, or a million kilometres east."""
    x0, y0, step = place
    crs = "EPSG:4326" if step < 1 else "EPSG:32634"

    assert pixel_side_m(Grid(crs=crs, x0=x0, y0=y0, dx=step, dy=-step, width=10, height=10)) is None


@pytest.mark.parametrize("tile", ["34TER", "60WWD", "01CCV", "01WCN", "31XEM", "56KKU"])
def test_bounds_are_those_of_the_outline(tile: str) -> None:
    """In degrees, to a hundredth: as of a thousand points along the sides; tiles at the antimeridian stay narrow."""
    grid = tile_grid(tile)
    right, bottom = grid.x0 + grid.width * grid.dx, grid.y0 + grid.height * grid.dy
    along = np.linspace(0, 1, 1001)
    xs = np.concatenate([grid.x0 + along * (right - grid.x0)] * 2 + [along * 0 + grid.x0, along * 0 + right])
    ys = np.concatenate([along * 0 + grid.y0, along * 0 + bottom] + [grid.y0 + along * (bottom - grid.y0)] * 2)

    found = bounds_of(grid)

    assert found is not None
    west, south, east, north = found
    lons, lats = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(xs, ys)
    turned = (lons - west + 1) % 360 - 1
    np.testing.assert_allclose([turned.min(), turned.max()], [0, east - west], atol=0.01)
    np.testing.assert_allclose([lats.min(), lats.max()], [south, north], atol=0.01)
    assert -180 <= west < 180


def test_bounds_of_degrees_are_its_corners() -> None:
    """Longitudes are written from -180 on, however the file counts them."""
    grid = Grid(crs="EPSG:4326", x0=359.0, y0=60.0, dx=0.1, dy=-0.1, width=20, height=10)

    np.testing.assert_allclose(bounds_of(grid), [-1, 59, 1, 60], atol=1e-9)


def test_a_grid_that_is_nowhere_has_no_bounds() -> None:
    """A million kilometres east and north."""
    assert bounds_of(Grid(crs="EPSG:32634", x0=9e8, y0=9e8, dx=10, dy=-10, width=10, height=10)) is None
