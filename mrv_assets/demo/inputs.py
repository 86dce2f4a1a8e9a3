"""The folder of the demo's simulated programme: made once and whole, and compared with this version's own."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.code import HASHED_FOLDERS, code_digest
from mrv_assets.audit.manual_decisions import Reviewer, public_pem
from mrv_assets.demo.ground import CASES, ground
from mrv_assets.errors import DecisionRefused, DemoFolderError
from mrv_assets.lake.files import make_folder, publish
from mrv_assets.review.keys import new_key, programme_lines, read_key
from mrv_assets.simulated.landsat import COLLECTION as LANDSAT
from mrv_assets.simulated.publish import simulate
from mrv_assets.simulated.sentinel2 import COLLECTION as SENTINEL2
from mrv_assets.simulated.truth import truth
from mrv_assets.stages.source_code import source

PROGRAM, PARCELS, CATALOGUE = "program.yaml", "parcels.geojson", "catalogue"
TRUTH, MADE_BY = "truth.json", "made_by.json"
KEYS = {"Simulated reviewer A": "keys/simulated-a.pem", "Simulated reviewer B": "keys/simulated-b.pem"}
"""File of the private key, by the reviewer's name."""
ROLE = "the demo's own, no person"
INDICES = ("ndvi", "evi", "nbr", "ndmi")
NOTICE = "SIMULATED: `mrv demo` made this. No satellite saw this ground, which does not exist."
_ABOUT_KEYS = f"""{NOTICE}

These are the private keys of two reviewers who do not exist: the demo's own, made with it, for this folder alone.
Whoever can read this folder can sign with them, so their signatures prove nothing about any other programme.
"""


@contextmanager
def sole_user(folder: Path) -> Iterator[None]:
    """Exclusive use of the folder: waits for another demo, and keeps others waiting, so that nobody decides twice."""
    make_folder(folder.parent)
    with folder.with_name(f".{folder.name}.lock").open("ab") as lock:
        # The system releases it when its owner ends, however it ends.
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def check_inputs(folder: Path) -> None:
    """Compare the folder with what this version would make. A missing or empty folder is accepted.

    Raises:
        DemoFolderError: When another version made it, somebody changed it, or it is not the demo's.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    expected = {MADE_BY: _made_by(), PARCELS: _text(ground()[1]), PROGRAM: _program_text(_reviewers(folder))}
    for name, text in expected.items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise DemoFolderError(str(folder), name, error.strerror or "it cannot be read") from None
        if content != text.encode():
            raise DemoFolderError(str(folder), name, "it differs from the file that this version of the demo writes")


def make_inputs(folder: Path) -> None:
    """Make the folder and its files, unless it is there: it appears whole or not at all.

    The caller is its sole user, by :func:`sole_user`. A folder that a killed process left unfinished is made anew.
    """
    if folder.exists() and any(folder.iterdir()):
        return
    making = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    archive, parcels = ground()
    simulate(making / CATALOGUE, archive)
    columns = ["parcel_id", "month", *INDICES]
    rows = truth(archive, parcels)[columns].round(6).to_dict("records")
    (making / "keys").mkdir(mode=0o700)
    (making / "keys" / "ABOUT.txt").write_text(_ABOUT_KEYS)
    reviewers = tuple(new_key(making / file, name, ROLE) for name, file in KEYS.items())
    (making / PARCELS).write_text(_text(parcels))
    (making / TRUTH).write_text(_text({"about": NOTICE, "rows": rows}))
    (making / PROGRAM).write_text(_program_text(reviewers))
    (making / MADE_BY).write_text(_made_by())
    publish(making, folder)


def truth_of(folder: Path) -> dict[tuple[str, str], Json]:
    """True index values of each parcel and month of the simulated ground."""
    return {(row["parcel_id"], row["month"]): row for row in json.loads((folder / TRUTH).read_bytes())["rows"]}


def _reviewers(folder: Path) -> tuple[Reviewer, ...]:
    """The reviewers whose private keys are in the folder."""
    reviewers = []
    for name, file in KEYS.items():
        try:
            key = read_key(folder / file).public_key()
        except DecisionRefused as error:
            raise DemoFolderError(str(folder), file, error.reason) from None
        reviewers.append(Reviewer(name=name, role=ROLE, public_key=public_pem(key)))
    return tuple(reviewers)


def _program_text(reviewers: tuple[Reviewer, ...]) -> str:
    lines = "".join(programme_lines(reviewer).removeprefix("reviewers:\n") for reviewer in reviewers)
    return f"""# {NOTICE}
# Two missions look at three stands of forest: Sentinel-2, and where it saw too little, Landsat.
program: demo-simulated
parcels: {PARCELS}
months: {{start: {CASES[0].month}, end: {CASES[-1].month}}}
grid: {{crs: utm, resolution_m: 10}}
missions:
  sentinel2: {{catalog: {CATALOGUE}, collection: {SENTINEL2}}}
  landsat: {{catalog: {CATALOGUE}, collection: {LANDSAT}}}
gate: {{min_coverage: 0.65, cloud_probability: 0.15, dilation_px: 3, min_scene_clear: 0.0}}
substitution: [sentinel2, landsat]
composite: mean
# Nobody reviewed anything: these are the demo's own keys, and their private ones lie in keys/.
reviewers:
{lines}"""


def _made_by() -> str:
    """Digests of the code that made the folder."""
    folders = (*HASHED_FOLDERS, "simulated", "demo")
    names = ("demo.ground", "simulated.publish", "simulated.truth")
    code = {name: code_digest(f"mrv_assets.{name}", source, folders) for name in names}
    return _text({"about": NOTICE, "code": code})


def _text(document: Json) -> str:
    return json.dumps(document, indent=1) + "\n"
