"""A rejected month's decision, rewritten in the lake: how far a forger gets, and what finds each of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from block_scenes import TILE
from demo_lake import Json, run_months
from export_months import exported
from shut_months import (
    GATED,
    SHUT,
    checks,
    compared,
    current,
    edited,
    folder_of,
    refused,
    shut_and_open,
    values,
    verified,
    without_product,
)
from shut_months import materialized as by_hand
from tampering import forge, put, rewrite_run

from mrv_assets.audit.canonical import canonical, digest, sha256
from mrv_assets.deployment import Deployment
from mrv_assets.errors import DamagedLake, GateRefused, StaleUpstream
from mrv_assets.formats.artifacts import DECISION
from mrv_assets.lake.runs import stored_files
from mrv_assets.stages.options import RunOptions
from mrv_assets.stages.table import PRODUCT


def opened(document: Json) -> Json:
    """A rejected decision as if the gate had passed the month, with all its numbers."""
    parcels = [{**parcel, "passed": True, "valid_fraction": 1} for parcel in document["parcels"]]
    return {**document, "status": "PASSED", "reasons": [], "coverage": 1, "parcels": parcels}


def rewritten(path: Path, edit: Callable[[Json], Json]) -> None:
    """Edit a canonical document where it lies."""
    path.write_bytes(canonical(edit(json.loads(path.read_bytes()))))


def forged_record(deployment: Deployment, *, run: bool, request: bool, edit: Callable[[Json], Json] = opened) -> str:
    """Put a decision of one's own beside the rejected one, and make it current; gives its audit hash.

    Its record speaks of the file that is there, its name is its hash, and the head names it.

    Args:
        place: The programme and its lake.
        run: Also write a run record of it.
        request: Also have its request answered by it.
        edit: What becomes of the decision.
    """
    rejected, folder = current(deployment, GATED), folder_of(deployment, GATED)
    document = edit(json.loads((rejected.data / DECISION).read_bytes()))
    output = {
        **rejected.output,
        **{name: document[name] for name in ("status", "reasons", "coverage")},
        "decision_sha256": sha256(canonical(document)),
    }
    data = folder / "data" / digest(output)
    data.mkdir()
    (data / DECISION).write_bytes(canonical(document))
    (data / "preview.png").write_bytes((rejected.data / "preview.png").read_bytes())
    made = put(folder / "records", {**rejected.document, "output": output})
    (folder / "heads" / "000002.json").write_bytes(
        canonical({"previous": rejected.audit_hash, "record": made.stem}),
    )
    if run:
        [first] = (folder / "runs").iterdir()
        before = first.read_bytes()
        of = {"record": made.stem, "data": data.name, "stored": stored_files(data)}
        rewrite_run(first, lambda one: one.update(of))
        first.write_bytes(before)
    if request:
        [answer] = (folder / "requests").iterdir()
        answer.write_bytes(canonical({"record": made.stem}))
    return made.stem


def healed(deployment: Deployment) -> None:
    """A run of the month brings the gate's own decision back, and no value comes in."""
    run_months(deployment, [SHUT])
    assert (current(deployment, GATED).output["status"], values(deployment)) == ("REJECTED", {})


def test_a_decision_file_that_was_edited_decides_nothing(deployment: Deployment, tmp_path: Path) -> None:
    """REJECTED became PASSED in decision.json: no stage, reader or export takes it for the record's."""
    rewritten(current(deployment, GATED).data / DECISION, opened)
    says = r"decision\.json: its bytes are not the ones its record speaks of"

    with refused(deployment, DamagedLake, says):
        deployment.lake.open(GATED, TILE, SHUT)
    with refused(deployment, DamagedLake, says):
        exported(deployment, "csv", tmp_path / "out", month=SHUT)
    with refused(without_product(deployment), DamagedLake, says):
        by_hand(deployment, PRODUCT)
    assert checks(deployment) == {"stored bytes"}


def test_a_record_that_was_fixed_to_it_is_none(deployment: Deployment) -> None:
    """The record says the digest of the edited file, under the name it had: its bytes are not those it is named by."""
    rejected = current(deployment, GATED)
    rewritten(rejected.data / DECISION, opened)
    found = sha256((rejected.data / DECISION).read_bytes())
    rewritten(
        folder_of(deployment, GATED) / "records" / f"{rejected.audit_hash}.json",
        lambda record: {**record, "output": {**record["output"], "status": "PASSED", "decision_sha256": found}},
    )

    with refused(deployment, DamagedLake, "not the record that its audit hash names"):
        deployment.lake.open(GATED, TILE, SHUT)
    with refused(without_product(deployment), DamagedLake, "not the record that its audit hash names"):
        by_hand(deployment, PRODUCT)
    assert "audit hash" in checks(deployment)


@pytest.mark.parametrize(
    ("run", "request_too", "says", "found"),
    [
        (False, False, "no run made it: what it answers is answered by [0-9a-f]{64}", "has a run record"),
        (True, False, "no run made it: what it answers is answered by [0-9a-f]{64}", "answers its request"),
        (False, True, "no run record says what was written there", "has a run record"),
    ],
    ids=["a record and a head", "without its request", "without its run"],
)
def test_a_forged_record_that_no_run_made_decides_nothing(
    deployment: Deployment, tmp_path: Path, run: bool, request_too: bool, says: str, found: str
) -> None:
    """A record of its own name, with data and head: without the run and the request that a run leaves it is none."""
    forged_record(deployment, run=run, request=request_too)

    with refused(deployment, DamagedLake, says):
        deployment.lake.open(GATED, TILE, SHUT)
    with refused(without_product(deployment), DamagedLake, says):
        by_hand(deployment, PRODUCT)
    assert found in checks(deployment)
    if not request_too:
        healed(deployment)


def test_an_approval_that_nobody_signed_lets_nothing_in(deployment: Deployment) -> None:
    """APPROVED_MANUAL with run and request, whatever reviewers it names: the signed decisions are missing."""
    forged_record(
        deployment, run=True, request=True, edit=lambda document: {**opened(document), "status": "APPROVED_MANUAL"}
    )

    with refused(without_product(deployment), StaleUpstream, "no two reviewers' signed decisions do"):
        by_hand(deployment, PRODUCT)
    assert "approved by" in checks(deployment)


def test_an_answer_that_names_another_record_is_none(tmp_path: Path) -> None:
    """The product's request, pointed at values of a lower threshold that lie in the lake: they do not come back."""
    deployment = shut_and_open(tmp_path / "programme", run=())
    lowered = {"gate": {"min_coverage": 0.1}}
    run_months(edited(deployment, **lowered), [SHUT])
    with_values = current(deployment, PRODUCT)
    usual = edited(deployment, gate={"min_coverage": 0.65})
    run_months(usual, [SHUT])
    request = folder_of(usual, PRODUCT) / "requests" / f"{current(usual, PRODUCT).request}.json"
    request.write_bytes(canonical({"record": with_values.audit_hash}))

    with refused(usual, DamagedLake, f"it names record {with_values.audit_hash}, which answers another request"):
        by_hand(usual, PRODUCT)

    assert values(usual) == {}
    assert "is of this request" in checks(usual)
    by_hand(usual, PRODUCT, options=RunOptions(force=True))
    assert (values(usual), checks(usual)) == ({}, set())


def test_a_forged_record_with_all_that_a_run_leaves_is_found_beside_the_rejected_one(deployment: Deployment) -> None:
    """Its values come in when the product is materialized alone; but the request has two answers, and that is found."""
    forged_record(deployment, run=True, request=True)

    by_hand(without_product(deployment), PRODUCT)

    assert values(deployment) != {}
    assert "answers its request" in checks(deployment)


def test_who_rewrites_everything_is_found_by_computing_again(tmp_path: Path) -> None:
    """Decision, record, run, request and head, all of one piece: only computing again tells. docs/audit.md says so.

    The values come in when the product is materialized alone. `mrv verify` finds every digest right; `--rerun` finds
    the gate, and what followed from it, DIFFERENT; and a forced run brings REJECTED back.
    """
    deployment = shut_and_open(tmp_path / "programme", run=[SHUT])
    forge(deployment.lake_path, GATED, SHUT, _say_passed)
    by_hand(without_product(deployment), PRODUCT)

    plainly = verified(deployment)
    again = compared(deployment)

    assert (current(deployment, GATED).output["status"], bool(values(deployment))) == ("PASSED", True)
    assert (plainly["findings"], plainly["verified"]) == ([], True)
    assert again == {
        **{f"sentinel2/{stage}": "IDENTICAL" for stage in ("aligned_tiles", "masked_tiles", "indices")},
        GATED: "DIFFERENT",
        PRODUCT: "DIFFERENT",
    }
    assert not verified(deployment, again=True, month=SHUT)["verified"]


def _say_passed(data: Path, document: Json) -> None:
    rewritten(data / DECISION, opened)
    document["output"].update(status="PASSED", reasons=[], coverage=1)


def test_a_gate_that_was_never_forged_is_refused_all_the_same(deployment: Deployment) -> None:
    """What the forgeries start from: the true decision opens nothing."""
    with refused(deployment, GateRefused, "below_tile_coverage"):
        deployment.lake.open(GATED, TILE, SHUT)
    by_hand(without_product(deployment), PRODUCT)
    assert (values(deployment), checks(deployment)) == ({}, set())
