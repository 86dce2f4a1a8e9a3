"""`mrv tiles`: the parcels that each tile owns, and the tiles that became Dagster partitions now."""

from collections.abc import Sequence

from tabulate import tabulate

from mrv_assets.audit.canonical import Json
from mrv_assets.deployment import Deployment
from mrv_assets.reports.terminal import counted
from mrv_assets.science.zonal import overlaps
from mrv_assets.verify.present import history

_LISTED = 4
"""Parcel ids that the page lists of a tile; --json has all."""


def answer(deployment: Deployment, new: Sequence[str]) -> Json:
    """The JSON document of `mrv tiles`.

    Args:
        deployment: The programme and its lake.
        new: Tiles that were registered just now.
    """
    assigned = deployment.assigned
    return {
        "programme": deployment.program.program,
        "tiles": [
            {
                "tile": tile,
                "parcels": [
                    {"parcel_id": parcel_id, "part": part}
                    for parcel_id, owner, part in zip(assigned.parcel_id, assigned.tile, assigned.part, strict=True)
                    if owner == tile
                ],
                "registered_now": tile in new,
            }
            for tile in deployment.tiles
        ],
        "overlaps": [
            {"parcels": [assigned.parcel_id[first], assigned.parcel_id[second]], "area_ha": area_ha}
            for first, second, area_ha in overlaps(assigned.geometry)
        ],
        "history": [{"tile": tile, "months": months} for tile, months in history(deployment).items()],
        "notes": list(deployment.parcels.attrs["notes"]),
        "months": {"first": deployment.months[0], "last": deployment.months[-1], "count": len(deployment.months)},
    }


def text(answer: Json) -> str:
    """The terminal page: a line for each tile, overlapping parcels, and the extent of the partitions."""
    rows = [
        [
            tile["tile"],
            len(tile["parcels"]),
            "now" if tile["registered_now"] else "before",
            _parcel_ids(tile["parcels"]),
        ]
        for tile in answer["tiles"]
    ]
    overlapping = [
        f"Parcels {' and '.join(overlap['parcels'])} share {overlap['area_ha']:.4f} ha: "
        "the tile gate counts it once, each parcel's row counts it whole."
        for overlap in answer["overlaps"]
    ]
    months = answer["months"]
    extent = f"{counted(len(rows), 'tile')} x {counted(months['count'], 'month')}"
    return "\n".join(
        [
            tabulate(rows, headers=["tile", "parcels", "registered", "parcel ids"], disable_numparse=True),
            *overlapping,
            *answer["notes"],
            *(
                f"Tile {old['tile']} owns no parcel any more; its {counted(len(old['months']), 'month')} in the lake "
                "stay as history."
                for old in answer["history"]
            ),
            "",
            f"Partitions: {extent}, {months['first']} to {months['last']}.",
        ]
    )


def _parcel_ids(parcels: Sequence[Json]) -> str:
    listed = ", ".join(parcel["parcel_id"] for parcel in parcels[:_LISTED])
    return f"{listed}, and {len(parcels) - _LISTED} more" if len(parcels) > _LISTED else listed
