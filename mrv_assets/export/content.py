"""The content of an export: verified months, the indices to write, and the options they are written with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from mrv_assets.export.attribution import attributions
from mrv_assets.export.months import Month
from mrv_assets.export.options import Options
from mrv_assets.export.rows import all_rows


@dataclass(frozen=True, kw_only=True)
class Content:
    """The data that every format writes in its own way."""

    months: Sequence[Month]
    """Verified months; at least one."""
    indices: tuple[str, ...]
    """Indices to write, in this order."""
    options: Options

    @cached_property
    def table(self) -> pa.Table:
        """The rows of all months as :func:`mrv_assets.export.rows.all_rows` gives them."""
        return all_rows(self.months, self.indices)

    @property
    def attributions(self) -> list[str]:
        """The credits that the months' scenes ask for."""
        return attributions(scene for month in self.months for scene in month.scenes)
