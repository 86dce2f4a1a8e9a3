"""Reading fields that someone else wrote."""

import hashlib

import pytest

from mrv_assets.science.stac_item import is_multihash, item_digest, published_digest

SHA2 = hashlib.sha256(b"pixels").hexdigest()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("1220" + SHA2, True),
        ("1620" + SHA2, True),
        ("d50110" + SHA2[:32], True),  # md5, whose code takes two bytes
        (SHA2, False),
        ("1220" + SHA2[:-2], False),
        ("1220" + SHA2 + "00", False),
        ("sha256:" + SHA2, False),
        ("1200", False),
        ("ff" * 20, False),
        ("", False),
    ],
)
def test_a_multihash_holds_the_digest_it_announces(text: str, is_one: bool) -> None:
    """Code, length, digest; real catalogues publish many that are none."""
    assert is_multihash(text) is is_one


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("1220" + SHA2, ("sha256", SHA2)),
        ("1220" + SHA2.upper(), ("sha256", SHA2)),
        ("1340" + hashlib.sha512(b"pixels").hexdigest(), ("sha512", hashlib.sha512(b"pixels").hexdigest())),
        ("1620" + hashlib.sha3_256(b"pixels").hexdigest(), ("sha3_256", hashlib.sha3_256(b"pixels").hexdigest())),
        ("d50110" + hashlib.md5(b"pixels").hexdigest(), ("md5", hashlib.md5(b"pixels").hexdigest())),
        ("1114" + hashlib.sha1(b"pixels").hexdigest(), None),  # sha1, which is not verified
        ("1210" + SHA2[:32], None),  # a digest cut short, which multihash allows
        ("1221" + SHA2 + "00", None),
        ("1220" + SHA2[:-2], None),
        ("", None),
    ],
)
def test_a_published_digest_names_its_function(text: str, meaning: tuple[str, str] | None) -> None:
    """As hashlib calls it, with the digest to compare; None for what cannot be verified."""
    assert published_digest(text) == meaning


def test_the_digest_of_an_item_is_that_of_its_canonical_json() -> None:
    """RFC 8785: keys sorted, no spaces, links without their queries; anyone can re-derive it."""
    item = {"id": "a", "assets": {"red": {"href": "https://example.com/b.tif?sig=x"}}, "gsd": 10.0}

    expected = b'{"assets":{"red":{"href":"https://example.com/b.tif"}},"gsd":10,"id":"a"}'

    assert item_digest(item) == hashlib.sha256(expected).hexdigest()
