"""The Dagster resource: the deployment settings that a run works on."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, PrivateAttr, TypeAdapter

from mrv_assets.settings import Settings

if TYPE_CHECKING:
    from mrv_assets.deployment import Deployment


class MrvResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The settings of a deployment in types that Dagster can configure. Each field is the setting of its name."""

    program_path: str
    lake_path: str
    workers: int = 1
    dask_address: str | None = None
    hosts: list[str] = Field(default_factory=list)
    buckets: list[str] = Field(default_factory=list)
    loopback: bool = False
    _deployment: "Deployment | None" = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: Settings) -> "MrvResource":
        """The resource of a deployment's settings."""
        return cls(**TypeAdapter(Settings).dump_python(settings, mode="json", include=set(cls.model_fields)))

    def deployment(self) -> "Deployment":
        """The programme and its lake, opened once a run: all steps share the parcels and their tiles."""
        if self._deployment is None:
            # Definitions load without the numerical stack; a run needs it.
            from mrv_assets.deployment import Deployment

            self._deployment = TypeAdapter(Deployment).validate_python(self.model_dump())
        return self._deployment
