"""Merkle trees as RFC 6962 builds them: one root for many leaves, and a short proof that a leaf is among them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

Digest = bytes
"""SHA-256 of a leaf or of an inner node, 32 bytes."""


@dataclass(frozen=True, kw_only=True)
class Sibling:
    """One step of an inclusion proof: the neighbour of the node on the way to the root."""

    left: bool
    """True when it stands on the left."""
    digest: Digest


def leaf(*parts: bytes | memoryview) -> Digest:
    """Digest of a leaf: SHA-256 of a zero byte and its data, given in parts."""
    found = hashlib.sha256(b"\0")
    for part in parts:
        found.update(part)
    return found.digest()


def root(leaves: Sequence[Digest]) -> Digest:
    """Root of a tree; of no leaves it is the SHA-256 of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    cut = _cut(len(leaves))
    return _node(root(leaves[:cut]), root(leaves[cut:]))


def proof(leaves: Sequence[Digest], index: int) -> list[Sibling]:
    """Inclusion proof of one leaf, from the leaf to the root.

    Raises:
        IndexError: When there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"there is no leaf {index} among {len(leaves)}")
    if len(leaves) == 1:
        return []
    cut = _cut(len(leaves))
    if index < cut:
        return [*proof(leaves[:cut], index), Sibling(left=False, digest=root(leaves[cut:]))]
    return [*proof(leaves[cut:], index - cut), Sibling(left=True, digest=root(leaves[:cut]))]


def _cut(count: int) -> int:
    """The largest power of two below ``count``: where RFC 6962 cuts a list in two."""
    return 1 << ((count - 1).bit_length() - 1)


def _node(left: Digest, right: Digest) -> Digest:
    return hashlib.sha256(b"\1" + left + right).digest()
