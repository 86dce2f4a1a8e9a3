"""Sentinel-1 RTC: gamma0 backscatter, flattened for terrain, as Planetary Computer, AWS and OPERA publish it."""

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import Band, ClassQuality, FoundBy, Mission, Power

_WHERE = (FoundBy.KEY,)

SENTINEL1 = Mission(
    name="sentinel1",
    title="Sentinel-1 RTC",
    platforms=("sentinel-1",),
    bands={
        "vv": Band(names=("vv", "VV", "gamma0_vv"), resolution_m=10, found_by=_WHERE),
        "vh": Band(names=("vh", "VH", "gamma0_vh"), resolution_m=10, found_by=_WHERE),
    },
    # Linear power, not decibels. Planetary Computer writes -32768 where nothing was measured, AWS 0, OPERA NaN.
    # Looks: ESA states 4.4 for IW GRD in high resolution, from which these products are made.
    radiometry=Power(quantity="gamma0", nodata=(-32768.0, 0.0), looks=4.4),
    quality={
        # OPERA's classes; Planetary Computer does not publish a mask. 255 means outside the swath, where the bands are
        # missing too, and is the value of scenes without a mask.
        "mask": ClassQuality(
            names=("mask", "layover_shadow_mask"),
            clear=frozenset({0, 255}),
            flags={1: Flag.SHADOW, 2: Flag.LAYOVER, 3: Flag.SHADOW | Flag.LAYOVER},
            severity=(3, 2, 1, 255, 0),
            nodata=255,
            required=False,
        ),
    },
    resolution_m=10,
    # Slopes that face the radar are bright: the same forest seen from the other side has another value.
    one_orbit_direction=True,
    # Terrain shadow is computed, and its edges are exact.
    dilated=(),
)
