"""One spelling for every document that is hashed: RFC 8785 canonical JSON."""

import hashlib
from typing import Any

import rfc8785

Json = dict[str, Any]
"""A JSON object: string keys, values that JSON can hold; no NaN, no integer beyond 2^53."""


def canonical(document: Any) -> bytes:
    """Canonical bytes of a JSON document (RFC 8785).

    Raises:
        rfc8785.CanonicalizationError: For NaN, infinities and integers that JSON readers would round.
        UnicodeEncodeError: For half of a surrogate pair in a text.
        RecursionError: For what is nested too deep.
    """
    return rfc8785.dumps(document)


def sha256(data: bytes | memoryview) -> str:
    """SHA-256 of bytes, lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def digest(document: Any) -> str:
    """SHA-256 of a document's canonical bytes, lower-case hex."""
    return sha256(canonical(document))
