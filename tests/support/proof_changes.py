"""Builders of proofs that prove nothing: each changes one, given another parcel's and another month's."""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Change = Callable[[Json, Json, Json], None]
"""Changes the first proof; the second is another parcel's of its month, the third its parcel's of a later month."""


def swap(proof: Json, first: int, second: int, name: str) -> None:
    """Give each of two parts of a list what the other has under a name."""
    a, b = proof["blocks"][first], proof["blocks"][second]
    a[name], b[name] = b[name], a[name]


def swapped_blocks(proof: Json, other: Json, later: Json) -> None:
    """Two squares of one array, in the other order."""
    blocks = proof["blocks"]
    blocks[0], blocks[1] = blocks[1], blocks[0]


def swapped_values(proof: Json, other: Json, later: Json) -> None:
    """The pixels of two squares of one size."""
    assert proof["blocks"][0]["values"] != proof["blocks"][4]["values"]
    swap(proof, 0, 4, "values")


def swapped_arrays(proof: Json, other: Json, later: Json) -> None:
    """The names of two arrays, each for the other's pixels."""
    swap(proof, 0, 4, "array")


def swapped_places(proof: Json, other: Json, later: Json) -> None:
    """The places of two squares, each for the other's pixels."""
    swap(proof, 0, 1, "leaf")


def block_dropped(proof: Json, other: Json, later: Json) -> None:
    """One square less for one value."""
    del proof["blocks"][5]


def array_dropped(proof: Json, other: Json, later: Json) -> None:
    """No square for one value."""
    proof["blocks"] = [block for block in proof["blocks"] if block["array"] != "evi"]


def all_blocks_dropped(proof: Json, other: Json, later: Json) -> None:
    """No square for any value."""
    proof["blocks"] = []


def block_twice(proof: Json, other: Json, later: Json) -> None:
    """The same square again."""
    proof["blocks"].insert(0, proof["blocks"][0])


def record_dropped(proof: Json, other: Json, later: Json) -> None:
    """Without the raw tiles."""
    del proof["records"][-1]


def record_twice(proof: Json, other: Json, later: Json) -> None:
    """The same record again."""
    proof["records"].append(proof["records"][-1])


def record_added(proof: Json, other: Json, later: Json) -> None:
    """One that nothing was made from."""
    proof["records"].append(later["records"][-1])


def records_swapped(proof: Json, other: Json, later: Json) -> None:
    """In another order."""
    proof["records"].reverse()


def record_of_another_month(proof: Json, other: Json, later: Json) -> None:
    """The right stage, another month's."""
    proof["records"][1] = later["records"][1]


def product_of_another_month(proof: Json, other: Json, later: Json) -> None:
    """The record that the audit hash is of, another month's."""
    proof["records"][0] = later["records"][0]


def record_edited(proof: Json, other: Json, later: Json) -> None:
    """Another threshold than it was gated by."""
    proof["records"][1]["plan"]["gate"]["min_coverage"] = 0.1


def row_of_another_parcel(proof: Json, other: Json, later: Json) -> None:
    """Another's values at this one's place."""
    proof["row"]["values"] = other["row"]["values"]


def siblings_of_another_parcel(proof: Json, other: Json, later: Json) -> None:
    """Another's way to the root."""
    proof["row"]["siblings"] = other["row"]["siblings"]


def rows_name(proof: Json, other: Json, later: Json) -> None:
    """This one's values under another's name."""
    proof["row"]["values"]["parcel_id"] = "b"


def row_of_another_month(proof: Json, other: Json, later: Json) -> None:
    """The parcel's row of another month, whole."""
    proof["row"] = later["row"]


def pixels_of_another_month(proof: Json, other: Json, later: Json) -> None:
    """The parcel's pixels of another month, whole."""
    proof["blocks"] = later["blocks"]


def value_edited(proof: Json, other: Json, later: Json) -> None:
    """A better mean."""
    proof["row"]["values"]["ndvi_mean"] += 0.01


def value_withheld(proof: Json, other: Json, later: Json) -> None:
    """A mean, and the pixels under it."""
    proof["row"]["values"]["ndvi_mean"] = None
    proof["blocks"] = [block for block in proof["blocks"] if block["array"] != "ndvi"]


def sibling_more(proof: Json, other: Json, later: Json) -> None:
    """A longer way to the root, of which the part that is checked last is right."""
    proof["row"]["siblings"].insert(0, proof["row"]["siblings"][0])


def sibling_less(proof: Json, other: Json, later: Json) -> None:
    """A shorter one."""
    del proof["blocks"][0]["siblings"][0]


def digits_in_capitals(proof: Json, other: Json, later: Json) -> None:
    """The same bytes in another spelling."""
    proof["row"]["siblings"][0] = proof["row"]["siblings"][0].upper()


def a_word_more(proof: Json, other: Json, later: Json) -> None:
    """Something that nothing proves."""
    proof["approved"] = "yes"


def a_word_more_in_a_row(proof: Json, other: Json, later: Json) -> None:
    """Likewise."""
    proof["row"]["approved"] = "yes"


def a_word_more_in_a_block(proof: Json, other: Json, later: Json) -> None:
    """Likewise."""
    proof["blocks"][0]["approved"] = "yes"


CHANGES: list[Change] = [
    *(swapped_blocks, swapped_values, swapped_arrays, swapped_places),
    *(block_dropped, array_dropped, all_blocks_dropped, block_twice),
    *(record_dropped, record_twice, record_added, records_swapped, record_edited),
    *(record_of_another_month, product_of_another_month, row_of_another_month, pixels_of_another_month),
    *(row_of_another_parcel, siblings_of_another_parcel, rows_name, value_edited, value_withheld),
    *(sibling_more, sibling_less, digits_in_capitals),
    *(a_word_more, a_word_more_in_a_row, a_word_more_in_a_block),
]
