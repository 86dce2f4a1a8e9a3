"""Reviewers' keys, and how a programme knows them."""

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from program_builders import a_document, a_program_file

from mrv_assets.errors import DecisionRefused, ProgramError
from mrv_assets.programme.file import load_program
from mrv_assets.review.keys import new_key, programme_lines, read_key

PRIVATE = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIPj\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("name", ["Ana Pop", 'Dan "Doc": Ilie #1', "Ștefan Țepeș"])
def test_what_is_printed_makes_the_reviewer_known(tmp_path: Path, name: str) -> None:
    """The printed lines, put into a programme file, give the same name, role and key, whatever is in the name."""
    made = new_key(tmp_path / "a.pem", name, "lead reviewer")
    path = a_program_file(tmp_path, yaml.safe_dump(a_document()) + programme_lines(made))

    [known] = load_program(path).the_reviewers

    assert (known.name, known.role, known.key_id) == (name, "lead reviewer", made.key_id)


def test_a_private_key_is_its_owners_alone(tmp_path: Path) -> None:
    """Nobody else may read the file, what is printed has nothing of it, and it is never replaced."""
    path = tmp_path / "ana.pem"
    made = new_key(path, "Ana Pop", "reviewer")
    before = path.read_bytes()

    with pytest.raises(DecisionRefused, match="it exists already"):
        new_key(path, "Ana Pop", "reviewer")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == before
    assert "PRIVATE" not in programme_lines(made)
    assert read_key(path).public_key() == read_key(path).public_key()


@pytest.mark.parametrize("name", ["", " Ana", "Ana\nPop", "A" * 201])
def test_a_name_is_one_plain_line(tmp_path: Path, name: str) -> None:
    """What a programme file would refuse is refused before there is a key."""
    with pytest.raises(DecisionRefused, match="one plain line"):
        new_key(tmp_path / "a.pem", name, "reviewer")

    assert list(tmp_path.iterdir()) == []


def reviewers(folder: Path, *changed: dict[str, Any]) -> list[dict[str, Any]]:
    """Reviewers as a programme file has them, some fields changed."""
    found = []
    for number, changes in enumerate(changed):
        made = new_key(folder / f"{number}.pem", f"Reviewer {number}", "reviewer")
        found.append({"name": made.name, "role": made.role, "public_key": made.public_key} | changes)
    return found


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"name": ""}, "reviewers[1].name", "at least 1"),
        ({"name": "a\nb"}, "reviewers[1].name", "one plain line"),
        ({"name": "Reviewer 0"}, "reviewers", "the same name"),
        ({"role": 7}, "reviewers[1].role", "valid string"),
        ({"public_key": "MCowBQYDK2VwAyEA"}, "reviewers[1].public_key", "no Ed25519 public key"),
        ({"public_key": PRIVATE}, "reviewers[1].public_key", "it is a private key"),
        ({"private_key": PRIVATE}, "reviewers[1].private_key", "no such key"),
    ],
)
def test_a_wrong_reviewer_is_named_with_its_cure(
    tmp_path: Path, changes: dict[str, Any], field: str, says: str
) -> None:
    """Field and reason; a private key that got into the file is not repeated."""
    path = a_program_file(tmp_path, a_document(reviewers=reviewers(tmp_path, {}, changes)))

    with pytest.raises(ProgramError) as raised:
        load_program(path)

    [problem] = raised.value.problems
    assert problem.field == field
    assert says in problem.reason
    assert "MC4C" not in str(raised.value)


def test_two_reviewers_have_two_keys(tmp_path: Path) -> None:
    """One key under two names would let one person be two."""
    [one] = reviewers(tmp_path, {})
    path = a_program_file(tmp_path, a_document(reviewers=[one, {**one, "name": "Somebody else"}]))

    with pytest.raises(ProgramError, match="the same public key"):
        load_program(path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Only Ed25519 signs: what verifies it knows no other."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    key = generate_private_key(SECP256R1())
    path = tmp_path / "ec.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )

    with pytest.raises(DecisionRefused, match="its key is not an Ed25519 key"):
        read_key(path)
