"""Sensitivity: what could move a number changes the audit hash of the first asset that sees it and of all after it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from block_scenes import CLOUD, CORNER, MONTH, TILE, Box, SceneSpec, a_programme_of, shaded
from demo_lake import decision, rows
from edited_package import ASSETS, Edit, Ran, Workshop, changes, ran, source_with
from numpy.typing import NDArray
from stage_names import PRODUCT, STAGES

import mrv_assets
from mrv_assets.audit.code import code_digest

# Within one block, so that a run is short.
AREA = Box(row=CORNER + 200, col=CORNER + 200, height=80, width=80)
PARCEL = Box(row=CORNER + 220, col=CORNER + 220, height=20, width=20)
CLOUDED = Box(row=CORNER + 220, col=CORNER + 220, height=10, width=10)
ROWS, COLS = slice(PARCEL.row, PARCEL.row + PARCEL.height), slice(PARCEL.col, PARCEL.col + PARCEL.width)
STEP_DN = 10
"""What nir08 grows by from one of its 20 m pixels to the next on the right."""
RAMP = np.broadcast_to(4000 + STEP_DN * (np.arange(AREA.width) // 2), (AREA.height, AREA.width)).astype(np.uint16)


def scenes(*, first: str = "a", red: int | NDArray[np.uint16] = 1500) -> list[SceneSpec]:
    """Two looks; the second has a cloud over a quarter of the parcel, and more near infrared."""
    return [
        SceneSpec(id=first, box=AREA, dn={"nir08": RAMP, "red": red}),
        SceneSpec(
            id="b",
            when="2018-07-20T09:30:00Z",
            box=AREA,
            dn={"nir08": RAMP, "nir": 5500},
            scl=shaded(AREA, (CLOUDED, CLOUD)),
        ),
    ]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Where edited copies run the month of these two scenes and one parcel."""
    folder = tmp_path_factory.mktemp("workshop")
    deployment = a_programme_of(folder, scenes(), {"p": PARCEL})
    return Workshop(folder=folder, program=deployment.program_path, tile=TILE, month=MONTH)


@pytest.fixture(scope="module")
def before(workshop: Workshop) -> Ran:
    """The month by the package as it is, out of a clone that has one commit."""
    workshop.copy()
    a_commit(workshop.code, "1" * 40)
    return workshop.run("before")


def a_commit(clone: Path, commit: str) -> None:
    """Make a folder a clone whose head is this commit."""
    for name in ("objects", "refs/heads"):
        (clone / ".git" / name).mkdir(parents=True, exist_ok=True)
    (clone / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (clone / ".git" / "refs" / "heads" / "main").write_text(f"{commit}\n")


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change that has to be seen."""

    what: str
    edit: Edit
    first: str
    """The first asset that sees it."""
    by: str
    """The field of that asset's record that says so before anything is computed."""


KERNEL_BODY = Change(
    what="kernel body",
    edit=Edit(
        file="science/composite.py",
        old="np.float32(np.float64(total) / np.float64(n) * 1e-4)",
        new="np.float32(np.float64(total) / np.float64(n) * 2e-4)",
    ),
    first="monthly_proxies",
    by="code",
)
HELPER_KERNEL = Change(
    what="helper kernel in another file",
    edit=Edit(
        file="science/pixel_map.py",
        old="return rows[i - row, 0], cols[0, j - col]",
        new="return rows[i - row, 0], cols[0, j - col] + 1.0",
    ),
    first="sentinel2/raw_tiles",
    by="code",
)
HELPER_CONSTANT = Change(
    what="helper constant in another file",
    edit=Edit(file="science/indices.py", old="FILL = -32768", new="FILL = -32767"),
    first="sentinel2/indices",
    by="code",
)
OPERATION = Change(
    what="operation",
    edit=Edit(
        file="stages/indices.py",
        old="values, counts[name] = index_block(name, named, flags, job.mission.radiometry, adjusted)\n",
        new="values, counts[name] = index_block(name, named, flags, job.mission.radiometry, adjusted)\n"
        "        values = values.copy()\n",
    ),
    first="sentinel2/indices",
    by="code",
)
CODEC = Change(
    what="codec of the chunks",
    edit=Edit(file="formats/zarr_documents.py", old='"clevel": 1', new='"clevel": 2'),
    first="sentinel2/aligned_tiles",
    by="code",
)
BAND_NAMES = Change(
    what="band list of a mission",
    edit=Edit(file="missions/sentinel2.py", old='"B02", "B02_10m"', new='"B02", "B02_10m", "B02_60m"'),
    first="sentinel2/raw_tiles",
    by="plan",
)
INDEX_BANDS = Change(
    what="band list of an index",
    edit=Edit(file="missions/indices.py", old='bands=("nir08", "swir22")', new='bands=("nir08", "swir16")'),
    first="sentinel2/raw_tiles",
    by="code",
)
SEEN = (KERNEL_BODY, HELPER_KERNEL, HELPER_CONSTANT, OPERATION, CODEC, BAND_NAMES, INDEX_BANDS)


After = Callable[[Change], Ran]


@pytest.fixture(scope="module")
def after(workshop: Workshop, before: Ran) -> After:
    """What the month gives after a change of code; each change is run once."""

    @cache
    def run(change: Change) -> Ran:
        workshop.copy([change.edit])
        return workshop.run(change.what.replace(" ", "-"))

    return run


@pytest.mark.parametrize("change", SEEN, ids=lambda change: change.what)
def test_a_change_of_code_is_seen(change: Change, before: Ran, after: After) -> None:
    """The first asset it concerns says so in its request; that one and all after it have other audit hashes."""
    found = changes(before, after(change))

    assert tuple(found) == ASSETS[ASSETS.index(change.first) :]
    assert change.by in found[change.first]
    assert [asset for asset in list(found)[1:] if "inputs" not in found[asset]] == []


def test_an_edited_kernel_computes_what_it_says(before: Ran, after: After) -> None:
    """Twice the mean: not the kernel that was compiled before."""
    [row], [edited] = (rows(ran.deployment, MONTH).values() for ran in (before, after(KERNEL_BODY)))

    assert edited["ndvi_mean"] == pytest.approx(2 * row["ndvi_mean"], rel=1e-6)


def test_an_edited_helper_kernel_moves_what_its_callers_compute(before: Ran, after: After) -> None:
    """Callers in a file that nobody touched are compiled anew: every 20 m pixel is its right-hand neighbour."""
    nir08, edited = (
        ran.deployment.lake.open("sentinel2/aligned_tiles", TILE, MONTH)["nir08"].isel(y=ROWS, x=COLS).to_numpy()
        for ran in (before, after(HELPER_KERNEL))
    )

    np.testing.assert_allclose(edited, nir08 + STEP_DN * 1e-4, atol=1e-6)


def test_an_edited_constant_reaches_the_kernels_of_other_files(before: Ran, after: After) -> None:
    """Missing is written as another number, and read as missing still: a kernel compiled with the old number would
    take it for a value."""
    assert rows(after(HELPER_CONSTANT).deployment, MONTH) == rows(before.deployment, MONTH)
    assert changes(before, after(HELPER_CONSTANT))["sentinel2/indices"][-1] == "output"


def test_an_index_of_other_bands_has_their_values(before: Ran, after: After) -> None:
    """NBR on the bands of NDMI is NDMI."""
    [row], [edited] = (rows(ran.deployment, MONTH).values() for ran in (before, after(INDEX_BANDS)))

    assert row["nbr_mean"] != row["ndmi_mean"]
    assert edited["nbr_mean"] == edited["ndmi_mean"] == row["ndmi_mean"]


def test_an_operation_is_seen_that_changes_no_number(before: Ran, after: After) -> None:
    """The audit hash is that of a derivation, not of its result alone."""
    found = changes(before, after(OPERATION))

    assert "output" not in found["sentinel2/indices"]


def test_a_threshold_is_seen(before: Ran, tmp_path: Path) -> None:
    """By the gate and what rests on it, though the decision stays the same."""
    deployment = a_programme_of(tmp_path, scenes(), {"p": PARCEL}, gate={"min_coverage": 0.66})

    found = changes(before, ran(deployment, dict(deployment.run(TILE, MONTH))))

    assert list(found) == ["sentinel2/gated_tiles", "monthly_proxies"]
    assert "plan" in found["sentinel2/gated_tiles"]
    assert decision(deployment.lake, MONTH)["status"] == decision(before.deployment.lake, MONTH)["status"] == "PASSED"


def test_a_pixel_is_seen(before: Ran, tmp_path: Path) -> None:
    """One digital number more by one, in one band of one scene."""
    red = np.full((AREA.height, AREA.width), 1500, np.uint16)
    red[PARCEL.slices(AREA)][0, 0] += 1
    deployment = a_programme_of(tmp_path, scenes(red=red), {"p": PARCEL})

    found = changes(before, ran(deployment, dict(deployment.run(TILE, MONTH))))

    assert tuple(found) == ASSETS
    assert [asset for asset in ASSETS if "inputs" not in found[asset]] == []


def test_the_name_of_a_scene_is_seen(before: Ran, tmp_path: Path) -> None:
    """The same pixels of another item are another origin."""
    deployment = a_programme_of(tmp_path, scenes(first="a2"), {"p": PARCEL})

    found = changes(before, ran(deployment, dict(deployment.run(TILE, MONTH))))

    assert tuple(found) == ASSETS
    assert [asset for asset in ASSETS if "inputs" not in found[asset]] == []
    assert rows(deployment, MONTH) == rows(before.deployment, MONTH)


def test_the_same_month_elsewhere_is_the_same(before: Ran, tmp_path: Path) -> None:
    """What the tests above compare with: another folder, another process, another lake."""
    deployment = a_programme_of(tmp_path, scenes(), {"p": PARCEL})

    assert changes(before, ran(deployment, dict(deployment.run(TILE, MONTH)))) == {}


UNSEEN = {
    "a comment in a kernel": [
        Edit(
            file="science/composite.py",
            old="# Sums of whole numbers are exact, so the order of the observations does not matter.",
            new="# Exact.",
        )
    ],
    "a kernel's docstring": [
        Edit(
            file="science/pixel_map.py",
            old="Position (y, x) of the centre of target pixel (i, j) in the source.",
            new="Source place of the centre of a target pixel.",
        )
    ],
    "a constant's docstring": [
        Edit(file="science/indices.py", old="The stored integer of a missing value.", new="Stands for a missing value.")
    ],
    "layout": [Edit(file="science/gate.py", old="if scenes == 0:\n", new="if (scenes\n        == 0):\n\n")],
    "the command line": [Edit(file="cli/main.py", new='\n\nADDED = "a verb to come"\n')],
    "transport": [Edit(file="transport/store.py", old='"not a regular file"', new='"no regular file"')],
    "errors": [Edit(file="errors.py", new='\n\nADDED = "an error to come"\n')],
    "settings": [Edit(file="settings.py", new='\n\nADDED = "a setting to come"\n')],
    # An optical one adds its column of shares to the table of every month.
    "an added radar": [
        Edit(
            file="missions/other.py",
            new="from dataclasses import replace\n\nfrom mrv_assets.missions.sentinel1 import SENTINEL1\n\n"
            'OTHER = replace(SENTINEL1, name="other")\n',
        ),
        Edit(
            file="missions/registry.py",
            old="import Mission\n",
            new="import Mission\nfrom mrv_assets.missions.other import OTHER\n",
        ),
        Edit(
            file="missions/registry.py", old='{"sentinel2": SENTINEL2,', new='{"other": OTHER, "sentinel2": SENTINEL2,'
        ),
    ],
    "the version": [Edit(file="__init__.py", old=f'"{mrv_assets.__version__}"', new='"99.0"')],
}


def codes(*edits: Edit) -> dict[str, str]:
    """The code digest of each stage, the package edited in memory."""
    return {stage: code_digest(f"mrv_assets.stages.{stage}", source_with(*edits)) for stage in (*STAGES, PRODUCT)}


@pytest.fixture(scope="module")
def codes_before() -> dict[str, str]:
    """The code digest of each stage as it is."""
    return codes()


@pytest.mark.parametrize("what", UNSEEN)
def test_no_code_digest_sees(what: str, codes_before: dict[str, str]) -> None:
    """What cannot change a number, or is proven by the output."""
    assert codes(*UNSEEN[what]) == codes_before


def test_no_audit_hash_sees_any_of_them_nor_a_dependency_that_gives_the_same(workshop: Workshop, before: Ran) -> None:
    """All of these edits at once, another commit, and every file touched: computed anew, each record is the same.

    A newer numpy that computes the same bits stands in the run records, and in no record.
    """
    package = workshop.copy([edit for edits in UNSEEN.values() for edit in edits])
    a_commit(workshop.code, "2" * 40)
    for file in package.rglob("*.py"):
        os.utime(file, (2_000_000_000, 2_000_000_000))
    newer = f"{version('numpy')}.post99"
    info = workshop.folder / "newer" / f"numpy-{newer}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: numpy\nVersion: {newer}\n")
    (info / "RECORD").write_text("numpy/__init__.py,,\n")

    unseen = workshop.run("unseen", path=[info.parent])

    assert changes(before, unseen) == {}
    runs = [run.read_text() for run in unseen.deployment.lake_path.rglob("runs/*.json")]
    assert len(runs) == len(ASSETS)
    assert [newer in run for run in runs] == [True] * len(ASSETS)
