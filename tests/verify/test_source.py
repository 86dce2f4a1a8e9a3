"""`mrv verify --source`: what the raw tiles were made from is read again, and what was replaced since is said."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from demo_lake import Demo, mrv
from field_cases import a_case_served, run_all
from servers import RangeServer
from tampering import PASSED, RAW, REJECTED, a_copy, data_of, quiet

from mrv_assets.deployment import Deployment
from mrv_assets.reports.verify import answer, text
from mrv_assets.stac import open as opening
from mrv_assets.verify.source import publishers
from mrv_assets.verify.verification import Options

Json = dict[str, Any]


def verified(deployment: Deployment, sample: int | None = None) -> Json:
    """What `mrv verify --source` says of a lake."""
    found: Json = answer(
        deployment.lake_path,
        Options(),
        again=False,
        progress=quiet,
        publisher=publishers(deployment),
        sample=sample,
    )
    return found


@pytest.fixture
def demo_of(demo: Demo, tmp_path: Path) -> Deployment:
    """Two months of the demo's lake, and a copy of its programme and catalogue."""
    source = demo.deployment
    a_copy(source.lake_path, tmp_path / "lake", PASSED, REJECTED)
    shutil.copytree(source.program_path.parent, tmp_path / "programme")
    return Deployment(program_path=tmp_path / "programme" / source.program_path.name, lake_path=tmp_path / "lake")


def test_an_untouched_lake_is_what_its_publisher_has(demo_of: Deployment) -> None:
    """Every byte range, and every file whole whose checksum is published."""
    found = verified(demo_of)

    assert found["verdict"] == "VERIFIED"
    source = found["source"]
    assert source["ranges"] == source["of"] > 20
    assert source["checksums"] == source["files"]
    assert f"{source['of']} of {source['of']} byte ranges are the same" in text(found)
    assert "the publisher's files (--source)" not in found["limits"]


def test_a_sample_is_the_same_for_everybody(demo_of: Deployment) -> None:
    """Drawn by the audit hashes; what was not drawn is said."""
    first, second = (verified(demo_of, sample=5) for _ in range(2))

    assert first == second
    assert (first["verdict"], first["source"]["ranges"], first["source"]["sampled"]) == ("VERIFIED", 5, 5)
    left = first["source"]["of"] - 5
    assert f"{left} byte ranges of the publisher's files, which were not drawn" in first["limits"]


@pytest.mark.parametrize("sample", [None, 10_000])
def test_a_file_that_was_replaced_on_disk_is_named(sample: int | None, demo_of: Deployment) -> None:
    """By its bytes, of whatever size; the month was true when it was made, so this is no finding."""
    catalogue = demo_of.program_path.parent / "catalogue"
    path = next(catalogue.rglob(f"*_{PASSED.replace('-', '')}*/*.tif"))
    path.write_bytes(bytes(byte ^ (255 if at > 300 else 0) for at, byte in enumerate(path.read_bytes())))

    found = verified(demo_of, sample)

    assert (found["verdict"], found["findings"]) == ("INCOMPLETE", [])
    [reason] = found["incomplete"]
    assert path.name in reason
    assert "its publisher has replaced it" in reason


def test_without_the_programme_a_catalogue_on_disk_cannot_be_asked(demo_of: Deployment, tmp_path: Path) -> None:
    """A verifier elsewhere has the lake alone: it is said, and nothing is wrong."""
    found = verified(replace(demo_of, program_path=tmp_path / "nowhere.yaml"))

    assert (found["verdict"], found["findings"]) == ("INCOMPLETE", [])
    assert "no programme here says where it is" in found["incomplete"][0]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Deployment, RangeServer]]:
    """A month of files on a server."""
    with a_case_served("a13_band_404_forever", tmp_path) as (deployment, _, files):
        run_all(deployment)
        opening.forget_connections()
        yield deployment, files


@pytest.mark.parametrize(
    ("etag", "size", "verdict"),
    [
        ("as before", 0, "NOT VERIFIED"),
        ("another", 0, "INCOMPLETE"),
        ("none", 0, "INCOMPLETE"),
        ("as before", 1, "INCOMPLETE"),
    ],
)
def test_other_bytes_are_a_finding_where_the_file_was_not_replaced(
    etag: str, size: int, verdict: str, served: tuple[Deployment, RangeServer]
) -> None:
    """A server that gives its version as before gives other bytes: then it is the lake that was changed."""
    deployment, files = served
    [name] = [name for name in files.contents if name.endswith("S2A_20180710/B04.tif")]
    content = files.contents[name]
    data = bytes(byte ^ 255 if at > 400 else byte for at, byte in enumerate(content.data)) + b"\0" * size
    files.put(name, data, etag={"as before": content.etag, "another": '"another"', "none": None}[etag])

    found = verified(deployment)

    assert found["verdict"] == verdict
    if verdict == "NOT VERIFIED":
        assert {one["check"] for one in found["findings"]} == {"is what its publisher has"}
        assert name.rpartition("/")[2] in found["findings"][0]["expected"]
    else:
        assert "its publisher has replaced it" in found["incomplete"][0]
        assert found["findings"] == []


def test_a_file_that_is_gone_is_named_and_the_others_are_compared(served: tuple[Deployment, RangeServer]) -> None:
    """The server has the others."""
    deployment, files = served
    [name] = [name for name in files.contents if name.endswith("S2A_20180710/B04.tif")]
    files.contents.pop(name)

    found = verified(deployment)

    assert found["verdict"] == "INCOMPLETE"
    assert len(found["incomplete"]) == 1
    assert 0 < found["source"]["ranges"] < found["source"]["of"]


def test_the_command_needs_the_lake_and_says_what_it_read(demo_of: Deployment, tmp_path: Path) -> None:
    """`mrv verify --source --sample 3`; a sample of nothing is a misuse."""
    variables = {"MRV_PROGRAM": str(demo_of.program_path), "MRV_LAKE": str(demo_of.lake_path)}

    done = mrv("verify", "--source", "--sample", "3", "--json", cwd=tmp_path, **variables)
    misused = mrv("verify", "--sample", "3", cwd=tmp_path, **variables)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["source"]["ranges"] == 3
    assert misused.returncode == 2
    assert "Add --source" in misused.stderr


def test_a_damaged_list_of_scenes_costs_no_other_finding(demo_of: Deployment) -> None:
    """It is found as ever, and the other month is compared."""
    damaged = data_of(demo_of.lake_path, RAW, REJECTED) / "scenes.json"
    damaged.write_bytes(damaged.read_bytes() + b" ")

    found = verified(demo_of)

    assert found["verdict"] == "NOT VERIFIED"
    assert any("scenes.json" in one["object"] for one in found["findings"])
    assert any("its scenes cannot be read" in reason for reason in found["incomplete"])
    assert found["source"]["ranges"] == found["source"]["of"] > 0
