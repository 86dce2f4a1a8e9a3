"""Sentinel-2 L2A surface reflectance, as Earth Search, Planetary Computer and CDSE publish it."""

from datetime import UTC, datetime

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import (
    Band,
    BitQuality,
    ClassQuality,
    Mission,
    OffsetChange,
    OffsetEvidence,
    ProbabilityQuality,
    Reflectance,
)

SENTINEL2 = Mission(
    name="sentinel2",
    title="Sentinel-2 L2A",
    platforms=("sentinel-2",),
    bands={
        "blue": Band(names=("blue", "B02", "B02_10m"), resolution_m=10),
        "red": Band(names=("red", "B04", "B04_10m"), resolution_m=10),
        "nir": Band(names=("nir", "B08", "B08_10m"), resolution_m=10),
        # B8A. Planetary Computer gives it the common name "rededge", so names are matched and never common names.
        "nir08": Band(names=("nir08", "B8A", "B8A_20m"), resolution_m=20),
        "swir16": Band(names=("swir16", "B11", "B11_20m"), resolution_m=20),
        "swir22": Band(names=("swir22", "B12", "B12_20m"), resolution_m=20),
    },
    # ESA: from processing baseline 04.00 on, BOA_ADD_OFFSET is -1000. Older scenes get +1000, which loses nothing.
    radiometry=Reflectance(
        scale=1e-4,
        offset=-0.1,
        nodata=0,
        saturated=65535,
        # Before baseline 04.00, reflectance at or below zero became DN 1 (ESA, notes on baseline 04.00). With the
        # offset, DN 1 would be a reflectance of -0.1, which no ground has.
        clipped=1,
        offset_change=OffsetChange(
            baseline=(4, 0),
            since=datetime(2022, 1, 25, tzinfo=UTC),
            before=0.0,
            # ESA added the offset so that reflectance below zero, which occurs over dark surfaces, is not cut off at
            # DN 1 (notes on baseline 04.00). The bands are blue and red, because water, shade and plants are dark in
            # both. Measured without the offset in blue and red, the darkest 1 % is up to DN 390 over forest from April
            # to November, 1012 and 2108 over desert, and above 1600 under thick cloud. The floor is 0.02 below zero
            # reflectance, which noise and overcorrected shade seldom reach; the dark end is at most 0.025 above zero.
            evidence=OffsetEvidence(
                bands=("blue", "red"),
                floor_dn=800,
                floor_share=0.001,
                below_share=0.05,
                dark_share=0.01,
                dark_dn=1250,
                min_pixels=1000,
            ),
        ),
    ),
    quality={
        "scl": ClassQuality(
            names=("scl", "SCL", "SCL_20m"),
            # SCL 4 vegetation, 5 bare soil, 6 water. 7 (unclassified) is left out: a lost observation
            # costs less than a cloud reported as land.
            clear=frozenset({4, 5, 6}),
            flags={
                0: Flag.NODATA,
                1: Flag.SATURATED,
                2: Flag.DARK,
                3: Flag.SHADOW,
                7: Flag.UNCLASSIFIED,
                8: Flag.CLOUD,
                9: Flag.CLOUD,
                10: Flag.CIRRUS,
                11: Flag.SNOW,
            },
            severity=(9, 8, 3, 10, 11, 1, 2, 7, 0, 6, 5, 4),
        ),
        # A Google Earth Engine raster, absent from COG catalogues. Bit 10 is opaque cloud, bit 11 cirrus.
        "qa60": BitQuality(names=("QA60", "qa60"), bits={10: Flag.CLOUD, 11: Flag.CIRRUS}),
        "cloud_probability": ProbabilityQuality(
            names=("cloud", "CLD_20m", "cloud_probability"), scale=0.01, flag=Flag.LOW_PROBABILITY
        ),
    },
    resolution_m=10,
)
