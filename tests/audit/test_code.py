"""The code digest sees what could change a number, and nothing else."""

import pytest

from mrv_assets.audit.code import code_digest

STAGE = b'''"""Docstring."""
from mrv_assets.science.a import half

LIMIT = 3


def stage(x: int) -> int:
    """What it does."""
    # why
    return half(x) + LIMIT
'''
HELPER = b"def half(x: int) -> int:\n    return x // 2\n"


def digest_of(stage: bytes = STAGE, helper: bytes = HELPER, **others: bytes) -> str:
    modules = {"mrv_assets.stages.s": stage, "mrv_assets.science.a": helper}
    modules |= {f"mrv_assets.{name.replace('__', '.')}": text for name, text in others.items()}
    return code_digest("mrv_assets.stages.s", modules.get)


@pytest.mark.parametrize(
    "same",
    [
        STAGE.replace(b"# why", b"# because"),
        STAGE.replace(b'"""What it does."""', b'"""Something else entirely."""'),
        STAGE.replace(b"half(x) + LIMIT", b"(half(x)\n        + LIMIT)"),
    ],
)
def test_comments_docstrings_and_layout_change_nothing(same: bytes) -> None:
    """They cannot change a number."""
    assert digest_of(same) == digest_of()


@pytest.mark.parametrize(
    ("old", "new"), [(b"LIMIT = 3", b"LIMIT = 4"), (b"half(x) +", b"half(x) -"), (b"x: int", b"x: float")]
)
def test_code_and_constants_change_it(old: bytes, new: bytes) -> None:
    """Anything else in the stage's own module can."""
    assert digest_of(STAGE.replace(old, new)) != digest_of()


def test_an_edited_helper_in_another_file_changes_it() -> None:
    """Imports are followed."""
    assert digest_of(helper=HELPER.replace(b"// 2", b"// 3")) != digest_of()


def test_imports_inside_functions_are_followed() -> None:
    """A lazy import is an import."""
    stage = STAGE.replace(b"    # why\n", b"    from mrv_assets.science import b\n")

    assert digest_of(stage, science__b=b"X = 1\n") != digest_of(stage, science__b=b"X = 2\n")


@pytest.mark.parametrize("module", ["lake__lake", "errors", "ingest__transport", "settings"])
def test_modules_that_only_move_bytes_are_left_out(module: str) -> None:
    """What they moved is proven by the output digests."""
    stage = STAGE.replace(b"    # why\n", b"    import mrv_assets.%s\n" % module.replace("__", ".").encode())

    assert digest_of(stage, **{module: b"X = 1\n"}) == digest_of(stage, **{module: b"X = 2\n"})


def test_a_module_nobody_imports_changes_nothing() -> None:
    """Adding a mission changes no other's digest."""
    assert digest_of(missions__landsat=b"X = 1\n") == digest_of()
