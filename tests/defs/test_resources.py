"""The resource: what a run in Dagster knows of its deployment is all that the command line knows."""

from pathlib import Path

from mrv_assets.defs.resources import MrvResource
from mrv_assets.deployment import Deployment
from mrv_assets.settings import Settings


def test_no_setting_is_lost_on_the_way_into_a_run() -> None:
    """Each field differs from its default, so that one that is left out would show."""
    settings = Settings(
        program_path=Path("/programme/program.yaml"),
        lake_path=Path("/programme/lake"),
        dagster_home=Path("/programme/dagster"),
        workers=7,
        dask_address="tcp://127.0.0.1:8786",
        hosts=("data.example.org",),
        buckets=("bucket eu-central-1",),
        loopback=True,
    )

    assert MrvResource.of(settings).deployment() == Deployment.of(settings)
    assert Deployment.of(settings) != Deployment(program_path=settings.program_path, lake_path=settings.lake_path)
