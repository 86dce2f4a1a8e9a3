"""The tamper matrix of manual decisions: whatever is changed in one is found, and it counts for nothing."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from block_scenes import MONTH, TILE
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from once import Once
from reviewing import GATED, NEXT, PEOPLE, Rejected, a_copy, again, decided, two_rejected_months
from tampering import names, put, quiet

from mrv_assets.audit.canonical import canonical, sha256
from mrv_assets.audit.manual_decisions import Statement, public_pem
from mrv_assets.audit.record import Partition, Record
from mrv_assets.reports.verify import answer as verify
from mrv_assets.stages.table import PRODUCT
from mrv_assets.verify.verification import Options

Json = dict[str, Any]
ANA, DAN, EVA = PEOPLE
FOLLOWS = "follows decisions that are there"


@pytest.fixture(scope="module")
def shared(once: Once, tmp_path_factory: pytest.TempPathFactory) -> Rejected:
    """A month that two reviewers approved, beside one that is rejected."""
    made = a_copy(two_rejected_months(once), tmp_path_factory.mktemp("approved") / "of")
    decided(made, ANA, evidence=("field report 7",))
    decided(made, DAN)
    assert status(made) == "APPROVED_MANUAL"
    assert findings(made) == []
    return made


@pytest.fixture
def approved(shared: Rejected, tmp_path: Path) -> Rejected:
    """A copy of it, to be changed."""
    return a_copy(shared, tmp_path / "programme")


def status(of: Rejected, month: str = MONTH) -> str:
    """The gate's current word on a month."""
    return str(of.gated(month).output["status"])


def findings(of: Rejected, asset: str = GATED) -> list[Json]:
    """What `mrv verify` finds in an asset."""
    found: list[Json] = verify(of.deployment.lake_path, Options(asset=asset), again=False, progress=quiet)["findings"]
    return found


def path_in_lake(of: Rejected, path: Path) -> str:
    """A path as findings have it."""
    return path.relative_to(of.deployment.lake_path).as_posix()


def anas(of: Rejected) -> Path:
    """The file of Ana's decision."""
    [path] = [p for p in of.decisions().iterdir() if json.loads(p.read_bytes())["statement"]["reviewer"] == ANA]
    return path


def stated(name: str, value: object) -> Callable[[Json], None]:
    """Change a field of what a reviewer states."""
    return lambda document: document["statement"].update({name: value})


def signature(**changed: object) -> Callable[[Json], None]:
    """Change a field of the signature."""
    return lambda document: document["signature"].update(changed)


def unsigned(document: Json) -> None:
    """Take the signature away: what is left is asserted."""
    document["signature"] = None


EDITS: dict[str, Callable[[Json], None]] = {
    "schema": stated("schema", "mrv-qa/1"),
    "programme": stated("programme", "another"),
    "asset": stated("asset", "landsat/gated_tiles"),
    "tile": stated("tile", "34TFR"),
    "month": stated("month", NEXT),
    "record": stated("record", "0" * 64),
    "verdict": stated("verdict", "reject"),
    "reviewer": stated("reviewer", EVA),
    "role": stated("role", "director"),
    "reason": stated("reason", "Another."),
    "evidence": stated("evidence", ["field report 8"]),
    "decided_at": stated("decided_at", "2020-01-01T00:00:00Z"),
    "before": stated("before", ["0" * 64]),
    "reviewers": lambda document: document["statement"]["reviewers"].pop(),
    "key id": signature(key_id="0" * 64),
    "public key": signature(public_key=public_pem(Ed25519PrivateKey.generate().public_key())),
    "signature": signature(sig=base64.b64encode(bytes(64)).decode()),
    "no signature": unsigned,
}


@pytest.mark.parametrize("renamed", [False, True], ids=["in place", "renamed to fit"])
@pytest.mark.parametrize("name", EDITS)
def test_an_edited_decision_is_found_and_counts_for_nothing(name: str, renamed: bool, approved: Rejected) -> None:
    """Any field of it, whether its file's name fits the new bytes or not: found, and the month is shut again."""
    path, record = anas(approved), approved.gated()
    edited = json.loads(path.read_bytes())
    EDITS[name](edited)
    if renamed:
        path.unlink()
        path = path.with_name(f"{sha256(canonical(edited))}.json")
    path.write_bytes(canonical(edited))

    found = findings(approved)
    again(approved, assets=[GATED])

    # What was never signed is nobody's word, but no approval names it either.
    assert names(found, path_in_lake(approved, path))
    assert names(found, record_of(approved, record))
    assert all(one["expected"] != one["found"] and one["cure"] for one in found)
    assert status(approved) == "REJECTED"


def record_of(of: Rejected, record: Record) -> str:
    """The path of a record of the gate, as findings have it."""
    return path_in_lake(of, of.deployment.lake.slot(Partition(GATED, TILE, MONTH)).record(record.audit_hash))


def test_every_field_is_edited() -> None:
    """A new field of a statement wants a row of its own."""
    fields = {"schema", *Statement.__dataclass_fields__}

    assert fields | {"key id", "public key", "signature", "no signature"} == set(EDITS)


def test_a_decision_that_was_moved_to_another_month_is_found(approved: Rejected) -> None:
    """There it is another month's; here the approval has lost it. Neither month is open then."""
    record, moved = approved.gated(), approved.decisions(NEXT) / anas(approved).name
    moved.parent.mkdir()
    anas(approved).rename(moved)

    found = findings(approved)
    again(approved, assets=[GATED])
    again(approved, NEXT, [GATED])

    checks = {one["check"] for one in found}
    assert checks == {"is of this partition", "is on a rejected record", "approved by", FOLLOWS}
    assert names(found, path_in_lake(approved, moved))
    assert names(found, record_of(approved, record))
    assert (status(approved), status(approved, NEXT)) == ("REJECTED", "REJECTED")


def test_a_decision_that_was_deleted_after_it_was_counted_is_missed(approved: Rejected) -> None:
    """The approval names it, before the month is materialized again and after."""
    record = approved.gated()
    anas(approved).unlink()

    before = findings(approved)
    again(approved, assets=[GATED])
    after = findings(approved)

    assert [one["check"] for one in before] == ["approved by", FOLLOWS]
    assert names(before, record_of(approved, record))
    assert names(after, record_of(approved, record))
    assert status(approved) == "REJECTED"


def of_qa(name: str, value: Callable[[Json], object]) -> Callable[[Json], None]:
    """Change what an approval's record says it was made from."""

    def edit(document: Json) -> None:
        document["inputs"]["qa"][name] = value(document["inputs"]["qa"])

    return edit


def other_reviewers(document: Json) -> None:
    """State another's public key for each reviewer."""
    first, second = document["plan"]["reviewers"]
    first["public_key"], second["public_key"] = second["public_key"], first["public_key"]


LINKS: dict[str, Callable[[Json], None]] = {
    "another rejected record": of_qa("rejected", lambda qa: "0" * 64),
    "a decision that is not there": of_qa("decisions", lambda qa: [*qa["decisions"], "0" * 64]),
    "one decision": of_qa("decisions", lambda qa: qa["decisions"][:1]),
    "another that is not there": of_qa("others", lambda qa: ["0" * 64]),
    "one decision twice": of_qa("decisions", lambda qa: qa["decisions"][:1] * 2),
    "no decision": of_qa("decisions", lambda qa: []),
    "no link at all": lambda document: document["inputs"].pop("qa"),
    "other keys": other_reviewers,
    "no reviewers": lambda document: document["plan"].pop("reviewers"),
}


@pytest.mark.parametrize("edit", LINKS.values(), ids=LINKS)
def test_an_approval_whose_links_do_not_hold_is_found(edit: Callable[[Json], None], approved: Rejected) -> None:
    """A record that is sound by itself, and approves on other decisions than two reviewers': it is named."""
    record = approved.gated()
    document = json.loads(canonical(record.document))
    edit(document)

    made = put(approved.deployment.lake.slot(Partition(GATED, TILE, MONTH)).folder / "records", document)
    found = findings(approved)

    assert "approved by" in {one["check"] for one in found if one["object"] == path_in_lake(approved, made)}


@pytest.mark.parametrize(("asset", "file"), [(GATED, "decision.json"), (PRODUCT, "parcels.parquet")])
def test_who_approved_cannot_be_edited_where_it_is_shown(asset: str, file: str, approved: Rejected) -> None:
    """Names and decisions stand in the gate's document and in each row; both are evidence."""
    path = approved.deployment.lake.current(Partition(asset, TILE, MONTH)).data / file
    data = path.read_bytes()
    decision = anas(approved).stem.encode()
    assert decision in data
    path.write_bytes(data.replace(decision, b"0" * 64))

    found = findings(approved, asset)

    assert names(found, path_in_lake(approved, path))
