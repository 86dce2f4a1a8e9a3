"""Proofs: one parcel's row and pixels of a month, in a file that anyone can check without the lake and without us."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from mrv_assets.audit import merkle
from mrv_assets.audit.canonical import Json, canonical
from mrv_assets.audit.content import LEAF_PX, canonical_values, in_order, row_leaf, sorted_rows
from mrv_assets.audit.record import Partition, Record
from mrv_assets.errors import BadInputError, DamagedLake
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.formats.stored_table import StoredTable
from mrv_assets.formats.table import TABLE
from mrv_assets.lake.files import write_once
from mrv_assets.lake.layout import LakePath
from mrv_assets.lake.store import Lake
from mrv_assets.science.grid import Grid
from mrv_assets.science.tiles import project
from mrv_assets.stages.table import PRODUCT

SCHEMA = "mrv-proof/1"


class ProofExists(BadInputError):
    """A file is in the way of a proof."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} exists already. Name another file, or move this one away."


def write_proofs(lake: Lake, explained: Json, path: Path) -> list[tuple[Path, str]]:
    """Write the proof of a parcel's month to a new file; a parcel in several tiles has a file for each.

    Args:
        lake: Where the month is.
        explained: The answer of `mrv explain`.
        path: Where to; with several tiles their names are added to it.

    Returns:
        Each file with the audit hash it is checked against.

    Raises:
        ProofExists: When there is a file of its name.
    """
    tiles = [part["tile"] for part in explained["parts"]]
    written = []
    for tile in tiles:
        proof = proof_of(lake, explained["parcel_id"], tile, explained["month"])
        target = path if len(tiles) == 1 else path.with_stem(f"{path.stem}-{tile}")
        if not write_once(target.absolute(), canonical(proof) + b"\n"):
            raise ProofExists(str(target))
        written.append((target, proof["audit_hash"]))
    return written


def proof_of(lake: Lake, parcel_id: str, tile: str, month: str) -> Json:
    """The evidence needed to check a parcel's row of a month, and the pixels under it, against one audit hash.

    Returns:
        The record and all it was made from, back to the raw tiles; the row, with its inclusion proof; and each leaf
        of the month's index rasters that touches the parcel, with its values and its inclusion proof.

    Raises:
        NotMaterialized: When the month is not in the lake.
        DamagedLake: When the data is not what the record says: then there is nothing to prove.
    """
    monthly = lake.current(Partition(PRODUCT, tile, month))
    table = StoredTable(monthly)
    rows = table.rows
    [index] = [number for number, row in enumerate(rows) if row["parcel_id"] == parcel_id]
    return {
        "schema": SCHEMA,
        "audit_hash": monthly.audit_hash,
        "records": [record.document for record in (monthly, *lake.lineage(monthly))],
        "row": _row(monthly, rows, parcel_id),
        "blocks": _blocks(monthly, rows[index], table.outlines[index]),
    }


def _row(monthly: Record, rows: Sequence[Json], parcel_id: str) -> Json:
    ordered = sorted_rows(rows, monthly.output["table"]["key"])
    leaves = [row_leaf(row) for row in ordered]
    _check(monthly, TABLE, leaves, monthly.output["table"]["root"])
    [index] = [number for number, row in enumerate(ordered) if row["parcel_id"] == parcel_id]
    return {"values": ordered[index], "siblings": _siblings(leaves, index)}


def _blocks(monthly: Record, row: Json, outline: shapely.Geometry) -> list[Json]:
    """Leaves that touch a parcel, of the rasters that its row's means are of."""
    rasters = StoredArrays.rasters_of(monthly)
    grid = Grid.stated(monthly.document["plan"])
    [plane] = project(np.array([outline], dtype=object), grid.crs)
    window = grid.window_of(plane.bounds)
    if window is None:
        return []
    touched = {
        f"{row}.{col}"
        for row in range(window.row // LEAF_PX, (window.row + window.height - 1) // LEAF_PX + 1)
        for col in range(window.col // LEAF_PX, (window.col + window.width - 1) // LEAF_PX + 1)
    }
    blocks: list[Json] = []
    for name in monthly.output["rasters"]["arrays"]:
        if row.get(f"{name}_mean") is None:
            continue
        leaves = rasters.leaves(name)
        names = in_order(leaves)
        digests = [leaves[leaf] for leaf in names]
        blocks += [
            {
                "array": name,
                "leaf": leaf,
                "values": _runs(rasters.read(name, rasters.leaf_window(name, leaf))),
                "siblings": _siblings(digests, index),
            }
            for index, leaf in enumerate(names)
            if leaf in touched
        ]
    return blocks


def _runs(values: NDArray[np.generic]) -> list[int | str]:
    """Values in one spelling, which no compression has: how many are missing in a row, or the others' bytes as hex."""
    flat = values.reshape(-1)
    missing = np.isnan(flat)
    parts = np.split(flat, np.flatnonzero(np.diff(missing)) + 1)
    return [part.size if np.isnan(part[0]) else canonical_values(part).hex() for part in parts]


def _siblings(leaves: Sequence[merkle.Digest], index: int) -> list[str]:
    # On which side each stands follows from the leaf's place and the size of the tree, which the record says.
    return [sibling.digest.hex() for sibling in merkle.proof(leaves, index)]


def _check(monthly: Record, name: str, leaves: Sequence[merkle.Digest], root: str) -> None:
    if merkle.root(leaves).hex() != root:
        damaged = LakePath(monthly.partition, "data", monthly.data.name, name)
        raise DamagedLake(str(damaged), "it is not what its record says, so nothing can be proven of it")
