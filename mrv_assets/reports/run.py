"""`mrv run`: the audit hash and outcome of each asset of a tile and month."""

from collections.abc import Sequence

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition
from mrv_assets.deployment import Deployment, Ran
from mrv_assets.reports.left_out import doubts, left_out
from mrv_assets.reports.terminal import escape


def answer(deployment: Deployment, tile: str, month: str, ran: Sequence[Ran]) -> Json:
    """The JSON document of `mrv run`.

    Args:
        deployment: The programme and its lake.
        tile: The tile that was run.
        month: The month that was run.
        ran: The assets that were materialized.
    """
    partitions = [Partition(f"{mission.name}/raw_tiles", tile, month) for mission in deployment.missions]
    raws = [deployment.lake.current(partition) for partition in partitions]
    return {
        "tile": tile,
        "month": month,
        "assets": assets(ran),
        "left_out": [scene for raw in raws for scene in left_out(raw)],
        "doubts": [doubt for raw in raws for doubt in doubts(raw)],
    }


def assets(ran: Sequence[Ran]) -> list[Json]:
    """The materialized assets as a part of a JSON document; `mrv qa decide` answers with them too."""
    return [{"asset": asset.asset, "outcome": asset.outcome, "audit_hash": asset.audit_hash} for asset in ran]


def text(answer: Json) -> str:
    """The terminal page: a line for each asset, for each scene that does not count, and for each doubt."""
    lines = [escape(f"Left out {scene['id']}: {scene['code']}, {scene['detail']}.") for scene in answer["left_out"]]
    lines += [escape(f"Doubtful {doubt['id']}: {doubt['finding']}.") for doubt in answer["doubts"]]
    return "\n".join([*asset_lines(answer["assets"]), *lines])


def asset_lines(assets: Sequence[Json]) -> list[str]:
    """A line for each materialized asset: name, outcome and audit hash."""
    return [f"{asset['asset']:<28} {asset['outcome']:<10} {asset['audit_hash']}" for asset in assets]
