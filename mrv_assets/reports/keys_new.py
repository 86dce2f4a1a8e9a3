"""`mrv keys new`: a reviewer's public key, as the programme file wants it."""

from dataclasses import asdict
from pathlib import Path

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.manual_decisions import Reviewer
from mrv_assets.review.keys import programme_lines


def answer(file: Path, reviewer: Reviewer) -> Json:
    """The JSON document of `mrv keys new`.

    Args:
        file: The private key's file.
        reviewer: The reviewer with the public key that belongs to it.
    """
    return {"file": str(file), **asdict(reviewer), "key_id": reviewer.key_id}


def text(answer: Json) -> str:
    """The lines for the programme file, and nothing else, so that they can be appended to it."""
    reviewer = Reviewer(name=answer["name"], role=answer["role"], public_key=answer["public_key"])
    return programme_lines(reviewer).removesuffix("\n")
