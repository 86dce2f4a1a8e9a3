"""Canonical JSON: RFC 8785's own examples, and refusal of what has no one spelling."""

import json
import math
import struct
from hashlib import sha256 as hashlib_sha256
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from mrv_assets.audit.canonical import canonical, digest, sha256

# RFC 8785, appendix B: IEEE 754 bits and the one spelling of the number.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize("bits", NUMBERS)
def test_numbers_are_spelled_as_the_rfc_spells_them(bits: str) -> None:
    """Its appendix B; -0 is 0."""
    [number] = struct.unpack(">d", bytes.fromhex(bits))

    assert canonical(number) == NUMBERS[bits].encode()


def test_the_example_of_the_rfc_has_its_bytes() -> None:
    """Sections 3.2.2 and 3.2.4: literals, numbers and escapes, down to the byte."""
    document = json.loads(
        r"""{
          "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
          "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
          "literals": [null, true, false]
        }"""
    )

    assert canonical(document) == bytes.fromhex(
        "7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d 62 65 72"
        "73 22 3a 5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31 65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32"
        "2c 31 65 2d 32 37 5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30 30 66 5c 6e 41 27 42 5c 22 5c 5c"
        "5c 5c 5c 22 2f 22 7d"
    )


def test_keys_are_sorted_as_the_rfc_sorts_them() -> None:
    """Section 3.2.3: by UTF-16 code units, so that an emoji comes before a letter of the last plane's first row."""
    document = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }

    assert [*json.loads(canonical(document)).values()] == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


REFUSED: dict[str, object] = {
    "NaN": math.nan,
    "infinity": math.inf,
    "-infinity": -math.inf,
    "2^53": 2**53,
    "-2^53": -(2**53),
    "2^60": 2**60,
    "10^400": 10**400,
    "bytes": b"a",
    "a set": {1, 2},
    "an object": object(),
    "a complex number": 1j,
    "half a character": "\ud800",
    "half a character as a key": {"\udc00": 1},
    "a number as a key": {1: "a"},
    "null as a key": {None: "a"},
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("within", [lambda value: value, lambda value: {"a": [1, {"b": value}]}], ids=["bare", "deep"])
def test_what_has_no_one_spelling_is_refused(what: str, within: Any) -> None:
    """Numbers that readers would round, and what is no JSON at all; wherever they stand."""
    # A key that is no text is refused by its codec.
    with pytest.raises((rfc8785.CanonicalizationError, UnicodeEncodeError)):
        canonical(within(REFUSED[what]))


def test_the_largest_whole_numbers_are_exact() -> None:
    """Up to 2^53 - 1 every reader agrees."""
    assert canonical([2**53 - 1, 1 - 2**53]) == b"[9007199254740991,-9007199254740991]"


# Lone surrogates are no text. Beyond 2^53 a float is spelled as a whole number, which Python reads as another type.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
NUMBERS_READ_ALIKE = st.integers(1 - 2**53, 2**53 - 1) | st.floats(1 - 2.0**53, 2.0**53 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS_READ_ALIKE | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def reversed_keys(document: Any) -> Any:
    """The same document, each object written down backwards."""
    match document:
        case dict():
            return {key: reversed_keys(document[key]) for key in reversed(document)}
        case list():
            return [reversed_keys(item) for item in document]
    return document


@settings(deadline=None)
@given(JSON)
def test_the_order_of_keys_says_nothing_and_reading_back_loses_nothing(document: Any) -> None:
    """At every depth; and what was read back is spelled the same."""
    spelled = canonical(document)

    assert canonical(reversed_keys(document)) == spelled
    assert json.loads(spelled) == document
    assert canonical(json.loads(spelled)) == spelled


def test_a_digest_is_the_sha256_of_the_canonical_bytes() -> None:
    """Lower-case hex, as ``sha256sum`` prints it."""
    assert digest({"b": 1, "a": None}) == hashlib_sha256(b'{"a":null,"b":1}').hexdigest()
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(memoryview(b"abc")) == sha256(b"abc")
