"""Manual decisions: who may decide on what, when a month is approved, and what stays shut."""

import base64
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from block_scenes import MONTH, TILE
from demo_lake import rows
from once import Once
from reviewing import GATED, NEXT, PEOPLE, Rejected, a_copy, again, decided, two_rejected_months

from mrv_assets.audit.canonical import canonical, sha256
from mrv_assets.audit.manual_decisions import Statement, asserted, signed
from mrv_assets.audit.record import Partition
from mrv_assets.cli.main import main
from mrv_assets.deployment import Deployment, UnknownPartition
from mrv_assets.errors import DecisionRefused, GateRefused, NotMaterialized, StaleUpstream
from mrv_assets.export.build import export
from mrv_assets.export.formats import format_named
from mrv_assets.export.options import Options as ExportOptions
from mrv_assets.lake.manual_decisions import keep_decision
from mrv_assets.reports.explain import answer as explain_answer
from mrv_assets.reports.explain import text as explained
from mrv_assets.reports.plan import answer as plan
from mrv_assets.reports.qa_decide import below_text
from mrv_assets.reports.qa_list import answer as queue
from mrv_assets.reports.verify import answer as verify
from mrv_assets.review.decide import Verdict, decide_asserted, decide_signed, hardly_seen
from mrv_assets.review.keys import new_key, read_key
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.verification import Options
from mrv_assets.verify.walk import partition_at

ANA, DAN, EVA = PEOPLE


@pytest.fixture(scope="module")
def shared(once: Once) -> Rejected:
    """Two months, both rejected, on which nobody has decided; tests change copies."""
    return two_rejected_months(once)


@pytest.fixture
def rejected(shared: Rejected, tmp_path: Path) -> Rejected:
    """A copy of it."""
    return a_copy(shared, tmp_path / "programme")


def status(of: Rejected, month: str = MONTH) -> str:
    """The gate's current word on a month, which its product has to agree with."""
    found = of.gated(month).output["status"]
    assert of.deployment.lake.current(Partition(PRODUCT, TILE, month)).output["decisions"] == {"sentinel2": found}
    return str(found)


def findings(of: Rejected) -> list[tuple[str, str]]:
    """What `mrv verify` finds: which file of its partition, and by which check."""
    answer = verify(of.deployment.lake_path, Options(), again=False, progress=lambda *_: None)
    return [(found["object"].partition(f"/{TILE}/")[2], found["check"]) for found in answer["findings"]]


def of(rejected: Rejected, reviewer: str) -> Path:
    """The file of somebody's decision."""
    [path] = [
        path
        for path in rejected.decisions().iterdir()
        if json.loads(path.read_bytes())["statement"]["reviewer"] == reviewer
    ]
    return path


def without(rejected: Rejected, reviewer: str) -> None:
    """Take a reviewer out of the programme."""
    known = rejected.deployment.program.the_reviewers
    left = [{"name": w.name, "role": w.role, "public_key": w.public_key} for w in known if w.name != reviewer]
    rejected.change(reviewers=left)


def a_statement(of: Rejected, **changed: Any) -> Statement:
    """Ana's approval of the rejected month, unless changed."""
    stated = Statement(
        programme=of.deployment.program.program,
        asset=GATED,
        tile=TILE,
        month=MONTH,
        record=of.gated().audit_hash,
        verdict="approve",
        reviewer=ANA,
        role="lead reviewer",
        reason="Typical.",
        evidence=(),
        decided_at="2026-01-01T00:00:00Z",
        before=(),
        reviewers=of.deployment.program.the_reviewers,
    )
    return replace(stated, **changed)


def test_what_was_hardly_seen_is_named_before_anybody_signs(rejected: Rejected) -> None:
    """Each parcel below the gate's threshold, with the share seen; afterwards its row and its explanation say so."""
    month = Verdict(tile=TILE, month=MONTH, mission=None, verdict="approve", reason="r", evidence=(), record=None)

    below = dict(hardly_seen(rejected.deployment, month))

    assert set(below) == {"half", "hidden"}
    assert 0 == below["hidden"] < below["half"] < rejected.deployment.program.gate.min_coverage
    assert "half: 0." in below_text(sorted(below.items()), 0.65)

    for person in (ANA, DAN):
        decided(rejected, person)
    page = explained(explain_answer(rejected.deployment, "half", MONTH))
    assert "half, 2018-07, tile 34TER: approved_below_coverage" in page
    assert "Source: 10 m, not comparable with other months, uncertainty x 1" in page


def test_two_reviewers_open_a_month(rejected: Rejected) -> None:
    """The approval is a new record beside the rejected one; what was seen gets its values, what was not gets none."""
    before = rejected.gated()

    first, second = decided(rejected, ANA, evidence=("field report 7",)), decided(rejected, DAN)

    approved, found = rejected.gated(), rows(rejected.deployment, MONTH)
    assert (first.approved, first.approvals_missing, second.approved, second.approvals_missing) == (False, 1, True, 0)
    assert status(rejected) == "APPROVED_MANUAL"
    assert approved.audit_hash != before.audit_hash
    assert approved.decided_on == before.audit_hash
    assert (
        before.audit_hash
        == rejected.deployment.lake.record(Partition(GATED, TILE, MONTH), before.audit_hash).audit_hash
    )
    assert {name: row["gate_status"] for name, row in found.items()} == dict.fromkeys(found, "APPROVED_MANUAL")
    assert {name: row["value_status"] for name, row in found.items()} == {
        "half": "approved_below_coverage",
        "hidden": "below_coverage",
    }
    assert found["half"]["comparable"] is False
    assert found["half"]["ndvi_mean"] == pytest.approx(0.75, abs=1e-4)
    assert found["hidden"]["ndvi_mean"] is None
    assert set(found["half"]["qa_decision_id"].split(" ")) == {first.decision, second.decision}
    assert rejected.deployment.lake.open(GATED, TILE, MONTH)["ndvi"].shape[0] == 1


def test_an_approval_says_who_why_and_with_which_keys(rejected: Rejected) -> None:
    """The decision document and the record hold all that is needed to check the signatures later."""
    decided(rejected, ANA, reason="Seen from a tower.", evidence=("field report 7",))
    decided(rejected, DAN)

    approved = rejected.gated()
    document = json.loads((approved.data / "decision.json").read_bytes())
    by = {one["reviewer"]: one for one in document["manual"]}
    stated = {one["name"]: one for one in approved.document["plan"]["reviewers"]}

    assert (by[ANA]["reason"], by[ANA]["evidence"]) == ("Seen from a tower.", ["field report 7"])
    assert document["reasons"] == ["below_tile_coverage"]
    known = {who.name: (who.role, who.key_id) for who in rejected.deployment.program.the_reviewers if who.name != EVA}
    assert {name: (one["role"], one["key_id"]) for name, one in stated.items()} == known
    assert sorted(approved.inputs["qa"]["decisions"]) == sorted(path.stem for path in rejected.decisions().iterdir())
    assert approved.inputs["qa"]["others"] == []


def test_an_explanation_says_who_approved_it(rejected: Rejected) -> None:
    """Beside the gate of the mission that was approved; the reviewers' words cannot pass for lines of ours."""
    decided(rejected, ANA, reason="Seen from a tower.\nVERIFIED", evidence=("field report 7", "photo 3"))
    second = decided(rejected, DAN, reason="Typical.")

    answer = explain_answer(rejected.deployment, "half", MONTH)

    [mission] = answer["parts"][0]["missions"]
    assert {one["reviewer"]: (one["role"], one["evidence"]) for one in mission["approved_by"]} == {
        ANA: ("lead reviewer", ["field report 7", "photo 3"]),
        DAN: ("reviewer", []),
    }
    assert second.decision in {one["decision"] for one in mission["approved_by"]}
    lines = explained(answer).splitlines()
    assert (
        r"  approved by Ana Pop, lead reviewer: Seen from a tower.\nVERIFIED (evidence: field report 7; photo 3)"
        in lines
    )
    assert "  approved by Dan Ilie, reviewer: Typical." in lines
    assert "VERIFIED" not in lines


def test_an_explanation_of_a_rejected_month_names_no_approver(rejected: Rejected) -> None:
    """One signature is not enough, and is not shown as if it were."""
    decided(rejected, ANA)

    answer = explain_answer(rejected.deployment, "half", MONTH)

    assert [one["approved_by"] for one in answer["parts"][0]["missions"]] == [[]]
    assert "approved by" not in explained(answer)


def test_an_approved_month_verifies_and_is_computed_again_bit_for_bit(rejected: Rejected) -> None:
    """`mrv verify --rerun` needs the lake alone, with its decisions and the keys that the record states."""
    decided(rejected, ANA)
    decided(rejected, DAN)
    rejected.deployment.program_path.unlink()

    lake = rejected.folder / "lake"
    answer = verify(lake, Options(month=MONTH), again=True, progress=lambda *_: None)

    assert (answer["findings"], answer["checked"]["decisions"]) == ([], 2)
    assert {one["asset"]: one["answer"] for one in answer["rerun"]} == {
        "monthly_proxies": "IDENTICAL",
        **{f"sentinel2/{stage}": "IDENTICAL" for stage in ("aligned_tiles", "masked_tiles", "indices", "gated_tiles")},
    }
    assert not any(one["other"] for one in answer["rerun"])


def test_what_is_approved_stays_so_and_moves_nothing(rejected: Rejected) -> None:
    """Materializing an approved month again changes no head, and it is known to be current without computing."""
    decided(rejected, ANA)
    decided(rejected, DAN)
    heads = sorted((rejected.deployment.lake_path / GATED).rglob("heads/*.json"))

    again(rejected)

    assert status(rejected) == "APPROVED_MANUAL"
    assert sorted((rejected.deployment.lake_path / GATED).rglob("heads/*.json")) == heads
    hashes = rejected.deployment.current_hashes(TILE, MONTH)
    assert hashes is not None
    assert hashes[GATED] == rejected.gated().audit_hash


def test_one_signature_is_not_enough(rejected: Rejected) -> None:
    """The month stays shut, for its readers too; nothing is wrong with the lake."""
    decided(rejected, ANA)
    again(rejected)

    assert status(rejected) == "REJECTED"
    assert findings(rejected) == []
    with pytest.raises(GateRefused):
        rejected.deployment.lake.open(GATED, TILE, MONTH)


def test_nobody_decides_twice(rejected: Rejected) -> None:
    """The second time is refused with what was said the first, and leaves nothing behind."""
    decided(rejected, ANA)

    with pytest.raises(DecisionRefused, match=r"Ana Pop': this reviewer has decided on record .* already: approve"):
        decided(rejected, ANA, reason="Once more.")

    assert len(list(rejected.decisions().iterdir())) == 1


def test_one_person_with_two_decisions_is_one_person(rejected: Rejected) -> None:
    """Even where the command is gone round, two approvals of one reviewer are not two reviewers'."""
    for reason in ("One.", "Two."):
        decision = signed(a_statement(rejected, reason=reason), read_key(rejected.key(ANA)))
        keep_decision(rejected.deployment.lake, decision, rejected.gated())

    again(rejected)

    assert status(rejected) == "REJECTED"


def test_what_is_asserted_never_counts(rejected: Rejected) -> None:
    """A decision without a signature is shown as asserted; with one that is signed the month stays shut."""
    wanted = Verdict(tile=TILE, month=MONTH, mission=None, verdict="approve", reason="I say so.")

    decide_asserted(rejected.deployment, wanted, DAN, "reviewer")
    decided(rejected, ANA)
    again(rejected)

    assert status(rejected) == "REJECTED"
    [item] = [one for one in queue(rejected.deployment)["waiting"] if one["month"] == MONTH]
    shown = {one["reviewer"]: one["authenticated"] for one in item["missions"][0]["decisions"]}
    assert shown == {DAN: False, ANA: True}
    assert item["missions"][0]["approvals_missing"] == 1
    assert findings(rejected) == []


def test_an_assertion_keeps_nobody_from_signing(rejected: Rejected) -> None:
    """Anyone may write a reviewer's name; the reviewer decides all the same."""
    wanted = Verdict(tile=TILE, month=MONTH, mission=None, verdict="reject", reason="Not mine.")
    decide_asserted(rejected.deployment, wanted, ANA, "lead reviewer")

    decided(rejected, ANA)
    decided(rejected, DAN)

    assert status(rejected) == "APPROVED_MANUAL"


def test_a_rejection_outweighs_approvals(rejected: Rejected) -> None:
    """Where one reviewer rejects, no number of approvals opens the month; the queue says so."""
    decided(rejected, ANA, "reject")
    decided(rejected, DAN)
    last = decided(rejected, EVA)
    again(rejected)

    assert (last.approved, last.approvals_missing) == (False, None)
    assert status(rejected) == "REJECTED"
    assert f"{ANA} has rejected it" in " ".join(queue(rejected.deployment)["waiting"][0]["would_pass"])


def test_a_decision_is_on_one_record(rejected: Rejected) -> None:
    """When another gate makes another record, decisions on the one before approve nothing; signing anew does."""
    decided(rejected, ANA)
    decided(rejected, DAN)
    first = rejected.gated()

    rejected.change(gate={"min_coverage": 0.8, "dilation_px": 0})
    again(rejected)

    assert status(rejected) == "REJECTED"
    assert findings(rejected) == []
    decided(rejected, ANA)
    decided(rejected, DAN)
    assert status(rejected) == "APPROVED_MANUAL"
    assert rejected.gated().audit_hash != first.audit_hash


def test_an_approval_ends_with_its_reviewer(rejected: Rejected) -> None:
    """When the programme no longer knows one of two reviewers, the measured decision is current again."""
    before = rejected.gated().audit_hash
    decided(rejected, ANA)
    decided(rejected, DAN)

    without(rejected, DAN)
    assert rejected.deployment.current_hashes(TILE, MONTH) is None
    # Nor does the product alone take the approval that the lake still holds.
    with pytest.raises(StaleUpstream, match=f"approved by {DAN}"):
        rejected.deployment.materialize(PRODUCT, rejected.deployment.plan(TILE, MONTH))
    again(rejected)

    assert (status(rejected), rejected.gated().audit_hash) == ("REJECTED", before)


def test_what_a_former_reviewer_approved_is_named_until_it_is_run_again(rejected: Rejected, tmp_path: Path) -> None:
    """It stays approved in its record; exports, plans, explanations and the queue say that its reviewer was removed."""
    decided(rejected, ANA)
    decided(rejected, DAN)
    without(rejected, DAN)
    deployment = rejected.deployment

    assert status(rejected) == "APPROVED_MANUAL"
    assert findings(rejected) == []
    table = ExportOptions(format=format_named("csv"))
    [entry] = [
        entry
        for entry in export(deployment, table, tmp_path / "table", lambda *_: None).manifest["without_values"]
        if entry["month"] == MONTH
    ]
    assert (entry["because"], f"approved by {DAN}" in entry["detail"]) == ("reviewer_removed", True)
    assert f"reviewer_removed: {GATED}: it was approved by {DAN}" in plan(deployment, [TILE], [MONTH])["stale"][0]
    page = explained(explain_answer(deployment, "half", MONTH))
    assert f"Stale: {TILE} {MONTH} reviewer_removed" in page
    assert f"approved by {DAN}" in page
    [waiting] = [one for one in queue(deployment)["waiting"] if one["month"] == MONTH]
    assert waiting["would_pass"] == [f"materialize it again: mrv run --tile {TILE} --month {MONTH}"]

    again(rejected)

    assert status(rejected) == "REJECTED"
    assert plan(rejected.deployment, [TILE], [MONTH])["stale"] == []


def test_nobody_gets_rid_of_a_rejection_by_removing_the_reviewer(rejected: Rejected) -> None:
    """It counts for as long as the record stands, and is nothing that anybody has to look into."""
    decided(rejected, EVA, "reject", reason="I was there.")
    without(rejected, EVA)

    decided(rejected, ANA)
    last = decided(rejected, DAN)
    again(rejected)

    assert (last.approved, last.approvals_missing, status(rejected)) == (False, None, "REJECTED")
    [mission] = queue(rejected.deployment)["waiting"][0]["missions"]
    assert (EVA, True) in [(one["reviewer"], one["authenticated"]) for one in mission["decisions"]]
    assert f"{EVA} has rejected it" in " ".join(queue(rejected.deployment)["waiting"][0]["would_pass"])
    assert findings(rejected) == []


def test_a_rejection_that_is_taken_away_is_missed(rejected: Rejected) -> None:
    """Whoever decides afterwards has signed that it was there: the month stays shut until it is restored."""
    decided(rejected, EVA, "reject")
    for name in (ANA, DAN):
        decided(rejected, name)
    gone = of(rejected, EVA)
    data = gone.read_bytes()
    gone.unlink()

    again(rejected)

    assert status(rejected) == "REJECTED"
    assert f"the decision {gone.stem[:12]} that" in " ".join(queue(rejected.deployment)["waiting"][0]["would_pass"])
    assert {check for _, check in findings(rejected)} == {"follows decisions that are there"}
    gone.write_bytes(data)
    assert findings(rejected) == []
    assert f"{EVA} has rejected it" in " ".join(queue(rejected.deployment)["waiting"][0]["would_pass"])


def test_an_approval_names_every_decision_there_was(rejected: Rejected) -> None:
    """What did not count too; one that it does not name is found, since it may be a rejection that was held back."""
    wanted = Verdict(tile=TILE, month=MONTH, mission=None, verdict="reject", reason="I say so.")
    said = decide_asserted(rejected.deployment, wanted, EVA, "reviewer")
    decided(rejected, ANA)
    decided(rejected, DAN)

    assert rejected.gated().inputs["qa"]["others"] == [said.decision]
    assert findings(rejected) == []

    on = rejected.deployment.lake.record(Partition(GATED, TILE, MONTH), str(rejected.gated().decided_on))
    late = a_statement(rejected, record=on.audit_hash, reviewer=EVA, role=PEOPLE[EVA], verdict="reject")
    name = keep_decision(rejected.deployment.lake, signed(late, read_key(rejected.key(EVA))), on)
    assert findings(rejected) == [(f"{MONTH}/decisions/{name}.json", "is named by the approval")]
    [change] = plan(rejected.deployment, [TILE], [MONTH])["stale"]
    assert "no two reviewers' signed decisions do" in change
    again(rejected)
    assert (status(rejected), findings(rejected)) == ("REJECTED", [])


def test_a_tampered_statement_is_found_and_counts_for_nothing(rejected: Rejected) -> None:
    """A file whose bytes were edited, and one renamed to fit, are both findings, and neither approves."""
    decided(rejected, ANA)
    [path] = rejected.decisions().iterdir()
    edited = json.loads(path.read_bytes())
    edited["statement"]["reason"] = "Something else."

    path.write_bytes(canonical(edited))
    in_place, shown = findings(rejected), queue(rejected.deployment)["waiting"][0]["missions"][0]["decisions"]
    path.unlink()
    renamed = path.with_name(f"{sha256(canonical(edited))}.json")
    renamed.write_bytes(canonical(edited))
    decided(rejected, DAN)

    assert in_place == [(f"{MONTH}/decisions/{path.name}", "its name is its SHA-256")]
    assert shown == []
    assert status(rejected) == "REJECTED"
    decided(rejected, ANA)
    assert status(rejected) == "APPROVED_MANUAL"
    assert findings(rejected) == [(f"{MONTH}/decisions/{renamed.name}", "is signed by a reviewer")]


@pytest.mark.parametrize("pretends", [True, False])
def test_a_stranger_approves_nothing(rejected: Rejected, pretends: bool) -> None:
    """A decision signed by a key that is no reviewer's counts for nothing, also under a reviewer's name and key id."""
    new_key(rejected.key("stranger"), DAN, "reviewer")
    forged = json.loads(
        signed(a_statement(rejected, reviewer=DAN, role="reviewer"), read_key(rejected.key("stranger")))
    )
    if pretends:
        forged["signature"]["key_id"] = next(
            w.key_id for w in rejected.deployment.program.the_reviewers if w.name == DAN
        )
    name = keep_decision(rejected.deployment.lake, canonical(forged), rejected.gated())

    decided(rejected, ANA)
    again(rejected)

    assert status(rejected) == "REJECTED"
    decided(rejected, DAN)
    assert status(rejected) == "APPROVED_MANUAL"
    assert findings(rejected) == [(f"{MONTH}/decisions/{name}.json", "is signed by a reviewer")]


@pytest.mark.parametrize("stated", [{"reviewer": DAN, "role": "lead reviewer"}, {"role": "director"}])
def test_a_reviewer_who_signs_as_somebody_else_approves_nothing(rejected: Rejected, stated: dict[str, str]) -> None:
    """With a reviewer's own key, under another's name or in another role: what would be shown is not who signed."""
    name = keep_decision(
        rejected.deployment.lake, signed(a_statement(rejected, **stated), read_key(rejected.key(ANA))), rejected.gated()
    )

    decided(rejected, EVA)
    assert status(rejected) == "REJECTED"

    decided(rejected, DAN)
    assert status(rejected) == "APPROVED_MANUAL"
    assert name not in rejected.gated().inputs["qa"]["decisions"]


def test_a_decision_copied_to_another_month_is_found_and_counts_for_nothing(rejected: Rejected) -> None:
    """What two reviewers say of July opens no August."""
    decided(rejected, ANA)
    decided(rejected, DAN)
    rejected.decisions(NEXT).mkdir()
    for path in rejected.decisions().iterdir():
        (rejected.decisions(NEXT) / path.name).write_bytes(path.read_bytes())

    again(rejected, NEXT)

    assert status(rejected, NEXT) == "REJECTED"
    checks = {check for deployment, check in findings(rejected) if deployment.startswith(f"{NEXT}/decisions/")}
    assert checks == {"is of this partition", "is on a rejected record"}


def test_an_approval_without_its_decisions_is_found(rejected: Rejected) -> None:
    """A record that says APPROVED_MANUAL is nothing without the signed documents it names."""
    decided(rejected, ANA)
    decided(rejected, DAN)

    of(rejected, DAN).unlink()

    assert findings(rejected) == [(f"{MONTH}/records/{rejected.gated().audit_hash}.json", "approved by")]


def test_an_approval_that_counts_too_few_is_found(rejected: Rejected) -> None:
    """A signature that was swapped for another's makes the approval unfounded, whatever the file is called."""
    decided(rejected, ANA)
    decided(rejected, DAN)
    path = of(rejected, DAN)
    swapped = json.loads(path.read_bytes())
    swapped["signature"]["sig"] = base64.b64encode(bytes(64)).decode()
    path.write_bytes(canonical(swapped))

    found = findings(rejected)

    assert (f"{MONTH}/records/{rejected.gated().audit_hash}.json", "approved by") in found
    assert (f"{MONTH}/decisions/{path.name}", "its name is its SHA-256") in found


@pytest.mark.parametrize("named", [[0], [0, 0], []])
def test_a_record_that_approves_on_one_word_is_found(rejected: Rejected, named: list[int]) -> None:
    """One that names fewer decisions than two reviewers', or one of them twice, was made by no version."""
    decided(rejected, ANA)
    decided(rejected, DAN)
    approved = rejected.gated()
    qa = approved.inputs["qa"]
    inputs = {**approved.inputs, "qa": {**qa, "decisions": [qa["decisions"][number] for number in named]}}
    partition = partition_at(rejected.deployment.lake.slot(Partition(GATED, TILE, MONTH)))

    sound = list(partition.decided.approval_findings(approved))
    forged = list(
        partition.decided.approval_findings(replace(approved, document={**approved.document, "inputs": inputs}))
    )

    assert sound == []
    assert [finding.check for finding in forged] == ["approved by"]


REFUSALS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a tile that is not": ({"tile": "34TFS"}, UnknownPartition, "Tile '34TFS' is not in this programme"),
    "a month that is not": ({"month": "2018-01"}, UnknownPartition, "Month '2018-01' is not in this programme"),
    "a mission that is not": ({"mission": "landsat"}, DecisionRefused, "Mission 'landsat': it is not in this"),
    "an empty reason": ({"reason": "  "}, DecisionRefused, "Reason '  ': it is empty"),
    "a secret in evidence": (
        {"evidence": ("https://x.org/a?sig=s3cret",)},
        DecisionRefused,
        r"Evidence '\*\*\*': it has a link with a query",
    ),
    "control characters": ({"reason": "fine\x1b[2J"}, DecisionRefused, "not plain text"),
    "another record": ({"record": "0" * 64}, DecisionRefused, "superseded, or there is no such record"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_refused(shared: Rejected, name: str) -> None:
    """Each says what is wrong with which value and what to do, and leaves nothing behind."""
    changed, error, message = REFUSALS[name]
    asked = {"tile": TILE, "month": MONTH, "mission": None, "verdict": "approve", "reason": "Typical.", **changed}

    with pytest.raises(error, match=message) as raised:
        decide_signed(shared.deployment, Verdict(**asked), shared.key(ANA))

    assert "s3cret" not in str(raised.value)
    assert not shared.decisions().exists()


def test_a_month_that_is_not_in_the_lake_is_refused(rejected: Rejected) -> None:
    """There is nothing to decide on before it has been materialized."""
    rejected.change(months={"start": MONTH, "end": "2018-09"})

    with pytest.raises(NotMaterialized, match="mrv run --tile 34TER --month 2018-09"):
        decided(rejected, ANA, month="2018-09")


def test_what_is_approved_is_not_decided_on_again(rejected: Rejected) -> None:
    """Nobody approves what is approved, whoever comes next."""
    decided(rejected, ANA)
    decided(rejected, DAN)

    with pytest.raises(DecisionRefused, match=r"none of its missions is REJECTED \(sentinel2 APPROVED_MANUAL\)"):
        decided(rejected, ANA)
    with pytest.raises(DecisionRefused, match="it is APPROVED_MANUAL, and only REJECTED ones"):
        decided(rejected, ANA, mission="sentinel2")


def test_what_is_superseded_is_not_decided_on(rejected: Rejected) -> None:
    """A decision on a record that the programme would no longer make would count for nothing: it is refused."""
    rejected.change(gate={"min_coverage": 0.8, "dilation_px": 0})

    with pytest.raises(DecisionRefused, match=r"has been superseded.*mrv run --tile 34TER --month 2018-07"):
        decided(rejected, ANA)

    assert not rejected.decisions().exists()


def test_a_key_that_is_no_reviewers_is_refused(rejected: Rejected) -> None:
    """The message names the cure, and nothing of the private key."""
    new_key(rejected.key("stranger"), "Stranger", "nobody")
    rejected.key("broken").write_text("-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----\n")

    with pytest.raises(DecisionRefused, match=r"is not among the programme's reviewers.*mrv keys new"):
        decided(rejected, "stranger")
    with pytest.raises(DecisionRefused, match="does not hold a private key") as broken:
        decided(rejected, "broken")
    with pytest.raises(DecisionRefused, match="No such file"):
        decided(rejected, "missing")

    assert "MC4CAQAw" not in str(broken.value)


def test_nothing_is_approved_where_nothing_was_seen(rejected: Rejected) -> None:
    """Approving a month without scenes would let nothing in: it is refused, and counts for nothing."""
    empty = "2018-09"
    rejected.change(months={"start": MONTH, "end": empty})
    for _ in rejected.deployment.run(TILE, empty):
        pass

    with pytest.raises(DecisionRefused, match="nothing was seen"):
        decided(rejected, ANA, month=empty)
    for name in (ANA, DAN):
        record = rejected.gated(empty)
        statement = a_statement(rejected, month=empty, record=record.audit_hash, reviewer=name, role=PEOPLE[name])
        keep_decision(rejected.deployment.lake, signed(statement, read_key(rejected.key(name))), record)
    again(rejected, empty)

    assert status(rejected, empty) == "REJECTED"
    assert findings(rejected) == []


def test_the_queue_is_what_the_records_say(rejected: Rejected) -> None:
    """Two months wait, oldest first, with what is missing; an approved one waits no longer."""
    first, second = queue(rejected.deployment)["waiting"]

    assert [(one["tile"], one["month"]) for one in (first, second)] == [(TILE, MONTH), (TILE, NEXT)]
    assert first["age_days"] == second["age_days"] + 31
    [mission] = first["missions"]
    assert (mission["status"], mission["reasons"], mission["coverage"]) == ("REJECTED", ["below_tile_coverage"], 0.25)
    assert mission["coverage_missing_points"] == pytest.approx(40)
    assert Path(mission["quick_look"]).is_file()
    assert first["would_pass"] == [
        "sentinel2: 40.0 points more of the parcels' area seen clear",
        "sentinel2: 2 more reviewers who approve",
    ]
    decided(rejected, ANA)
    decided(rejected, DAN)
    assert [one["month"] for one in queue(rejected.deployment)["waiting"]] == [NEXT]


def test_nothing_waits_that_nobody_can_decide_on(rejected: Rejected) -> None:
    """Under other rules the queue says to run the month, as the decision would; other tiles and months are history."""
    path = rejected.deployment.program_path
    program = yaml.safe_load(path.read_text())

    def waiting(**fields: object) -> list[Any]:
        path.write_text(yaml.safe_dump({**program, **fields}))
        return list(queue(Deployment(program_path=path, lake_path=rejected.deployment.lake_path))["waiting"])

    old = waiting(snow_is_clear=True)
    assert [one["would_pass"] for one in old] == [
        [f"materialize it again: mrv run --tile {TILE} --month {month}"] for month in (MONTH, NEXT)
    ]
    assert {one["stale"] for one in old} == {"was made with another snow_is_clear than the programme has now"}
    assert [one["month"] for one in waiting(months={"start": NEXT, "end": NEXT})] == [NEXT]
    assert [one["stale"] for one in waiting()] == [None, None]


def test_the_command_from_keys_to_values(
    rejected: Rejected, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`mrv qa list`, two times `mrv qa decide`, and the month is open; the third time is misuse."""
    for name, value in rejected.environment().items():
        monkeypatch.setenv(name, value)

    def mrv(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mrv", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        said = capsys.readouterr()
        return int(str(done.value.code)), said.out, said.err

    decide = ["qa", "decide", TILE, MONTH, "--approve", "--reason", "Typical.", "--key"]
    listed = mrv("qa", "list")
    first = mrv(*decide, str(rejected.key(ANA)))
    second = mrv(*decide, str(rejected.key(DAN)), "--json")
    third = mrv(*decide, str(rejected.key(DAN)))

    assert listed[0] == 0
    assert f"{TILE} {MONTH}" in listed[1]
    assert first[0] == 0
    assert "Still REJECTED: 1 to approve." in first[1]
    answer = json.loads(second[1])
    assert (second[0], answer["approved"], answer["authenticated"]) == (0, True, True)
    assert {one["asset"]: one["outcome"] for one in answer["assets"]} == {GATED: "computed", PRODUCT: "computed"}
    assert third[0] == 2
    assert "none of its missions is REJECTED" in third[2]
    assert status(rejected) == "APPROVED_MANUAL"


def test_asserted_documents_are_not_signed(shared: Rejected) -> None:
    """The document itself says that nobody vouches for it."""
    assert json.loads(asserted(a_statement(shared)))["signature"] is None
