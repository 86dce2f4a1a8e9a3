"""Opening: each asset stores only what it adds; these views put the whole together, lazily."""

from typing import Any, Protocol

import dask.array as da
import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import rioxarray
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from mrv_assets.audit.record import Partition, Record
from mrv_assets.cog.sparse_tiff import SparseTiff
from mrv_assets.errors import GateRefused, NotEvaluated
from mrv_assets.formats.arrays import chunk_shape, coordinates, geo_transform
from mrv_assets.formats.artifacts import decision_of, observations_of
from mrv_assets.formats.stored_arrays import StoredArrays
from mrv_assets.formats.stored_scenes import scene_tiff
from mrv_assets.formats.stored_table import StoredTable
from mrv_assets.formats.table import GEOMETRY
from mrv_assets.science.gate import GateStatus
from mrv_assets.science.grid import Window
from mrv_assets.science.mask import mask_unclear


class Records(Protocol):
    """The part of a lake that opening needs: its records, and whether they still hold."""

    def current(self, partition: Partition) -> Record:
        """The partition's current record."""
        ...

    def upstream(self, record: Record, asset: str) -> Record:
        """The record of an asset that a record was made from."""
        ...

    def require_sound(self, record: Record) -> None:
        """Refuse data that is not what a run wrote."""
        ...

    def require_current_upstream(self, record: Record) -> None:
        """Refuse what was made from records that have been replaced."""
        ...


def open_view(lake: Records, asset: str, tile: str, month: str) -> xr.Dataset:
    """An asset's partition as the whole view its readers expect.

    Returns:
        Float32 variables with dims (time, y, x), NaN where missing, lazy; ``mrv_audit_hash`` in the attributes.
        ``aligned_tiles``: reflectance, unitless, and quality bands undecoded. ``masked_tiles``: the same where
        clear, with ``unclear_flags``. ``indices`` and ``gated_tiles``: the indices. ``monthly_proxies``: the
        month's rasters, dims (y, x); with fusion ``source``, uint8, is the mission of each pixel, by ``flag_values``.

    Raises:
        NotMaterialized: When the partition is not in the lake.
        GateRefused: For gated tiles that the gate rejected.
        StaleUpstream: For monthly proxies of a decision that has since been replaced.
        DamagedLake: For gated tiles of a decision that no run made.
        NotEvaluated: For a mission that was not needed.
        ValueError: For raw tiles, whose scenes lie on grids of their own: see :func:`open_raw_band`.
    """
    record = lake.current(Partition(asset, tile, month))
    return _open_record(lake, record).assign_attrs(mrv_audit_hash=record.audit_hash)


def open_parcels(lake: Records, tile: str, month: str) -> gpd.GeoDataFrame:
    """The month's table, one row per parcel.

    Raises:
        NotMaterialized: When the partition is not in the lake.
        StaleUpstream: When a decision that it follows from has since been replaced.
    """
    record = lake.current(Partition("monthly_proxies", tile, month))
    lake.require_current_upstream(record)
    stored = StoredTable(record)
    frame = stored.table.drop_columns([GEOMETRY]).to_pandas(types_mapper=pd.ArrowDtype)
    return gpd.GeoDataFrame(frame, geometry=stored.outlines, crs="OGC:CRS84")


def open_raw_band(lake: Records, mission: str, tile: str, month: str, item_id: str, band: str) -> xr.DataArray:
    """One scene's band on its own grid, digital numbers as published.

    Returns:
        Dims (y, x), lazy, one dask chunk a COG tile; computing a COG tile that was never fetched raises HoleError.

    Raises:
        KeyError: When the scene or band is not among the month's.
    """
    record = lake.current(Partition(f"{mission}/raw_tiles", tile, month))
    observations = observations_of(record)
    scenes = {scene["id"]: scene for observation in observations for scene in observation["scenes"]}
    stored = scenes[item_id]["bands"][band]
    file = scene_tiff(record, stored)
    file.compare()
    # Files beside it, which GDAL would read too, are not of the record.
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_PAM_ENABLED="NO"):
        opened = rioxarray.open_rasterio(record.data / stored["file"], driver="GTiff")
    assert isinstance(opened, xr.DataArray)  # one band, no subdatasets: the header gate saw to it
    header = file.header
    pixels = da.map_blocks(  # type: ignore[no-untyped-call]
        _read_chunk,
        file,
        chunks=(_sizes(header.grid.height, header.block[0]), _sizes(header.grid.width, header.block[1])),
        dtype=header.dtype,
        meta=np.empty((0, 0), header.dtype),
    )
    return opened.isel(band=0, drop=True).copy(data=pixels).assign_attrs(mrv_audit_hash=record.audit_hash)


def _sizes(total: int, step: int) -> tuple[int, ...]:
    return tuple(min(step, total - start) for start in range(0, total, step)) or (0,)


def _read_chunk(file: SparseTiff, block_info: Any = None) -> NDArray[Any]:
    (row, end_row), (col, end_col) = block_info[None]["array-location"]
    return file.read(Window(row, col, end_row - row, end_col - col))


def _open_record(lake: Records, record: Record) -> xr.Dataset:
    partition = record.partition
    if not record.evaluated:
        raise NotEvaluated(*partition.names, tuple(record.output["reasons"]))
    match partition.stage:
        case "raw_tiles":
            raise ValueError(f"{partition.asset}: every scene has its own grid; open one band with open_raw_band")
        case "aligned_tiles":
            return _arrays(StoredArrays.of(record))
        case "masked_tiles":
            aligned = _open_record(lake, lake.upstream(record, f"{partition.mission}/aligned_tiles"))
            flags = _arrays(StoredArrays.of(record))["unclear_flags"]
            bands = [name for name, values in aligned.data_vars.items() if values.dtype.kind == "f"]
            return mask_unclear(aligned[bands], flags).assign(unclear_flags=flags)
        case "indices":
            return _arrays(StoredArrays.of(record))
        case "gated_tiles":
            decision = decision_of(record)
            if not GateStatus(decision["status"]).open:
                raise GateRefused(*partition.names, tuple(decision["reasons"]))
            lake.require_sound(record)
            return _open_record(lake, lake.upstream(record, f"{partition.mission}/indices"))
        case _:
            lake.require_current_upstream(record)
            return _arrays(StoredArrays.rasters_of(record))


def _arrays(stored: StoredArrays) -> xr.Dataset:
    """Stored arrays as a dataset, decoded and lazy: one dask chunk a block, which is compared as it is read."""
    variables = {name: _variable(stored, name) for name in stored.names}
    axes = {
        name: xr.Variable((name,), values, attrs)
        for name, (values, attrs) in coordinates(stored.grid, stored.times_us).items()
    }
    wkt = CRS.from_user_input(stored.grid.crs).to_wkt()
    reference = xr.Variable((), 0, {"crs_wkt": wkt, "GeoTransform": geo_transform(stored.grid)})
    raw = xr.Dataset(variables, {**axes, "spatial_ref": reference}, stored.attrs)
    for variable in raw.variables.values():
        for name in ("scale_factor", "add_offset"):
            if name in variable.attrs:
                # JSON knows only doubles, and with doubles xarray decodes to float64.
                variable.attrs[name] = np.float32(variable.attrs[name])
        if "scale_factor" not in variable.attrs:
            # Classes and bits are integers: their fill value means something (SCL 0 is nodata).
            variable.attrs.pop("_FillValue", None)
    # Named outright: a group without arrays has nobody to refer to it.
    decoded = xr.decode_cf(raw, decode_coords="all").set_coords("spatial_ref")
    for key, band in raw.data_vars.items():
        if "clipped_value" in band.attrs:
            # A clipped pixel was seen, and has no value.
            known = (band != band.attrs["clipped_value"]).drop_vars(list(band.coords))
            decoded[key] = decoded[key].where(known)
    return decoded


def _variable(stored: StoredArrays, name: str) -> xr.Variable:
    shape = stored.shape(name)
    chunks = tuple(_sizes(size, step) for size, step in zip(shape, chunk_shape(shape), strict=True))
    pixels = da.map_blocks(  # type: ignore[no-untyped-call]
        _read_stored,
        stored,
        name,
        chunks=chunks,
        dtype=stored.dtype(name),
        meta=np.empty((0,) * len(shape), stored.dtype(name)),
    )
    return xr.Variable(("time", "y", "x")[-len(shape) :], pixels, stored.attrs_of(name))


def _read_stored(stored: StoredArrays, name: str, block_info: Any = None) -> NDArray[Any]:
    (row, end_row), (col, end_col) = block_info[None]["array-location"][-2:]
    return stored.read(name, Window(row, col, end_row - row, end_col - col))
