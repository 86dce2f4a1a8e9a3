"""A function in a graph is its name, and where it is ours its syntax tree; what has no such name has no digest."""

import sys
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest
from graph_builders import a_module, digest_calling, plus

from mrv_assets.audit.graph import Step, steps_digest
from mrv_assets.audit.values import NotCanonical
from mrv_assets.science import composite
from mrv_assets.stages.source_code import source

OURS = "mrv_assets.made_up"
"""A module of ours, as far as its name goes."""


@pytest.fixture(autouse=True)
def no_module_stays() -> Iterator[None]:
    """Modules that a test makes up are gone after it."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(OURS):
            del sys.modules[name]


MODULE = """
def half(x):
    return x // 2

def third(x):
    return x // 3

class Halver:
    def __init__(self, x):
        self.x = x // 2

    @staticmethod
    def half(x):
        return x // 2
"""


def calling(name: str, text: str = MODULE, ours: str = OURS) -> str:
    """The digest of a graph that calls what a module has under a name."""
    function: Any = a_module(ours, text)
    for part in name.split("."):
        function = getattr(function, part)
    return digest_calling(function, {ours: text.encode()})


@pytest.mark.parametrize("name", ["half", "Halver", "Halver.half"])
def test_an_edited_body_is_seen(name: str) -> None:
    """Of a function, a class or a static method of ours; not an edit beside it, and no comment or docstring."""
    before = calling(name)

    assert calling(name, MODULE.replace("x // 2", "x / 2")) != before
    assert calling(name, MODULE.replace("// 3", "// 4")) == before
    assert calling(name, MODULE.replace("x // 2", "x // 2  # whole")) == before
    assert calling(name, MODULE.replace("return x", '"About."; return x')) == before


def test_functions_of_one_body_are_told_apart_by_name_and_module() -> None:
    """Where a function stands can matter as much as what it says."""
    twin = MODULE.replace("x // 3", "x // 2")

    found = {calling("half", twin), calling("third", twin), calling("half", twin, f"{OURS}.below")}

    assert len(found) == 3
    assert len({calling("Halver.half"), calling("half"), calling("half", ours=f"{OURS}.Halver")}) == 3


def test_of_two_functions_of_one_name_the_last_counts() -> None:
    """It is the one that a module has."""
    twice = MODULE + "\ndef half(x):\n    return x / 2\n"

    assert calling("half", twice) == calling("half", twice.replace("x // 2", "x - 2"))
    assert calling("half", twice) != calling("half", twice.replace("x / 2", "x - 2"))


def test_a_function_of_another_package_is_its_name() -> None:
    """Its code is the lock file's concern."""
    assert len({digest_calling(function) for function in (np.add, np.subtract, np.sum, sum, plus, float)}) == 6


def test_a_kernel_is_what_it_was_compiled_from() -> None:
    """Ours, by the source; the same kernel compiled otherwise is nothing that anyone could find."""
    kernel: Any = composite._reduce
    name = "mrv_assets.science.composite"
    text = source(name)
    assert text is not None
    edited = text.replace(b"* 1e-4", b"* 2e-4")

    before, after = (digest_calling(kernel, {name: found}) for found in (text, edited))

    assert before != after
    for other in (numba.njit(fastmath=True)(kernel.py_func), kernel.py_func):
        with pytest.raises(NotCanonical, match="_reduce"):
            digest_calling(other)


def test_a_function_whose_source_does_not_define_it_has_no_digest() -> None:
    """Nor one of a module of ours without a source: another's syntax would be taken for its own."""
    function = a_module(OURS, MODULE).half

    for sources in ({}, {OURS: b"half = print\n"}):
        with pytest.raises(NotCanonical, match=f"{OURS}:half"):
            digest_calling(function, sources)


# --- steps --------------------------------------------------------------------------------------------------------


def steps(name: str = "halve", text: str = MODULE, function: str = "half", reads: tuple[str, ...] = ("a", "b")) -> str:
    """The digest of two declared steps, of which one is as told."""
    module = a_module(OURS, text)
    told = Step(name=name, function=getattr(module, function), reads=reads)
    last = Step(name="last", function=module.third, reads=("halve",))
    return steps_digest([told, last], {OURS: text.encode()}.get)


def test_declared_steps_say_what_is_done_to_what_in_which_order() -> None:
    """Name, body, and what is read, in order; nothing else of the module."""
    edited = MODULE.replace("x // 2", "x / 2")

    others = [steps("other"), steps(text=edited), steps(function="third"), steps(reads=("b", "a")), steps(reads=("a",))]

    assert len({steps(), *others}) == 6
    assert steps() == steps(text=MODULE + "\nLIMIT = 3\n")


def test_the_order_and_number_of_steps_count() -> None:
    """What is done first is another derivation."""
    module = a_module(OURS, MODULE)
    one, other = (Step(name=name, function=getattr(module, name), reads=()) for name in ("half", "third"))

    found = [
        steps_digest(told, {OURS: MODULE.encode()}.get) for told in ([one, other], [other, one], [one], [one, one])
    ]

    assert len(set(found)) == 4


def test_a_step_nobody_can_find_has_no_digest() -> None:
    """As in a graph."""
    with pytest.raises(NotCanonical, match="lambda"):
        steps_digest([Step(name="a", function=lambda x: x, reads=())], source)
