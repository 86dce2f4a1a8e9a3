"""Content digests of tables: what their rows say, in whichever order they come."""

import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from merkle_proofs import climbed

from mrv_assets.audit import merkle
from mrv_assets.audit.content import row_leaf, sorted_rows, table_content

ROWS = [
    {"id": "a", "part": None, "x": 1.5, "n": 3},
    {"id": "a", "part": "34TER", "x": None, "n": 0},
    {"id": "b", "part": None, "x": 2.0, "n": 3},
    {"id": "B", "part": None, "x": -2.0, "n": 3},
    {"id": "é", "part": None, "x": 0.1, "n": 3},
    {"id": "a", "part": "null", "x": 0.5, "n": 3},
]
KEY = ("id", "part")


def test_a_tables_root_is_over_its_rows_in_the_order_of_their_key() -> None:
    """By text, null last; each row as canonical JSON."""
    ordered = [ROWS[number] for number in (3, 1, 5, 0, 2, 4)]

    assert sorted_rows(ROWS, KEY) == ordered
    content = table_content(ROWS, KEY)
    by_hand = [
        hashlib.sha256(
            b"\x00" + json.dumps(row, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
        ).digest()
        for row in ({**row, "x": 2 if row["x"] == 2.0 else -2 if row["x"] == -2.0 else row["x"]} for row in ordered)
    ]
    assert content == {
        "rows": 6,
        "key": ["id", "part"],
        "columns": ["id", "n", "part", "x"],
        "root": merkle.root(by_hand).hex(),
    }


@settings(deadline=None)
@given(st.permutations([*ROWS, {**ROWS[0], "x": 9.0}, {**ROWS[0], "x": 9.0}]))
def test_the_order_of_rows_and_columns_says_nothing(rows: list[dict[str, Any]]) -> None:
    """Also where rows share a key: how a table was sorted before is nobody's content."""
    doubled = [*ROWS, {**ROWS[0], "x": 9.0}, {**ROWS[0], "x": 9.0}]

    assert table_content([dict(reversed(row.items())) for row in rows], KEY) == table_content(doubled, KEY)


@pytest.mark.parametrize(
    "changed",
    [
        {"x": None},
        {"x": 0},
        {"x": "null"},
        {"x": ""},
        {"x": "1.5"},
        {"x": True},
        {"x": math.nextafter(1.5, 2)},
        {"part": "null"},
        {"part": "None"},
        {"part": ""},
        {"id": "c"},
        {"more": None},
    ],
    ids=repr,
)
def test_one_changed_value_changes_a_tables_digest(changed: dict[str, Any]) -> None:
    """Missing is neither zero, nor empty, nor the word for it; and a new column is a change even where it is null."""
    rows = [{**ROWS[0], **changed}, *ROWS[1:]]

    assert table_content(rows, KEY)["root"] != table_content(ROWS, KEY)["root"]


def test_a_row_more_or_less_or_twice_changes_a_tables_digest() -> None:
    """A repeated row is not one row."""
    tables = [ROWS, ROWS[:-1], [*ROWS, ROWS[0]], [*ROWS, {**ROWS[0], "id": "z"}], []]

    assert len({table_content(rows, KEY)["root"] for rows in tables}) == len(tables)


def test_the_columns_of_every_row_are_said() -> None:
    """Whichever row comes first."""
    rows = [{"id": "a"}, {"id": "b", "x": 1}]

    assert table_content(rows, ["id"])["columns"] == table_content(rows[::-1], ["id"])["columns"] == ["id", "x"]


@pytest.mark.parametrize("place", range(len(ROWS)))
def test_a_row_is_proven_to_belong_to_a_table(place: int) -> None:
    """By itself and an inclusion proof; a row with another number is not."""
    ordered = sorted_rows(ROWS, KEY)
    siblings = merkle.proof([row_leaf(row) for row in ordered], place)
    root = table_content(ROWS, KEY)["root"]

    assert climbed(row_leaf(ordered[place]), siblings).hex() == root
    assert climbed(row_leaf({**ordered[place], "n": 4}), siblings).hex() != root
