"""Manual decisions as documents: what a reviewer states on a rejected record, and Ed25519 signatures of it."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mrv_assets.audit.canonical import Json, canonical, sha256

SCHEMA = "mrv-qa/2"
PAYLOAD_TYPE = "application/vnd.mrv-qa+json"
"""Media type that is signed along, so that a signature cannot be taken for that of another document."""
APPROVE, REJECT = "approve", "reject"
PERSONS = 2
"""Number of reviewers who have to approve a rejected month."""


@dataclass(frozen=True, kw_only=True)
class Reviewer:
    """A person who may decide, as the programme states it."""

    name: str
    role: str
    public_key: str
    """Ed25519, PEM."""

    @property
    def key_id(self) -> str:
        """SHA-256 of the public key's DER.

        Raises:
            ValueError: When it is not an Ed25519 public key.
        """
        return sha256(_der(public_key(self.public_key)))

    @property
    def named(self) -> Json:
        """The reviewer as statements name those who may decide."""
        return {"name": self.name, "role": self.role, "key_id": self.key_id}


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A reviewer's statement on one rejected record."""

    programme: str
    asset: str
    tile: str
    month: str
    record: str
    """Audit hash of the rejected record that is decided on: a statement on one says nothing of any other."""
    verdict: str
    """``approve`` or ``reject``."""
    reviewer: str
    role: str
    reason: str
    evidence: tuple[str, ...]
    decided_at: str
    """UTC, ISO 8601."""
    before: tuple[str, ...]
    """Ids of all decisions on the record that there were, counted or not: a decision that is taken away is missed."""
    reviewers: tuple[Reviewer, ...]
    """The reviewers that the programme named when the statement was made."""

    @property
    def document(self) -> Json:
        """The statement as the part of the decision that is signed."""
        return {
            "schema": SCHEMA,
            "programme": self.programme,
            "asset": self.asset,
            "tile": self.tile,
            "month": self.month,
            "record": self.record,
            "verdict": self.verdict,
            "reviewer": self.reviewer,
            "role": self.role,
            "reason": self.reason,
            "evidence": list(self.evidence),
            "decided_at": self.decided_at,
            "before": sorted(self.before),
            "reviewers": sorted((who.named for who in self.reviewers), key=itemgetter("key_id")),
        }


def asserted(statement: Statement) -> bytes:
    """A decision that nobody signed: anyone may have written the name in it."""
    return canonical({"statement": statement.document, "signature": None})


def signed(statement: Statement, key: Ed25519PrivateKey) -> bytes:
    """A decision with the signature of a reviewer's private key."""
    signature = {
        "key_id": sha256(_der(key.public_key())),
        "public_key": public_pem(key.public_key()),
        "sig": base64.b64encode(key.sign(_signed_bytes(statement.document))).decode(),
    }
    return canonical({"statement": statement.document, "signature": signature})


def is_signed(decision: Json) -> bool:
    """True when the key that a decision states signed it, and its statement names that key's owner as a reviewer.

    It says nothing of whom the programme names now.
    """
    statement, signature = decision["statement"], decision["signature"]
    if signature is None:
        return False
    signer = Reviewer(name=statement["reviewer"], role=statement["role"], public_key=signature["public_key"])
    try:
        if signature["key_id"] != signer.key_id or signer.named not in statement["reviewers"]:
            return False
        public_key(signer.public_key).verify(
            base64.b64decode(signature["sig"], validate=True), _signed_bytes(statement)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def is_signed_by(decision: Json, reviewer: Reviewer) -> bool:
    """True when a decision has a reviewer's name and role, and a signature of the reviewer's key that verifies."""
    if not is_signed(decision):
        return False
    statement, signature = decision["statement"], decision["signature"]
    stated = statement["reviewer"], statement["role"], signature["key_id"]
    try:
        return bool(stated == (reviewer.name, reviewer.role, reviewer.key_id))
    except ValueError:
        return False


def approvals(decisions: Sequence[Json], reviewers: Sequence[Reviewer]) -> list[tuple[Json, Reviewer]]:
    """The decisions that approve a record, with who signed each; none where they are not enough.

    Enough are those of two reviewers of different names and keys, where nothing is :func:`in_the_way`. What is not
    signed, or by the key of nobody whom the programme names now, approves nothing.

    Args:
        decisions: All those on one record.
        reviewers: Whose approval counts.
    """
    if in_the_way(decisions):
        return []
    counted = approving(decisions, reviewers)
    persons = {who.name for _, who in counted}
    keys = {who.key_id for _, who in counted}
    return counted if min(len(persons), len(keys)) >= PERSONS else []


def approving(decisions: Sequence[Json], reviewers: Sequence[Reviewer]) -> list[tuple[Json, Reviewer]]:
    """The decisions by which some reviewers approve, each with who signed it, enough or not."""
    return [
        (decision, who)
        for decision in decisions
        for who in reviewers
        if decision["statement"]["verdict"] == APPROVE and is_signed_by(decision, who)
    ]


def in_the_way(decisions: Sequence[Json]) -> str:
    """The reason why no number of approvals opens a month; empty where there is none.

    A rejection counts for as long as the record stands, whether or not the programme still names who signed it: nobody
    is taken off the list to get rid of a rejection. A decision that another one names and that is not there may have
    been one.

    Args:
        decisions: All those on one record.
    """
    signed_ones = [decision["statement"] for decision in decisions if is_signed(decision)]
    rejecting = [statement["reviewer"] for statement in signed_ones if statement["verdict"] != APPROVE]
    if rejecting:
        return f"{rejecting[0]} has rejected it"
    gone = next(missing(decisions), None)
    return "" if gone is None else f"the decision {gone[1][:12]} that {gone[0]} names is missing. Restore it"


def missing(decisions: Sequence[Json]) -> Iterator[tuple[str, str]]:
    """Who signed a decision that names another one which is not there, and the id of that one.

    Args:
        decisions: All those on one record.
    """
    there = {sha256(canonical(decision)) for decision in decisions}
    for decision in decisions:
        if is_signed(decision):
            yield from (
                (decision["statement"]["reviewer"], name)
                for name in decision["statement"]["before"]
                if name not in there
            )


def public_key(pem: str) -> Ed25519PublicKey:
    """An Ed25519 public key from its PEM.

    Raises:
        ValueError: When it is not one.
    """
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except UnsupportedAlgorithm:
        raise ValueError("a key of an unknown kind") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("a key of another kind than Ed25519")
    return key


def public_pem(key: Ed25519PublicKey) -> str:
    """A public key's PEM, in one spelling."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _der(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _signed_bytes(statement: Json) -> bytes:
    """The signed bytes: DSSE's pre-authentication encoding of the statement's canonical bytes."""
    payload = canonical(statement)
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
