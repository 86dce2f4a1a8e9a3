"""What is on disk: files that any reader reads, the same every time, and items that say what they are."""

import hashlib
import itertools
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
import tifffile
from pyproj import Transformer
from shapely.geometry import shape
from simulated_patches import COLLECTIONS, MONTH, PATCH, a_patch, bands_of, files_under, read_json

from mrv_assets.cog.header import check_header, read_header
from mrv_assets.errors import ArchiveError
from mrv_assets.missions.registry import MISSIONS
from mrv_assets.scenes.select import select
from mrv_assets.science.grid import Window, tile_grid
from mrv_assets.simulated.archive import Landsat, Sentinel1, Sentinel2
from mrv_assets.simulated.publish import Simulated, simulate
from mrv_assets.stac.static import StaticCatalogue

KNOWN = sorted({"sentinel2", "landsat"} & set(MISSIONS))
"""Optical missions that a programme may name."""


def test_the_same_archive_is_the_same_bytes_in_any_process(clouded: Simulated, tmp_path: Path) -> None:
    """Made again by another process with other string hashes, every file has the same bytes."""
    code = (
        "import pickle, sys; from pathlib import Path; from mrv_assets.simulated.publish import simulate; "
        "simulate(Path(sys.argv[1]), pickle.loads(sys.stdin.buffer.read()))"
    )

    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "again")],
        input=pickle.dumps(clouded.archive),
        env={**os.environ, "PYTHONHASHSEED": "17"},
        check=True,
        timeout=120,
    )

    before, after = files_under(clouded.folder), files_under(tmp_path / "again")
    assert sorted(before) == sorted(after)
    assert [name for name, data in before.items() if after[name] != data] == []
    assert len([name for name in before if name.endswith(".tif")]) > 20


def test_another_seed_is_another_ground(clear: Simulated, tmp_path: Path) -> None:
    """A seed decides everything."""
    other = simulate(tmp_path / "other", a_patch(seed=2, observers=(Sentinel2(every_days=28),)))

    here, there = (bands_of(one, one.items_of(COLLECTIONS["sentinel2"])[0])["nir"] for one in (clear, other))
    assert abs(np.corrcoef(here.ravel(), there.ravel())[0, 1]) < 0.3


def test_a_larger_archive_holds_the_smaller_ones_ground(clear: Simulated, tmp_path: Path) -> None:
    """A piece of a tile is a piece of the tile, noise and speckle and all."""
    west, north = 64, 32
    window = Window(PATCH.row + north, PATCH.col + west, 128, 128)
    observers = (Sentinel2(every_days=10), Landsat(every_days=16), Sentinel1())

    small = simulate(tmp_path / "small", a_patch(window=window, observers=observers))

    here, there = (one.items_of(COLLECTIONS["sentinel2"])[0] for one in (clear, small))
    large, part = bands_of(clear, here), bands_of(small, there)
    np.testing.assert_array_equal(large["red"][north : north + 128, west : west + 128], part["red"])
    np.testing.assert_array_equal(large["scl"][north // 2 :, west // 2 :][:64, :64], part["scl"])
    here, there = (one.items_of(COLLECTIONS["sentinel1"])[0] for one in (clear, small))
    large, part = bands_of(clear, here), bands_of(small, there)
    np.testing.assert_array_equal(
        large["vh"][north:, west:][: part["vh"].shape[0], : part["vh"].shape[1]][40:-40, 40:-40],
        part["vh"][40:-40, 40:-40],
    )


def test_every_file_is_a_cog(clear: Simulated) -> None:
    """Tiled at every level, halved from level to level, directories before pixels, and it says that it is simulated."""
    files = sorted(clear.folder.rglob("*.tif"))

    for path in files:
        with tifffile.TiffFile(path) as tiff:
            levels = [page.asarray() for page in tiff.pages]
            assert all(page.is_tiled and page.tilewidth == 128 for page in tiff.pages)
            assert all(page.tags["NewSubfileType"].value == 1 for page in tiff.pages[1:])
            assert tiff.pages[0].tags["ImageDescription"].value.startswith("Simulated")
        assert b"LAYOUT=IFDS_BEFORE_DATA" in path.read_bytes()[:300]
        for finer, coarser in itertools.pairwise(levels):
            assert coarser.shape == tuple(-(-side // 2) for side in finer.shape)
        assert max(levels[-1].shape) <= 128
    assert len(files) > 20


def test_overviews_are_means_of_reflectance(clear: Simulated) -> None:
    """Half as fine, four pixels' mean, rounded."""
    item = clear.items_of(COLLECTIONS["sentinel2"])[0]

    with tifffile.TiffFile(clear.folder_of(item) / "red.tif") as tiff:
        fine, coarse = (page.asarray().astype(float) for page in tiff.pages[:2])

    means = (fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2]) / 4
    assert np.abs(coarse - means).max() <= 1


def test_the_catalogue_is_stac(clear: Simulated) -> None:
    """pystac reads it whole: three collections, items with times, outlines, links that lead somewhere, checksums."""
    catalogue = pystac.Catalog.from_file(clear.folder / "catalog.json")

    items = list(catalogue.get_items(recursive=True))
    assert {child.id for child in catalogue.get_children()} == set(COLLECTIONS.values())
    assert len(items) == len(clear.items) > 5
    for item in items:
        assert item.get_parent() is not None
        assert item.datetime is not None
        assert item.datetime.strftime("%Y-%m") == MONTH
        assert item.properties["mrv:simulated"] is True
        assert item.properties["title"].startswith("Simulated")
        outline = shape(item.geometry)
        np.testing.assert_allclose(outline.bounds, item.bbox)
        for asset in item.assets.values():
            assert asset.title.startswith("Simulated")
            path = Path(asset.get_absolute_href())
            data = path.read_bytes()
            assert asset.extra_fields["file:size"] == len(data)
            assert asset.extra_fields["file:checksum"] == f"1220{hashlib.sha256(data).hexdigest()}"


def test_items_say_of_their_files_what_the_files_say(clear: Simulated) -> None:
    """CRS, shape, transform, type and nodata of every band, read back by GDAL; and the outline is the pixels'."""
    for item in clear.items:
        for key, asset in item["assets"].items():
            with rasterio.open(clear.folder_of(item) / f"{key}.tif") as file:
                [raster] = asset["raster:bands"]
                assert file.crs.to_epsg() == item["properties"]["proj:epsg"]
                assert [file.height, file.width] == asset["proj:shape"]
                assert list(file.transform)[:6] == asset["proj:transform"]
                assert (file.dtypes[0], file.nodata) == (raster["data_type"], raster.get("nodata"))
                bounds = Transformer.from_crs(file.crs, 4326, always_xy=True).transform_bounds(*file.bounds)
            np.testing.assert_allclose(bounds, item["bbox"], atol=1e-5)


@pytest.mark.parametrize("mission", KNOWN)
def test_scenes_pass_the_header_gate_and_the_selection(clear: Simulated, mission: str) -> None:
    """Found in the catalogue by place and time, nothing is excluded and nothing is odd: no finding at all."""
    catalogue, collection = StaticCatalogue.open(clear.folder), COLLECTIONS[mission]
    bounds = tuple(clear.items_of(collection)[0]["bbox"])

    found = catalogue.search(collection, bounds, f"{MONTH}-01T00:00:00Z", "2023-08-01T00:00:00Z")
    selection = select(found.items, MISSIONS[mission], MONTH)

    assert selection.excluded == ()
    scenes = [scene for observation in selection.observations for scene in observation.scenes]
    assert len(scenes) == len(clear.items_of(collection))
    # Two rows of a pass are one look at the ground.
    assert len(selection.observations) == len({scene.datetime[:10] for scene in scenes})
    for scene in scenes:
        assert scene.findings == ()
        for name, band in scene.bands.items():
            data = (clear.folder / collection / scene.id / band.href).read_bytes()
            header = read_header(reader(data), len(data))
            asset = scene.item["assets"][band.key]
            assert check_header(header, len(data), MISSIONS[mission], name, asset, scene.item) == ()


def reader(data: bytes) -> Any:
    return lambda start, length: data[start : start + length]


def test_sentinel2_lies_on_the_tiles_own_grid(clear: Simulated) -> None:
    """10 m and 20 m bands begin at the tile's corner and the patch's place in it."""
    tile = tile_grid("34TER")
    item = clear.items_of(COLLECTIONS["sentinel2"])[0]

    for key, step in (("red", 10), ("swir16", 20), ("scl", 20)):
        with rasterio.open(clear.folder_of(item) / f"{key}.tif") as file:
            expected = (step, 0, tile.x0 + PATCH.col * 10, 0, -step, tile.y0 - PATCH.row * 10)
            assert tuple(file.transform)[:6] == expected
            assert file.width == PATCH.width * 10 // step


@pytest.mark.parametrize(
    ("tile", "zones_away", "epsg"),
    [("34TER", 0, 32634), ("34TER", 1, 32635), ("20LKP", 0, 32620), ("20LKP", -1, 32619)],
)
def test_landsat_lies_as_usgs_places_it(tile: str, zones_away: int, epsg: int, tmp_path: Path) -> None:
    """30 m, corners 15 m beside multiples of 30, a northern zone even in the south, and all of the ground in it."""
    archive = a_patch(tile=tile, observers=(Landsat(every_days=28, zones_away=zones_away),))

    published = simulate(tmp_path / "catalogue", archive)

    [item] = published.items
    with rasterio.open(published.folder_of(item) / "red.tif") as file:
        red, transform, bounds = file.read(1), file.transform, file.bounds
        assert file.crs.to_epsg() == epsg
        outline = Transformer.from_crs(archive.frame, file.crs, always_xy=True).transform_bounds(*archive.grid.bounds())
    assert (transform.a, transform.e) == (30, -30)
    assert (transform.c % 30, transform.f % 30) == (15, 15)
    assert (bounds.bottom < 0) == (tile == "20LKP")
    assert (bounds.left < outline[0], bounds.bottom < outline[1]) == (True, True)
    assert (bounds.right > outline[2], bounds.top > outline[3]) == (True, True)
    # Fill is at the edges only, and says so in both bands.
    quality = bands_of(published, item)["qa_pixel"]
    np.testing.assert_array_equal(red == 0, quality == 1)
    assert 0 < (quality == 1).mean() < 0.1
    # A pass is flown aslant: fill lies to the lower left and the upper right.
    assert (quality[-1, 0], quality[0, -1]) == (1, 1)
    assert (quality[0, 0] == 1, quality[-1, -1] == 1) == (False, False)
    assert set(np.unique(quality)) <= {1, 21824, 21952}


def test_rows_of_a_pass_overlap_and_agree(clear: Simulated) -> None:
    """Two scenes 24 s apart: where both have pixels, they have the same."""
    north, south = clear.items_of(COLLECTIONS["landsat"])[:2]
    with (
        rasterio.open(clear.folder_of(north) / "red.tif") as one,
        rasterio.open(clear.folder_of(south) / "red.tif") as other,
    ):
        upper, lower = one.read(1), other.read(1)
        shift = round((one.transform.f - other.transform.f) / 30)

    common = upper.shape[0] - shift
    assert 4 <= common < upper.shape[0] // 2
    np.testing.assert_array_equal(upper[shift:], lower[:common])
    times = [item["properties"]["datetime"][-9:] for item in (north, south)]
    assert times == ["09:10:15Z", "09:10:39Z"]


def test_orbits_of_a_radar_take_turns_and_layover_is_told(tmp_path: Path) -> None:
    """Directions alternate; each has its own slopes, of the share that was asked for, bright where the mask says so."""
    observer = Sentinel1(every_days=10, orbits=("ascending", "descending"), layover=0.2)

    published = simulate(tmp_path / "catalogue", a_patch(observers=(observer,)))

    states = [item["properties"]["sat:orbit_state"] for item in published.items]
    assert set(itertools.pairwise(states)) <= {("ascending", "descending"), ("descending", "ascending")}
    masks = []
    for item in published.items[:2]:
        values = bands_of(published, item)
        inside = (slice(24, -24), slice(24, -24))
        mask, vv = values["mask"][inside], values["vv"][inside]
        assert set(np.unique(mask)) <= {0, 1, 2, 255}
        assert abs(np.isin(mask, (1, 2)).mean() - 0.2) < 0.01
        assert vv[mask == 2].mean() > 2 * vv[mask == 0].mean() > 8 * vv[mask == 1].mean()
        np.testing.assert_array_equal(values["mask"] == 255, values["vv"] == -32768)
        masks.append(mask)
        # No mean is taken of classes: each of an overview is one of those it stands for.
        with tifffile.TiffFile(published.folder_of(item) / "mask.tif") as tiff:
            fine, coarse = (page.asarray() for page in tiff.pages[:2])
        assert np.any([fine[row::2, col::2] == coarse for row in (0, 1) for col in (0, 1)], axis=0).all()
    assert (masks[0] != masks[1]).mean() > 0.1


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    """Nothing is overwritten, and the message says what to do."""
    (tmp_path / "kept").write_text("mine")

    with pytest.raises(ArchiveError, match="new or empty"):
        simulate(tmp_path, a_patch())

    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_nothing_is_left_beside_the_catalogue(clear: Simulated) -> None:
    """Only what is linked is there: no scratch files."""
    linked = {"catalog.json"}
    for name in COLLECTIONS.values():
        linked.add(f"{name}/collection.json")
    for item in clear.items:
        folder = f"{item['collection']}/{item['id']}"
        linked |= {f"{folder}/{item['id']}.json", *(f"{folder}/{key}.tif" for key in item["assets"])}

    assert set(files_under(clear.folder)) == linked
    assert read_json(clear.folder / "catalog.json")["title"] == "Simulated scenes"
    for item in clear.items:
        assert read_json(clear.folder_of(item) / f"{item['id']}.json") == item
