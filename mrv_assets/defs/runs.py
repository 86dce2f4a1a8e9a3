"""Runs from the command line: Dagster's own in-process materialize, on the configured instance."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from mrv_assets.defs.assets import FORCE_TAG
from mrv_assets.defs.build import build_definitions
from mrv_assets.defs.partitions import partition_key, register_tiles
from mrv_assets.defs.resources import MrvResource
from mrv_assets.deployment import Deployment, Ran
from mrv_assets.settings import Settings, ensure_dagster_home


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance that plain ``dagster`` commands use too; its home is made on first use."""
    ensure_dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        yield instance


def materialize_tile_month(
    instance: dg.DagsterInstance,
    settings: Settings,
    tile: str,
    month: str,
    *,
    force: bool = False,
    only: Sequence[str] | None = None,
) -> list[Ran]:
    """Materialize every asset of a tile and month, or some of them, in this process.

    Args:
        instance: The instance that records the run.
        settings: The deployment.
        tile: The tile.
        month: The month.
        force: Compute known requests again.
        only: Paths of the assets to materialize; None means all.

    Raises:
        MrvError: As the stages raise them.
    """
    definitions = build_definitions(settings)
    result = dg.materialize(
        list(definitions.assets or []),  # type: ignore[arg-type]
        selection=None if only is None else [dg.AssetKey(asset.split("/")) for asset in only],
        partition_key=partition_key(tile, month),
        instance=instance,
        resources=dict(definitions.resources or {}),
        tags={FORCE_TAG: "true"} if force else None,
        # The verb prints the outcomes itself; a known error is one message, not a log.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    ran = []
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        ran.append(
            Ran(
                asset=materialization.asset_key.to_user_string(),
                outcome=_text(materialization, "outcome"),
                audit_hash=_text(materialization, "audit_hash"),
            )
        )
    return ran


def materialize_all(settings: Settings, say: Callable[[str], None], note: str = "") -> int:
    """Materialize every tile and month of a programme that is not current.

    Args:
        settings: The programme and its lake.
        say: Called with a line for each finished tile and month.
        note: A remark for every line.

    Returns:
        The number of tile-months that were current already.

    Raises:
        MrvError: As the stages raise them.
    """
    deployment = MrvResource.of(settings).deployment()
    todo = [(tile, month) for tile in deployment.tiles for month in deployment.months]
    reused = 0
    with dagster_instance(settings) as instance:
        register_tiles(instance, deployment.program, deployment.tiles)
        for number, (tile, month) in enumerate(todo, 1):
            began = time.monotonic()
            current = _is_current(instance, deployment, tile, month)
            if not current:
                materialize_tile_month(instance, settings, tile, month)
            reused += current
            outcome = "reused" if current else "done"
            say(f"[{number:2}/{len(todo)}] {tile} {month} {note}{outcome} ({time.monotonic() - began:.1f} s)")
    return reused


def _is_current(instance: dg.DagsterInstance, deployment: Deployment, tile: str, month: str) -> bool:
    """True when the lake has a current record for every asset's request, and Dagster shows these records."""
    hashes = deployment.current_hashes(tile, month)
    return hashes is not None and all(
        shows_record(instance, asset, tile, month, audit_hash) for asset, audit_hash in hashes.items()
    )


def shows_record(instance: dg.DagsterInstance, asset: str, tile: str, month: str, audit_hash: str) -> bool:
    """True when Dagster's newest materialization of a partition is this record."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(asset.split("/")), asset_partitions=[partition_key(tile, month)]), limit=1
    ).records
    newest = records[0].asset_materialization if records else None
    return newest is not None and _text(newest, "audit_hash") == audit_hash


def _text(materialization: dg.AssetMaterialization, name: str) -> str:
    return str(materialization.metadata[name].value)
