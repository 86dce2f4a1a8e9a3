"""Sentinel-1 RTC: gamma0 backscatter, flattened for terrain, as Planetary Computer, AWS and OPERA publish it."""

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import UNNAMED, Band, ClassDialect, ClassQuality, FoundBy, Mission, Power

_WHERE = (FoundBy.KEY,)

SENTINEL1 = Mission(
    name="sentinel1",
    title="Sentinel-1 RTC",
    platforms=("sentinel-1",),
    bands={
        "vv": Band(names=("vv", "VV", "gamma0_vv"), resolution_m=10, found_by=_WHERE),
        "vh": Band(names=("vh", "VH", "gamma0_vh"), resolution_m=10, found_by=_WHERE),
    },
    # Linear power, not decibels. Planetary Computer writes -32768 where nothing was measured, AWS 0, OPERA NaN, others
    # -9999, -1 or the largest float. Floor: ESA states a noise of at most -22 dB for IW, and -70 dB is a remainder of
    # its removal. Ceiling and bright: land stays below 10 dB, single points of cities and ships below 30 dB. Decibels:
    # land has -40 to 0 dB; as power, the removal of noise leaves hundredths below zero at most.
    # Looks: ESA states 4.4 for IW GRD in high resolution, from which these products are made.
    radiometry=Power(
        quantity="gamma0",
        floor=1e-7,
        ceiling=1e3,
        bright=10.0,
        decibels=(-60.0, -0.1),
        fills_in_decibels=(-1.0,),
        implausible_share=0.05,
        looks=4.4,
    ),
    quality={
        # OPERA's classes; Planetary Computer does not publish a mask. 255 means outside the swath, where the bands are
        # missing too, and is the value of scenes without a mask.
        "mask": ClassQuality(
            names=("mask", "layover_shadow_mask"),
            clear=frozenset({0, 255}),
            flags={1: Flag.SHADOW, 2: Flag.LAYOVER, 3: Flag.SHADOW | Flag.LAYOVER},
            severity=(254, 3, 2, 1, 255, 0),
            words={
                **dict.fromkeys(("valid", "valid data", "clear", "not masked", "no layover or shadow"), 0),
                **dict.fromkeys(("shadow", "radar shadow"), 1),
                "layover": 2,
                **dict.fromkeys(("layover and shadow", "shadow and layover", "both", "layover shadow"), 3),
                **dict.fromkeys(("invalid", "invalid data"), UNNAMED),
                **dict.fromkeys(("no data", "nodata", "fill", "outside", "outside the swath"), 255),
            },
            dialects=(
                # OPERA RTC-S1 product specification: 0 neither, 1 shadow, 2 layover, 3 both, 255 fill.
                ClassDialect(
                    collection=r"opera_l2_rtc-s1(_(v\d+|provisional|static)[0-9._]*)?",
                    item=r"opera_l2_rtc-s1_",
                    classes={0: 0, 1: 1, 2: 2, 3: 3, 255: 255},
                ),
                # Digital Earth Africa's Sentinel-1: 0 no data, 1 valid, 2 invalid.
                ClassDialect(collection="s1_rtc", item="(?!)", classes={0: 255, 1: 0, 2: UNNAMED}),
            ),
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
