"""Every verb's JSON answer is what its schema in docs/schemas says, and no more."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result
from demo_lake import REPOSITORY, TILE, Demo, a_deployment, a_program, mrv
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from tampering import a_copy

from mrv_assets.audit.record import Partition
from mrv_assets.cli.main import verbs
from mrv_assets.deployment import Deployment
from mrv_assets.export.formats import FORMATS, Format
from mrv_assets.formats.table import column_meaning

SCHEMAS = {path.name: json.loads(path.read_bytes()) for path in (REPOSITORY / "docs" / "schemas").glob("*.json")}
REGISTRY: Registry[Any] = Registry().with_resources(
    [(name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()]
)
PASSED, REJECTED = "2018-05", "2018-06"


@pytest.fixture(scope="module")
def deployment(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A programme of two of the demo's months, one passed and one rejected, already in its lake."""
    folder = tmp_path_factory.mktemp("programme")
    program = a_program(folder, months={"start": PASSED, "end": REJECTED})
    return a_deployment(program, a_copy(demo.folder / "lake", folder / "lake", PASSED, REJECTED))


def problems(name: str, answer: Any) -> list[str]:
    """What a schema finds wrong with an answer."""
    validator = Draft202012Validator(SCHEMAS[f"{name}.json"], registry=REGISTRY)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)]


def answered(deployment: Deployment, *arguments: str) -> Any:
    """A verb's answer; its stdout has to be one JSON document and nothing else."""
    environ = {"MRV_PROGRAM": str(deployment.program_path), "MRV_LAKE": str(deployment.lake_path)}
    result: Result = CliRunner().invoke(verbs, [*arguments, "--json"], env=environ, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one_and_allows_nothing_unsaid(name: str) -> None:
    """Each object of a schema names all its fields, requires them, and says so."""
    schema = SCHEMAS[name]

    Draft202012Validator.check_schema(schema)

    for part in objects(schema):
        if "properties" in part:
            assert part["additionalProperties"] is False
            assert part["required"] == list(part["properties"])
        else:
            assert part["additionalProperties"], "a map says what its values are"


def objects(part: Any) -> Iterator[dict[str, Any]]:
    """Every schema of an object within a schema."""
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield part
        for inner in part.values():
            yield from objects(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from objects(inner)


def test_every_verb_that_answers_in_json_has_a_schema() -> None:
    """A new verb with --json gets a schema of its name."""
    answering = {f"{name}.json" for name, verb in leaves(verbs) if any("--json" in p.opts for p in verb.params)}

    assert answering == set(SCHEMAS) - {"parcel-row.json"}


def leaves(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every verb that does something, those of groups under both names: ``qa-list``."""
    for name, verb in group.commands.items():
        if isinstance(verb, click.Group):
            yield from leaves(verb, f"{before}{name}-")
        else:
            yield f"{before}{name}", verb


def test_keys_and_decisions(deployment: Deployment, tmp_path: Path) -> None:
    """A key, a decision signed with it, and the queue that shows it, each in the form of its schema."""
    folder = tmp_path / "programme"
    shutil.copytree(deployment.program_path.parent, folder)
    copy = a_deployment(folder / "program.yaml")
    made = answered(copy, "keys", "new", str(tmp_path / "ana.pem"), "--name", "Ana Pop", "--role", "reviewer")
    reviewer = {name: made[name] for name in ("name", "role", "public_key")}
    program = yaml.safe_load(copy.program_path.read_text())
    copy.program_path.write_text(yaml.safe_dump({**program, "reviewers": [reviewer]}))

    decide = ("qa", "decide", TILE, REJECTED, "--approve", "--reason", "Typical.", "--key", str(tmp_path / "ana.pem"))
    decided = answered(a_deployment(copy.program_path), *decide)
    waiting = answered(a_deployment(copy.program_path), "qa", "list")

    assert problems("keys-new", made) == problems("qa-decide", decided) == problems("qa-list", waiting) == []
    assert (decided["approvals_missing"], decided["assets"]) == (1, [])
    [item] = waiting["waiting"]
    assert item["missions"][0]["decisions"][0]["decision"] == decided["decision"]


def test_tiles(deployment: Deployment) -> None:
    """Six parcels in one tile, registered by the first call and known to the second."""
    first, second = answered(deployment, "tiles"), answered(deployment, "tiles")

    assert problems("tiles", first) == problems("tiles", second) == []
    assert [len(t["parcels"]) for t in first["tiles"]] == [6]
    assert [t["registered_now"] for t in first["tiles"] + second["tiles"]] == [True, False]


def test_plan(deployment: Deployment) -> None:
    """Both months are in the lake, so nothing is to be done."""
    answer = answered(deployment, "plan")

    assert problems("plan", answer) == []
    assert answer["totals"]["materialized"] == answer["totals"]["partitions"] == 2
    assert answer["totals"]["hours"] == 0


def test_plan_of_a_lake_without_runs(tmp_path: Path) -> None:
    """Hours are null, not a guess, and a parcel without scenes is named."""
    empty = a_deployment(a_program(tmp_path, months={"start": "2018-12", "end": "2018-12"}))

    answer = answered(empty, "plan")

    assert problems("plan", answer) == []
    assert answer["totals"]["hours"] is None
    assert len(answer["owners_without_scenes"]) == 6


def test_run(deployment: Deployment) -> None:
    """Six assets, each known to the lake already, with the audit hashes of their records."""
    answer = answered(deployment, "run", "--tile", TILE, "--month", PASSED)

    assert problems("run", answer) == []
    assert [a["outcome"] for a in answer["assets"]] == ["unchanged"] * 6
    assert (
        answer["assets"][-1]["audit_hash"]
        == deployment.lake.current(Partition("monthly_proxies", TILE, PASSED)).audit_hash
    )


@pytest.mark.parametrize("month", [PASSED, REJECTED])
def test_explain(deployment: Deployment, month: str) -> None:
    """A number that is there and one the gate refused are explained in the same form, back to the scenes."""
    answer = answered(deployment, "explain", "north-stable-2", month)

    assert problems("explain", answer) == []
    [part] = answer["parts"]
    assert (part["row"]["ndvi_mean"] is None) == (month == REJECTED)
    assert part["scenes"]
    assert part["records"][-1]["asset"] == "sentinel2/raw_tiles"


@pytest.mark.parametrize("options", [[], ["--rerun"], ["--month", PASSED, "--asset", "monthly_proxies"]])
def test_verify(deployment: Deployment, options: list[str]) -> None:
    """A sound lake, with and without computing again, whole and in part."""
    answer = answered(deployment, "verify", *options)

    assert problems("verify", answer) == []
    assert answer["verified"]
    assert answer["checked"]["records"] == (1 if "--month" in options else 12)
    assert [one["answer"] for one in answer["rerun"] or ()] == (["IDENTICAL"] * 10 if "--rerun" in options else [])


def test_verify_of_a_damaged_lake(deployment: Deployment, tmp_path: Path) -> None:
    """The answer comes on stdout all the same, with its findings, and the exit code is 1."""
    lake = tmp_path / "lake"
    shutil.copytree(deployment.lake_path, lake)
    [head] = (lake / "monthly_proxies" / TILE / PASSED / "heads").iterdir()
    head.unlink()

    done = mrv("verify", str(lake), "--json", cwd=tmp_path)

    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert problems("verify", answer) == []
    assert not answer["verified"]
    assert f"monthly_proxies/{TILE}/{PASSED}" in answer["findings"][0]["object"]


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_export(deployment: Deployment, tmp_path: Path, format: Format) -> None:
    """Every format answers in one form; the rejected month is among what has no values."""
    answer = answered(deployment, "export", str(tmp_path / "out"), "--as", format.name)

    assert problems("export", answer) == []
    assert [(one["month"], one["because"]) for one in answer["without_values"]] == [
        (PASSED, "unavailable"),
        (REJECTED, "gate_closed"),
    ]
    assert (answer["rows"] is None) == (not format.has_rows)


def test_export_of_nothing(deployment: Deployment, tmp_path: Path) -> None:
    """A month that the gate rejected has no pixel to write: the answer comes all the same, and the exit code is 1."""
    environment = {"MRV_PROGRAM": str(deployment.program_path), "MRV_LAKE": str(deployment.lake_path)}

    done = mrv("export", "out", "--as", "cog", "--month", REJECTED, "--json", cwd=tmp_path, **environment)

    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert problems("export", answer) == []
    assert (answer["outcome"], answer["files"]) == ("nothing", [])


def test_demo(demo_again: tuple[Demo, dict[str, Any]]) -> None:
    """The demo, run again over its own lake, answers with its twelve months, all of them reused."""
    _, answer = demo_again

    assert problems("demo", answer) == []
    assert (answer["partitions"], answer["reused"], len(answer["rows"])) == (12, 12, 72)


def test_a_row_has_the_units_of_the_table(deployment: Deployment) -> None:
    """Each field of a row is a column of the table, and a field in hectares, metres or days says so."""
    fields = SCHEMAS["parcel-row.json"]["properties"]

    words = {"ha": "ectare", "m": "metre", "d": "days"}
    for name, field in fields.items():
        _, unit, _ = column_meaning(name)
        assert words.get(unit, "") in field.get("description", "")


@pytest.mark.parametrize("verb", ["tiles", "plan", "explain", "verify", "export"])
def test_a_field_too_many_is_found(deployment: Deployment, verb: str, tmp_path: Path) -> None:
    """The schemas are not so loose that they would let anything pass."""
    more = {"explain": ["north-stable-2", PASSED], "export": [str(tmp_path / "out"), "--as", "csv"]}
    arguments = [verb, *more.get(verb, [])]
    answer = answered(deployment, *arguments)

    inner = next(
        part
        for value in answer.values()
        for part in (value if isinstance(value, list) else [value])
        if isinstance(part, dict)
    )

    assert problems(verb, {**answer, "more": 1})
    inner["more"] = 1
    assert problems(verb, answer)
