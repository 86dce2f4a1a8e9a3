"""A finding: one thing in a lake that is not as it must be, with its cure."""

import json
from dataclasses import dataclass

LONGEST = 200
"""Characters of a value's text, at most."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One fault of a lake."""

    object: str
    """Path in the lake."""
    check: str
    expected: str
    found: str
    cure: str


def text_of(value: object) -> str:
    """A value as the text of a finding: JSON where it is not a string already, cut to its beginning."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
