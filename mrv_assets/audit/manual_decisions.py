"""Manual decisions as documents: what a reviewer states on a rejected record, and Ed25519 signatures of it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mrv_assets.audit.canonical import Json, canonical, sha256

SCHEMA = "mrv-qa/1"
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
        }


def asserted(statement: Statement) -> bytes:
    """A decision that nobody signed: anyone may have written the name in it."""
    return canonical({"statement": statement.document, "signature": None})


def signed(statement: Statement, key: Ed25519PrivateKey) -> bytes:
    """A decision with the signature of a reviewer's private key."""
    signature = {
        "key_id": sha256(_der(key.public_key())),
        "sig": base64.b64encode(key.sign(_signed_bytes(statement.document))).decode(),
    }
    return canonical({"statement": statement.document, "signature": signature})


def is_signed_by(decision: Json, reviewer: Reviewer) -> bool:
    """True when a decision has a reviewer's name and role, and a signature of the reviewer's key that verifies."""
    statement, signature = decision["statement"], decision["signature"]
    if signature is None or (statement["reviewer"], statement["role"]) != (reviewer.name, reviewer.role):
        return False
    try:
        key = public_key(reviewer.public_key)
        if signature["key_id"] != sha256(_der(key)):
            return False
        key.verify(base64.b64decode(signature["sig"], validate=True), _signed_bytes(statement))
    except (InvalidSignature, ValueError):
        return False
    return True


def approvals(decisions: Sequence[Json], reviewers: Sequence[Reviewer]) -> list[tuple[Json, Reviewer]]:
    """The decisions that approve a record, with who signed each; none where they are not enough.

    Enough are those of two reviewers of different names and keys, where no reviewer rejects. What is not signed, or by
    no reviewer's key, counts for nothing.

    Args:
        decisions: Those on one record.
        reviewers: Whose word counts.
    """
    counted = [(decision, who) for decision in decisions for who in reviewers if is_signed_by(decision, who)]
    if any(decision["statement"]["verdict"] != APPROVE for decision, _ in counted):
        return []
    persons = {who.name for _, who in counted}
    keys = {who.key_id for _, who in counted}
    return counted if min(len(persons), len(keys)) >= PERSONS else []


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
