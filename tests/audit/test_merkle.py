"""Merkle trees as RFC 6962 has them: against its published vectors, and the algorithms of RFC 9162, its successor."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from merkle_proofs import climbed

from mrv_assets.audit.merkle import Sibling, leaf, proof, root

# The eight entries that implementations of Certificate Transparency are tested with, and the roots of the first n.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    # (index, number of entries): inclusion proof, leaf to root.
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def entries(count: int) -> list[bytes]:
    """Leaves of as many entries, no two alike."""
    return [leaf(n.to_bytes(4, "big")) for n in range(count)]


def stacked(leaves: list[bytes]) -> bytes:
    """The root by RFC 9162, 2.1.2: a stack of roots of complete trees, merged as a counter carries."""
    stack: list[bytes] = []
    for index, digest in enumerate(leaves):
        stack.append(digest)
        # As many merges as the index has trailing ones.
        while index & 1:
            right, left = stack.pop(), stack.pop()
            stack.append(sha256(b"\x01" + left + right).digest())
            index >>= 1
    while len(stack) > 1:
        right, left = stack.pop(), stack.pop()
        stack.append(sha256(b"\x01" + left + right).digest())
    return stack[0]


def verified(digest: bytes, index: int, count: int, path: list[bytes]) -> bytes | None:
    """The root by RFC 9162, 2.1.3.2: which side a sibling stands on follows from index and size alone."""
    number, last = index, count - 1
    for sibling in path:
        if last == 0:
            return None
        if number & 1 or number == last:
            digest = sha256(b"\x01" + sibling + digest).digest()
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            digest = sha256(b"\x01" + digest + sibling).digest()
        number, last = number >> 1, last >> 1
    return digest if last == 0 else None


@pytest.mark.parametrize("count", range(9))
def test_roots_are_the_published_ones(count: int) -> None:
    """Of no entries too: the hash of nothing."""
    assert root([leaf(entry) for entry in ENTRIES[:count]]).hex() == ROOTS[count]


@pytest.mark.parametrize(("index", "count"), PATHS)
def test_proofs_are_the_published_ones(index: int, count: int) -> None:
    """Sibling by sibling, from the leaf to the root."""
    found = proof([leaf(entry) for entry in ENTRIES[:count]], index)

    assert [sibling.digest.hex() for sibling in found] == PATHS[index, count]


def test_the_example_of_the_rfc() -> None:
    """Section 2.1.3: seven leaves a to f and j; g, h, i and k, l above them."""
    a, b, c, d, e, f, j = leaves = entries(7)
    g, h, i = (sha256(b"\x01" + left + right).digest() for left, right in ((a, b), (c, d), (e, f)))
    k, last = sha256(b"\x01" + g + h).digest(), sha256(b"\x01" + i + j).digest()

    paths = {index: [sibling.digest for sibling in proof(leaves, index)] for index in (0, 3, 4, 6)}

    assert paths == {0: [b, h, last], 3: [c, g, last], 4: [f, j, k], 6: [i, k]}
    assert root(leaves) == sha256(b"\x01" + k + last).digest()


@pytest.mark.parametrize("count", range(1, 71))
def test_every_leaf_of_every_tree_is_proven(count: int) -> None:
    """By our own climb and by the successor's algorithm, which is told no sides; to the root the stack gives."""
    leaves = entries(count)
    whole = stacked(leaves)

    assert root(leaves) == whole
    for index, digest in enumerate(leaves):
        siblings = proof(leaves, index)
        assert climbed(digest, siblings) == whole
        assert verified(digest, index, count, [sibling.digest for sibling in siblings]) == whole
        assert len(siblings) <= (count - 1).bit_length()


@settings(deadline=None, max_examples=200)
@given(st.integers(2, 70), st.data())
def test_a_tampered_proof_leads_elsewhere(count: int, data: st.DataObject) -> None:
    """Another leaf, a flipped bit, another side, a sibling more or less, or two of them swapped."""
    leaves = entries(count)
    index = data.draw(st.integers(0, count - 1))
    found = proof(leaves, index)
    place = data.draw(st.integers(0, len(found) - 1))
    bit = data.draw(st.integers(0, 255))
    at = found[place]
    flipped = (int.from_bytes(at.digest, "big") ^ 1 << bit).to_bytes(32, "big")

    tampered = [
        [*found[:place], replace(at, digest=flipped), *found[place + 1 :]],
        [*found[:place], replace(at, left=not at.left), *found[place + 1 :]],
        found[:place] + found[place + 1 :],
        [*found[:place], at, *found[place:]],
        [*found, Sibling(left=False, digest=root(leaves))],
    ]
    if place:
        tampered.append([*found[: place - 1], at, found[place - 1], *found[place + 1 :]])

    assert [proven for proven in tampered if climbed(leaves[index], proven) == root(leaves)] == []
    assert climbed(leaves[(index + 1) % count], found) != root(leaves)


@pytest.mark.parametrize("count", range(2, 20))
def test_no_other_list_of_leaves_has_the_root(count: int) -> None:
    """Not one with a leaf changed, moved, left out, added or repeated."""
    leaves = entries(count)
    others = [
        *([*leaves[:n], leaf(b"other"), *leaves[n + 1 :]] for n in range(count)),
        *([*leaves[:n], *leaves[n + 1 :]] for n in range(count)),
        *([*leaves[:n], leaves[n], *leaves[n:]] for n in range(count)),
        *([*leaves[:n], leaves[n + 1], leaves[n], *leaves[n + 2 :]] for n in range(count - 1)),
    ]

    assert root(leaves) not in [root(other) for other in others]


def test_a_node_is_no_leaf() -> None:
    """The two digests under a root, taken for the data of one leaf, have another root: leaves are marked as such."""
    left, right = entries(2)

    assert root([left, right]) != leaf(left + right) != leaf(b"\x01" + left + right)
    assert root([left, right]) == sha256(b"\x01" + left + right).digest() != leaf(b"\x01" + left + right)
    assert leaf(b"data") == sha256(b"\x00data").digest()


def test_a_leaf_in_parts_is_the_leaf_of_the_whole() -> None:
    """So that values need no copy behind their header."""
    data = b"header and values"

    assert leaf(data[:6], memoryview(data)[6:]) == leaf(data) == leaf(b"", data)


@pytest.mark.parametrize(("count", "index"), [(0, 0), (1, 1), (3, 3), (3, -1)])
def test_a_leaf_that_is_not_there_has_no_proof(count: int, index: int) -> None:
    """A negative index counts from nowhere."""
    with pytest.raises(IndexError):
        proof(entries(count), index)
