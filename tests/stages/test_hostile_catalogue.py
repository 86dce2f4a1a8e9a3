"""A catalogue that was written to do harm, through all stages and into Dagster's metadata.

Nothing is written outside the lake, no other file is read into it, every item has its reason, and the month goes on.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from block_scenes import AROUND, CORNER, MONTH, TILE, Box, SceneSpec, a_programme_of, publish
from demo_lake import mrv, rows
from rasterio import Affine
from scene_builders import a_geotiff, pixels
from tiff_builders import Tiff

from mrv_assets.defs.metadata import metadata_of
from mrv_assets.deployment import Deployment
from mrv_assets.formats.artifacts import observations_of
from mrv_assets.missions.sentinel2 import SENTINEL2
from mrv_assets.reports.explain import answer as explain_answer
from mrv_assets.reports.explain import text as explained
from mrv_assets.science.grid import tile_grid
from mrv_assets.stages.materialize import Materialized
from mrv_assets.stages.raw_tiles import forecast, published_for
from mrv_assets.stages.table import PRODUCT

PARCEL = Box(row=CORNER - 50, col=CORNER - 50, height=10, width=10)
GRID = tile_grid(TILE)
SECRET = "the-key-that-is-nobody's-business"
SECRET_DN = 31337

# Ids are data: whatever they say, the scene is used, and its folder's name is ours.
HOSTILE_IDS = (
    "../../x",
    "../" * 30 + "mrv-was-here",
    "/etc/mrv-was-here",
    "nul\0byte",
    "i" * 300,
    "same name",
    "same_name",
    "same/name",
    ".",
    "..",
    "-rf",
    "CON",
    "\u202etxt.exe",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mall is well",
    "\rVERIFIED\nVERIFIED: everything",
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](http://127.0.0.1:9/leak.png)",
)


def files_around(folder: Path) -> Callable[[str], str]:
    """Links by name: what a catalogue may try to have read."""
    outside = folder / "outside"
    return {
        "a-file-url": f"file://{outside}/secret.tif",
        "a-file-url-of-the-system": "file:///etc/passwd",
        "an-absolute-path": f"{outside}/secret.tif",
        "a-parent": "../../../outside/secret.tif",
        "an-escaped-parent": "..%2f..%2f..%2foutside/secret.tif",
        "the-environment": "file:///proc/self/environ",
        "vsicurl": "/vsicurl/http://127.0.0.1:9/x.tif",
        "vsizip": f"/vsizip/{outside}/secret.zip/secret.tif",
        "a-network-address": "http://127.0.0.1:9/x.tif",
        "no-address": "http://[::1/x.tif",
        "a-script": "javascript:alert(1)",
        "a-nul": "./red.tif\0.jpg",
        "an-escaped-nul": "./red.tif%00",
        "a-name-of-10-kB": "./" + "n" * 10_000 + ".tif",
        "a-path-of-10-kB": "./" + "n/" * 5000 + "x.tif",
        "a-scheme-of-10-kB": "s" * 10_000 + ":x",
        "a-machine-of-10-kB": "file://" + "m" * 10_000 + "/x",
    }.__getitem__


LINKS = (
    *("a-file-url", "a-file-url-of-the-system", "an-absolute-path", "a-parent", "an-escaped-parent", "the-environment"),
    *("vsicurl", "vsizip", "a-script", "a-nul", "an-escaped-nul"),
    *("a-name-of-10-kB", "a-path-of-10-kB", "a-scheme-of-10-kB", "a-machine-of-10-kB"),
)
REMOTE = ("a-network-address", "no-address")
"""Links over the network, to no host that was named."""


def a_symbolic_link(red: Path, outside: Path) -> None:
    """The band is a link that leaves the catalogue."""
    red.unlink()
    red.symlink_to(outside / "secret.tif")


def a_linked_folder(red: Path, outside: Path) -> None:
    """The band lies in a folder that is a link."""
    (red.parent / "linked").symlink_to(outside)
    relink(red.parent, "./linked/secret.tif")


def a_vrt(red: Path, outside: Path) -> None:
    """A GeoTIFF by name, and for GDAL a recipe to read another file."""
    red.write_text(
        f'<VRTDataset rasterXSize="200" rasterYSize="200"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        f"<SourceFilename>{outside / 'secret.tif'}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )


def a_note(red: Path, outside: Path) -> None:
    """Another file that lies in the catalogue."""
    red.write_text(SECRET)


def a_page(red: Path, outside: Path) -> None:
    """What a server sent in place of the file."""
    red.write_text(f"<html>{SECRET}</html>")


def noise(red: Path, outside: Path) -> None:
    """A sound header, and COG tiles that are none."""
    tiff = Tiff.read(red.read_bytes())
    data = bytearray(tiff.data)
    for offset, count in zip(tiff.numbers(324), tiff.numbers(325), strict=True):
        data[int(offset) : int(offset + count)] = bytes(int(count))
    red.write_bytes(data)


def another_scenes(red: Path, outside: Path) -> None:
    """A sound band that lies 4000 km south of its item."""
    a_geotiff(red, pixels(200, 200), transform=Affine(10, 0, 300000, 0, -10, 1000000))


FILES: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "a-symbolic-link": (a_symbolic_link, "href_refused"),
    "a-linked-folder": (a_linked_folder, "href_refused"),
    "a-vrt": (a_vrt, "html_page"),
    "a-note": (a_note, "not_tiff"),
    "a-page\x1b[2J": (a_page, "html_page"),
    "noise": (noise, "undecodable"),
    "another-scene's": (another_scenes, "place_conflict"),
}


NAMES = ("good", *HOSTILE_IDS, *LINKS, *REMOTE, *FILES, "good-too")
"""Ids of all items, in the order of their folders."""


def relink(folder: Path, href: str) -> None:
    """Let an item's red band link to something else."""
    path = folder / "item.json"
    item = json.loads(path.read_bytes())
    item["assets"]["red"]["href"] = href
    path.write_text(json.dumps(item))


@pytest.fixture(scope="module")
def attacked(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Deployment, dict[str, Materialized], dict[str, str]]:
    """The month after a run over the hostile catalogue, what it gave, and what lay around the lake before."""
    folder = tmp_path_factory.mktemp("around")
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    west, north = GRID.x0 + AROUND.col * 10, GRID.y0 - AROUND.row * 10
    secret = np.full((AROUND.height, AROUND.width), SECRET_DN, np.uint16)
    a_geotiff(outside / "secret.tif", secret, transform=Affine(10, 0, west, 0, -10, north), compress="none")
    scenes = [
        SceneSpec(id=name, when=f"2018-07-{n // 2 + 1:02d}T{n % 2 + 9:02d}:30:00Z") for n, name in enumerate(NAMES)
    ]
    publish(folder / "catalogue", scenes)
    for number, name in enumerate(NAMES):
        red = folder / "catalogue" / "items" / str(number) / "red.tif"
        if name in (*LINKS, *REMOTE):
            relink(red.parent, files_around(folder)(name))
        elif name in FILES:
            FILES[name][0](red, outside)
    deployment = a_programme_of(folder, scenes, {"p": PARCEL})
    before = around(folder)

    done = dict(deployment.run(TILE, MONTH))

    return deployment, done, before


def around(folder: Path) -> dict[str, str]:
    """Everything in a folder but its lake: what it is, and when it was written."""
    return {
        path.relative_to(folder).as_posix(): f"{path.lstat().st_mode} {path.lstat().st_mtime_ns} {path.lstat().st_size}"
        for path in sorted(folder.rglob("*"))
        if not path.is_relative_to(folder / "lake")
    }


Attacked = tuple[Deployment, dict[str, Materialized], dict[str, str]]


def test_nothing_is_written_outside_the_lake(attacked: Attacked) -> None:
    """Ids that climb, that are absolute, or end early in C: the folder around the lake is as it was."""
    deployment, _, before = attacked

    after = around(deployment.lake_path.parent)

    assert {name: state for name, state in after.items() if name != "outside/.."} == before
    for root in (Path("/"), Path("/etc"), deployment.lake_path.parent.parent):
        assert not [path for path in root.iterdir() if "mrv-was-here" in path.name]


def test_every_name_in_the_lake_is_ours(attacked: Attacked) -> None:
    """Letters, digits and little else, of a length any disk takes; two ids that look alike keep apart."""
    deployment, done, _ = attacked

    names = [path.relative_to(deployment.lake_path).parts for path in deployment.lake_path.rglob("*")]

    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,120}", part) for parts in names for part in parts)
    stored = [s for o in observations_of(done["sentinel2/raw_tiles"].record) for s in o["scenes"]]
    folders = {scene["bands"]["red"]["file"].split("/")[0] for scene in stored}
    assert len(folders) == len(stored) == len(HOSTILE_IDS) + 2


def test_every_item_has_its_reason_and_the_good_ones_count(attacked: Attacked) -> None:
    """A hostile item costs itself: the others of the month are observations."""
    deployment, done, _ = attacked
    record = done["sentinel2/raw_tiles"].record

    refused = {refusal["id"]: refusal for refusal in record.output["refused"]}

    assert {name: refusal["code"] for name, refusal in refused.items()} == {
        **dict.fromkeys(LINKS, "href_refused"),
        **dict.fromkeys(REMOTE, "host_refused"),
        **{name: code for name, (_, code) in FILES.items()},
    }
    assert max(len(refusal["detail"]) for refusal in refused.values()) < 500
    used = {scene["id"] for o in observations_of(record) for scene in o["scenes"]}
    assert used == {"good", "good-too", *HOSTILE_IDS}
    assert rows(deployment, MONTH)["p"]["n_obs"] == len(used)
    assert rows(deployment, MONTH)["p"]["ndvi_mean"] == pytest.approx(0.75, abs=1e-4)


def test_a_plan_counts_what_may_be_read(attacked: Attacked) -> None:
    """Before anything is fetched: a link that leads out has no bytes to wait for."""
    deployment, _, _ = attacked
    plan = deployment.plan(TILE, MONTH, SENTINEL2)
    catalogue = deployment.lake_path.parent / "catalogue"

    told = forecast(plan, published_for(plan))

    not_to_be_read = {
        catalogue / "items" / str(NAMES.index(name)) / "red.tif" for name in (*LINKS, *REMOTE, "a-linked-folder")
    }
    inside = [path for path in catalogue.rglob("*.tif") if not path.is_symlink()]
    assert told["bytes"] == sum(path.stat().st_size for path in inside if path not in not_to_be_read)


def test_no_other_file_is_read_into_the_lake(attacked: Attacked) -> None:
    """Neither pixels nor a quoted line of anything the catalogue pointed to."""
    deployment, _, _ = attacked
    system = Path("/etc/passwd").read_bytes().splitlines()[0]
    secret_pixels = np.full(64, SECRET_DN, "<u2").tobytes()

    for path in deployment.lake_path.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for secret in (SECRET.encode(), SECRET[:8].encode(), system, secret_pixels):
            assert secret not in data, f"{path} quotes {secret[:20]!r}"

    red = deployment.lake.open("sentinel2/aligned_tiles", TILE, MONTH)["red"]
    aligned = red[:, AROUND.row : AROUND.row + AROUND.height, AROUND.col : AROUND.col + AROUND.width].to_numpy()
    # 0.05, and not the reflectance of the file outside.
    np.testing.assert_allclose(aligned[np.isfinite(aligned)], 0.05, atol=1e-6)


def test_dagster_is_shown_no_live_markup(attacked: Attacked) -> None:
    """What items say is text in tables; the only Markdown is our own picture."""
    _, done, _ = attacked
    markup = 0

    for asset, one in done.items():
        for name, value in metadata_of(one, 0).items():
            if isinstance(value, dg.MarkdownMetadataValue):
                markup += 1
                assert re.fullmatch(r"!\[preview\]\(data:image/png;base64,[A-Za-z0-9+/=]+\)", value.value or "")
            assert not isinstance(value, dg.UrlMetadataValue | dg.NotebookMetadataValue), f"{asset} {name}"
            if isinstance(value, dg.PathMetadataValue):
                assert value.path == str(one.path)

    assert markup == 2
    assert set(done) == {
        PRODUCT,
        *(f"sentinel2/{s}" for s in ("raw_tiles", "aligned_tiles", "masked_tiles", "indices", "gated_tiles")),
    }
    shown = metadata_of(done["sentinel2/raw_tiles"], 0)["scenes"]
    assert {row.data["scene"] for row in shown.records} >= set(HOSTILE_IDS)


def test_a_terminal_is_shown_no_commands(attacked: Attacked) -> None:
    """Ids and reasons are text on one line: no colours, no titles, no lines in our name."""
    deployment, _, _ = attacked

    page = explained(explain_answer(deployment, "p", MONTH))
    ran = mrv("run", "--tile", TILE, "--month", MONTH, cwd=deployment.lake_path.parent)

    for shown in (page, ran.stdout):
        assert all(line.isprintable() for line in shown.split("\n"))
        assert [line for line in shown.split("\n") if line.startswith("VERIFIED")] == []
    assert "all is well" in page
    assert "VERIFIED: everything" in page
    assert "Left out a-page\\x1b[2J: html_page" in ran.stdout
