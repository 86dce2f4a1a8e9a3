"""An export is whole or not there, is never over anything, never in a lake, and never of altered data."""

import json
import shutil
import signal
from hashlib import sha256
from pathlib import Path

import forked
import pytest
import watched_mrv
from block_scenes import TILE
from demo_lake import Json, a_deployment, evidence, mrv
from export_months import NO_NBR, PASSED, REJECTED, Export, export_until, exported
from forked import a_server
from tampering import flip, forge

from mrv_assets.audit.canonical import canonical
from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment
from mrv_assets.errors import DamagedLake, ExportError
from mrv_assets.export.formats import FORMATS
from mrv_assets.lake.store import Lake
from mrv_assets.stages.table import PRODUCT

KILLS = 4
KINDS = [format.name for format in FORMATS]


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def a_copy(deployment: Deployment, folder: Path) -> Deployment:
    """The same programme with a lake of its own, to be changed."""
    shutil.copytree(deployment.program_path.parent, folder)
    return a_deployment(folder / deployment.program_path.name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_lake_gives_the_same_bytes(kind: str, deployment: Deployment, export: Export, tmp_path: Path) -> None:
    """Wherever lake and export lie, and whenever: neither place nor time is in any file."""
    options: Json = {"crs": "EPSG:4326", "indices": ["ndvi"]} if kind == "stac" else {}
    first = export(kind, **options)
    other = a_copy(deployment, tmp_path / "elsewhere" / "programme")

    second = exported(other, kind, tmp_path / "second" / "deep", **options)

    assert contents(tmp_path / "out") == contents(tmp_path / "second" / "deep")
    assert {f["path"]: f["sha256"] for f in first["files"]} == contents(tmp_path / "out")
    assert first["files"] == second["files"]
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_leads_to_its_record(kind: str, deployment: Deployment, export: Export, tmp_path: Path) -> None:
    """The list that lies in every export names the record of each month, and the digest of each file beside it."""
    answer = export(kind)

    manifest = json.loads((tmp_path / "out" / "mrv-export.json").read_bytes())
    hashes = {
        month: deployment.lake.current(Partition(PRODUCT, TILE, month)).audit_hash
        for month in (PASSED, REJECTED, NO_NBR)
    }
    assert {one["month"]: one["audit_hash"] for one in manifest["months"]} == hashes
    there = contents(tmp_path / "out")
    del there["mrv-export.json"]
    assert {f["path"]: f["sha256"] for f in manifest["files"]} == there
    assert manifest == {**{name: answer[name] for name in manifest}, "files": manifest["files"]}


def test_an_export_again_is_unchanged(export: Export, tmp_path: Path) -> None:
    """The very same files are there: nothing is written, not even the same again."""
    export("csv")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}

    answer = export("csv")

    assert answer["outcome"] == "unchanged"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_there_is_never_replaced(export: Export, tmp_path: Path) -> None:
    """Another export, an altered file or anything else: refused, with its name, and left as it is."""
    export("csv")
    (tmp_path / "out" / "parcels.csv").write_text("mine")
    before = contents(tmp_path / "out")

    with pytest.raises(ExportError, match=r"it holds something else \(parcels\.csv\)"):
        export("csv")
    with pytest.raises(ExportError, match="it holds something else"):
        export("xlsx")

    assert contents(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_something_else_is_refused_before_anything_is_read(export: Export, tmp_path: Path) -> None:
    """Nobody waits for an export that has nowhere to go: not even the programme's months are looked up."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")

    with pytest.raises(ExportError, match="it is not empty, and not an export"):
        export("csv", month="1999-01")

    assert contents(tmp_path / "out") == {"notes.txt": sha256(b"mine").hexdigest()}


def test_an_empty_folder_may_be_there(export: Export, tmp_path: Path) -> None:
    """Somebody made the folder first, as people do."""
    (tmp_path / "out").mkdir()

    answer = export("csv")

    assert answer["outcome"] == "written"
    assert (tmp_path / "out" / "parcels.csv").is_file()


def test_a_file_in_the_way_is_refused(export: Export, tmp_path: Path) -> None:
    """A file is no folder, and stays."""
    (tmp_path / "out").write_text("mine")

    with pytest.raises(ExportError, match="it is a file"):
        export("csv")

    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("where", ["", "exports", "monthly_proxies/34TER/new", "..", "link"])
def test_nothing_is_exported_into_a_lake(where: str, deployment: Deployment, tmp_path: Path) -> None:
    """Neither in it, nor around it, nor through a link."""
    before = evidence(deployment.lake_path)
    target = deployment.lake_path / where
    if where == "link":
        target = tmp_path / "link"
        target.symlink_to(deployment.lake_path / "exports")

    with pytest.raises(ExportError, match="the programme's lake or around it"):
        exported(deployment, "csv", target)

    assert evidence(deployment.lake_path) == before


def test_nothing_is_exported_into_another_programmes_lake(
    export: Export, deployment: Deployment, tmp_path: Path
) -> None:
    """A lake is known by its lake.json, whosever it is."""
    (tmp_path / "lake.json").write_bytes(canonical({"format": "mrv-lake/2", "programme": "other"}))

    with pytest.raises(ExportError, match="it is in a lake"):
        export("csv")


def data_of(deployment: Deployment, asset: str) -> Path:
    """The data of an asset's first month."""
    return deployment.lake.current(Partition(asset, TILE, PASSED)).data


@pytest.mark.parametrize("kind", ["cog", "csv"])
@pytest.mark.parametrize(
    ("asset", "pattern"),
    [
        (PRODUCT, "parcels.parquet"),
        (PRODUCT, "rasters.zarr/ndvi/c/*/*"),
        ("sentinel2/gated_tiles", "decision.json"),
        ("sentinel2/raw_tiles", "*/item.json"),
        ("sentinel2/raw_tiles", "scenes.json"),
    ],
)
def test_altered_data_is_refused(asset: str, pattern: str, kind: str, deployment: Deployment, tmp_path: Path) -> None:
    """One changed byte of what an export rests on: it names the file, and nothing is written."""
    other = a_copy(deployment, tmp_path / "programme")
    changed = flip(sorted(data_of(other, asset).glob(pattern))[0], None)

    with pytest.raises(DamagedLake) as damage:
        exported(other, kind, tmp_path / "out")

    assert changed.name in str(damage.value)
    assert not (tmp_path / "out").exists()


def test_values_altered_with_their_run_record_are_refused(deployment: Deployment, tmp_path: Path) -> None:
    """Somebody who also forges the record of the stored bytes is found by the values' own digest."""
    import pyarrow.parquet as pq

    from mrv_assets.lake.runs import run_id, stored_files

    other = a_copy(deployment, tmp_path / "programme")
    table = data_of(other, PRODUCT) / "parcels.parquet"
    read = pq.read_table(table)
    at = read.column_names.index("ndvi_mean")
    pq.write_table(read.set_column(at, read.schema.field(at), read.column("ndmi_mean")), table)
    [run] = (table.parents[2] / "runs").iterdir()
    document = {**json.loads(run.read_bytes()), "stored": stored_files(table.parent)}
    run.unlink()
    (run.parent / f"{run_id(document)}.json").write_bytes(canonical(document))

    with pytest.raises(DamagedLake, match=r"parcels\.parquet: content: .*its rows are not those"):
        exported(other, "geoparquet", tmp_path / "out")


def test_a_removed_head_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    """Without its newest head a month would be exported as it was before."""
    other = a_copy(deployment, tmp_path / "programme")
    record = other.lake.current(Partition(PRODUCT, TILE, PASSED))
    head = other.lake.slot(Partition(PRODUCT, TILE, PASSED)).head(1)
    head.with_name("000002.json").write_bytes(canonical({"record": record.audit_hash, "previous": "0" * 64}))
    head.unlink()

    with pytest.raises(DamagedLake, match=r"000001\.json"):
        exported(other, "csv", tmp_path / "out")


def test_exports_change_nothing_in_the_lake(deployment: Deployment, tmp_path: Path) -> None:
    """The command ends at its first step that would change anything beneath the lake; it ends as it should."""
    environment = {"MRV_PROGRAM": str(deployment.program_path), "MRV_LAKE": str(deployment.lake_path)}
    export = (str(deployment.lake_path), "export", "out", "--as", "stac", "--index", "ndvi")

    done = forked.run(watched_mrv.run, *export, cwd=tmp_path, **environment)

    assert done.returncode == 0, done.stderr
    assert "12 rows: 2 below_coverage, 4 no_data, 6 ok" in done.stdout


def test_the_command_says_what_it_wrote_and_what_it_refused(deployment: Deployment, tmp_path: Path) -> None:
    """Exit codes as for every verb: 1 for altered data and for nothing that may be written, 2 for misuse."""
    other = a_copy(deployment, tmp_path / "programme")
    environment = {"MRV_PROGRAM": str(other.program_path), "MRV_LAKE": str(other.lake_path)}

    fine = mrv("export", "out", "--as", "cog", "--index", "ndvi", "--json", cwd=tmp_path, **environment)
    closed = mrv("export", "no", "--as", "cog", "--month", REJECTED, cwd=tmp_path, **environment)
    misuse = mrv("export", "no", "--as", "csv", "--crs", "utm", cwd=tmp_path, **environment)
    flip(data_of(other, PRODUCT) / "parcels.parquet", None)
    altered = mrv("export", "no", "--as", "csv", cwd=tmp_path, **environment)

    assert (fine.returncode, closed.returncode, misuse.returncode, altered.returncode) == (0, 1, 2, 1)
    assert json.loads(fine.stdout)["outcome"] == "written"
    assert "Nothing was written" in closed.stdout
    assert "below_tile_coverage" in closed.stdout
    assert "csv has no pixels" in misuse.stderr
    assert "parcels.parquet: stored bytes" in altered.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "programme"]


def test_a_killed_export_leaves_no_part_of_one(deployment: Deployment, export: Export, tmp_path: Path) -> None:
    """Killed -9 at steps from the first to the last: the folder is whole or not there, and the next is as ever."""
    export("stac", month=PASSED, indices=["ndvi"])
    whole = contents(tmp_path / "out")
    server = a_server()

    def died(name: str, step: int | None) -> tuple[Path, int]:
        folder = tmp_path / name / "out"
        folder.parent.mkdir()
        said, tell = server.Pipe(duplex=False)
        process = server.Process(target=export_until, args=(deployment.program_path, folder, tell, step))
        process.start()
        process.join(120)
        assert process.exitcode == (0 if step is None else -signal.SIGKILL)
        return folder, said.recv() if step is None else 0

    _, steps = died("undisturbed", None)
    # The last ones give the folder its name and clear up.
    for step in sorted({*range(1, steps, steps // KILLS), *range(steps - 3, steps + 1)}):
        folder, _ = died(f"killed-{step}", step)
        assert not folder.exists() or contents(folder) == whole

        exported(deployment, "stac", folder, month=PASSED, indices=["ndvi"])

        assert contents(folder) == whole
        assert [path.name for path in folder.parent.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "changed", [{"datetime": 5}, {"datetime": "\x1b[2J-"}, {"bands": {}}], ids=["a number", "a command", "no band"]
)
def test_scenes_that_were_forged_consistently_are_refused(
    changed: Json, deployment: Deployment, tmp_path: Path
) -> None:
    """Every digest fits, and what a scene says is not what scenes say: no traceback, and nothing reaches a terminal."""
    other = a_copy(deployment, tmp_path / "programme")

    def edit(data: Path, record: Json) -> None:
        scenes = json.loads((data / "scenes.json").read_bytes())
        scenes[0]["scenes"][0].update(changed)
        (data / "scenes.json").write_bytes(canonical(scenes))

    forge(other.lake_path, "sentinel2/raw_tiles", PASSED, edit)

    with pytest.raises(DamagedLake, match="its records do not fit together"):
        exported(other, "csv", tmp_path / "out", month=PASSED)
    assert not (tmp_path / "out").exists()


def test_a_monthly_record_that_contradicts_its_gate_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    """Values of a month that the gate rejected do not leave the lake, whatever a forged record says of them."""
    from mrv_assets.export.months import read_month

    other = a_copy(deployment, tmp_path / "programme")
    lake: Lake = other.lake
    forged = forge_upstream(lake)

    with pytest.raises(DamagedLake, match=r"has values of missions whose gate is open.* REJECTED"):
        read_month(lake, TILE, PASSED)
    assert forged


def forge_upstream(lake: Lake) -> str:
    """Let July's values name a decision that rejects them, every digest right; gives the new audit hash."""
    from mrv_assets.audit.canonical import digest
    from mrv_assets.audit.canonical import sha256 as of
    from mrv_assets.lake.runs import run_id, stored_files

    gated = lake.current(Partition("sentinel2/gated_tiles", TILE, PASSED))
    decision = {
        **json.loads((gated.data / "decision.json").read_bytes()),
        "status": "REJECTED",
        "reasons": ["no_scenes"],
    }
    output = {
        **gated.output,
        "status": "REJECTED",
        "reasons": ["no_scenes"],
        "decision_sha256": of(canonical(decision)),
    }
    hashes = {}
    for asset, changed in (("sentinel2/gated_tiles", {"output": output}), (PRODUCT, {})):
        record = lake.current(Partition(asset, TILE, PASSED))
        inputs = {**record.inputs, **{a: hashes[a] for a in record.inputs if a in hashes}}
        document = {**record.document, "inputs": inputs, **changed}
        slot = lake.slot(Partition(asset, TILE, PASSED))
        data = slot.data(digest(document["output"]))
        if data != record.data:
            shutil.move(record.data, data)
            (data / "decision.json").write_bytes(canonical(decision))
        hashes[asset] = of(canonical(document))
        request = digest({name: value for name, value in document.items() if name != "output"})
        for kind in ("records", "requests", "heads"):
            shutil.rmtree(slot.folder / kind)
            (slot.folder / kind).mkdir()
        slot.record(hashes[asset]).write_bytes(canonical(document))
        slot.request(request).write_bytes(canonical({"record": hashes[asset]}))
        slot.head(1).write_bytes(canonical({"record": hashes[asset], "previous": None}))
        [run] = (slot.folder / "runs").iterdir()
        stated = json.loads(run.read_bytes())
        stated |= {"record": hashes[asset], "request": request, "data": data.name, "stored": stored_files(data)}
        run.unlink()
        slot.run(run_id(stated)).write_bytes(canonical(stated))
    return hashes[PRODUCT]
