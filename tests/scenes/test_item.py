"""Reading fields that someone else wrote."""

import hashlib
import json
import time

import pytest

from mrv_assets.scenes.item import is_multihash, item_digest, published_digest, without_queries

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


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "part",
    [
        {"href": f"b.tif?sig={SECRET}"},
        {"href": f"b.tif#sig={SECRET}"},
        {"href": f"//user:{SECRET}@example.com/b.tif"},
        {"thumbnail": f"https://user:{SECRET}@example.com/a.png"},
        {"properties": {"preview": f"https://example.com/a.png?sig={SECRET}"}},
        {"properties": {"notes": [f"as in https://example.com/a and in s3://user:{SECRET}@bucket/a#{SECRET}"]}},
        {
            "properties": {
                "cached": f"https://proxy.example.com/https://user:{SECRET}@example.com/?u=https://b&s={SECRET}"
            }
        },
        {"xarray:storage_options": {"credential": SECRET}},
        {"xarray:open_kwargs": {"storage_options": {"account_key": SECRET}}},
        {"links": [{"rel": "next", "href": "https://example.com", "headers": {"Authorization": SECRET}}]},
        {"links": [{"rel": "next", "href": "https://example.com", "body": {"token": SECRET}}]},
    ],
)
def test_what_opens_a_link_is_left_out_wherever_it_stands(part: dict[str, object]) -> None:
    """Catalogues sign previews, links in properties and stores of other formats too; lakes are shown to auditors."""
    kept = without_queries({"id": "a", "assets": {"red": part}, **part})

    assert SECRET not in json.dumps(kept)
    assert item_digest(kept) == item_digest({"id": "a", "assets": {"red": part}, **part})


def test_what_is_no_link_stays() -> None:
    """Questions, numbers, names with an at sign: an item is kept as it was published."""
    item = {
        "id": "S2@10m#1?",
        "properties": {"title": "Is it clear? See https://example.com/a or ask b@example.com", "cloud": [1.5, None]},
        "assets": {"red": {"href": "https://example.com/b@2.tif", "eo:bands": [{"name": "red"}]}},
    }

    assert without_queries(item) == item


def test_a_long_text_costs_no_more_than_its_length() -> None:
    """A megabyte of letters, or of beginnings of links, takes a part of a second."""
    for text in ("a" * (1 << 20), "a://" * (1 << 18), "://@" * (1 << 18)):
        before = time.process_time()

        without_queries({"properties": {"title": text}})

        assert time.process_time() - before < 1
