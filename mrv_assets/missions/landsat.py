"""Landsat 8 and 9 Collection 2 Level 2 surface reflectance, as Earth Search, Planetary Computer and USGS publish it."""

from mrv_assets.missions.flags import Flag
from mrv_assets.missions.mission import Band, BitQuality, Condition, FoundBy, Mission, Reflectance

# All publishers agree on common names, except USGS's first catalogue, which has only the files' names as keys.
_WHERE = (FoundBy.COMMON_NAME, FoundBy.KEY)

LANDSAT = Mission(
    name="landsat",
    title="Landsat 8/9 C2 L2",
    # Landsat 4 to 7 have other bands under the same common names, and other spectral responses.
    platforms=("landsat-8", "landsat-9"),
    bands={
        "blue": Band(names=("blue", "SR_B2", "SR_B2.TIF"), resolution_m=30, found_by=_WHERE),
        "red": Band(names=("red", "SR_B4", "SR_B4.TIF"), resolution_m=30, found_by=_WHERE),
        "nir08": Band(names=("nir08", "SR_B5", "SR_B5.TIF"), resolution_m=30, found_by=_WHERE),
        "swir16": Band(names=("swir16", "SR_B6", "SR_B6.TIF"), resolution_m=30, found_by=_WHERE),
        "swir22": Band(names=("swir22", "SR_B7", "SR_B7.TIF"), resolution_m=30, found_by=_WHERE),
    },
    # USGS, Landsat 8-9 Collection 2 Level 2 Science Product Guide: reflectance = DN * 0.0000275 - 0.2, fill 0.
    radiometry=Reflectance(scale=2.75e-5, offset=-0.2, nodata=0, saturated=65535),
    quality={
        # Bit 6 means clear, but stays set under shadow and cirrus; bit 7 is water; bits 8 to 15 are confidences.
        "qa_pixel": BitQuality(
            names=("qa_pixel", "QA_PIXEL", "QA_PIXEL.TIF"),
            bits={
                0: Flag.NODATA,
                1: Flag.DILATION,
                2: Flag.CIRRUS,
                3: Flag.CLOUD,
                4: Flag.SHADOW,
                5: Flag.SNOW,
            },
            # Fill is bit 0.
            nodata=1,
            required=True,
        ),
        # Bits 0 to 6 and 8: saturation of any band; bit 9: a dropped pixel; bit 11: terrain occlusion.
        "qa_radsat": BitQuality(
            names=("qa_radsat", "QA_RADSAT", "QA_RADSAT.TIF"),
            bits={bit: Flag.NODATA if bit == 11 else Flag.SATURATED for bit in range(16)},
            required=True,
        ),
    },
    resolution_m=30,
    # Its only near-infrared band is as narrow as Sentinel-2's B8A.
    stand_ins={"nir": "nir08"},
    conditions=(
        # Tier 2 has a position error above 12 m, or an unknown one; real time (RT) is processed again within weeks.
        Condition(property="landsat:collection_category", values=("T1",), code="tier_other", required=True),
        # Level 1 is top-of-atmosphere reflectance, with another scale.
        Condition(property="landsat:correction", values=("L2SP", "L2SR"), code="correction_other", required=False),
    ),
    # Subsets and USGS's first deliveries are cut into strips.
    strips=True,
)
