"""Resources: the programme and lake a run works on."""

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, PrivateAttr

from mrv_assets.settings import Settings

if TYPE_CHECKING:
    from mrv_assets.deployment import Deployment


class MrvResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the programme file and its lake are, and how many blocks a run works on at once."""

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
        """The resource that deployment settings describe."""
        return cls(
            program_path=str(settings.program_path),
            lake_path=str(settings.lake),
            workers=settings.workers,
            dask_address=settings.dask_address,
            hosts=list(settings.hosts),
            buckets=list(settings.buckets),
            loopback=settings.loopback,
        )

    def deployment(self) -> "Deployment":
        """The programme and its lake, opened once a run: parcels are read and put into tiles for all its steps."""
        if self._deployment is None:
            self._deployment = self._opened()
        return self._deployment

    def _opened(self) -> "Deployment":
        # Definitions load without the numerical stack; a run needs it.
        from mrv_assets.deployment import Deployment

        return Deployment(
            program_path=Path(self.program_path),
            lake_path=Path(self.lake_path),
            workers=self.workers,
            dask_address=self.dask_address,
            hosts=tuple(self.hosts),
            buckets=tuple(self.buckets),
            loopback=self.loopback,
        )
