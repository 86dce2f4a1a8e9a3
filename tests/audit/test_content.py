"""Content digests of tables, and canonical documents."""

import pytest
import rfc8785

from mrv_assets.audit.canonical import canonical
from mrv_assets.audit.content import table_content


def test_a_tables_digest_ignores_the_order_of_rows_and_columns() -> None:
    """Rows are sorted by key and columns by name."""
    rows = [{"id": "b", "x": 1.5, "y": None}, {"id": "a", "x": 2.0, "y": 3}]
    shuffled = [dict(reversed(row.items())) for row in reversed(rows)]

    assert table_content(rows, ["id"]) == table_content(shuffled, ["id"])


def test_one_changed_value_changes_a_tables_digest() -> None:
    """Missing is not zero."""
    rows = [{"id": "a", "x": None}]

    assert table_content(rows, ["id"])["root"] != table_content([{"id": "a", "x": 0}], ["id"])["root"]


def test_canonical_json_refuses_what_has_no_one_spelling() -> None:
    """NaN is in no record."""
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical({"x": float("nan")})
