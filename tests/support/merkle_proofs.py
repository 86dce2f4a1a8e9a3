"""Inclusion proofs of RFC 6962 as somebody without this package checks them."""

import hashlib
from collections.abc import Sequence

from mrv_assets.audit.merkle import Digest, Sibling


def climbed(start: Digest, siblings: Sequence[Sibling]) -> Digest:
    """The root that a leaf and its inclusion proof lead to."""
    digest = start
    for sibling in siblings:
        left, right = (sibling.digest, digest) if sibling.left else (digest, sibling.digest)
        digest = hashlib.sha256(b"\x01" + left + right).digest()
    return digest
