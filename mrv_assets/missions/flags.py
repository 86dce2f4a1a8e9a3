"""Reasons a pixel is unclear: the bits of ``unclear_flags``. Their order is part of the lake's format."""

from enum import IntFlag


class Flag(IntFlag):
    """A reason that a pixel is unclear, as one bit; 0 means clear."""

    NODATA = 1 << 0
    CLOUD = 1 << 1
    SHADOW = 1 << 2
    CIRRUS = 1 << 3
    SNOW = 1 << 4
    SATURATED = 1 << 5
    DARK = 1 << 6
    UNCLASSIFIED = 1 << 7
    LOW_PROBABILITY = 1 << 8
    LAYOVER = 1 << 9
    DILATION = 1 << 10
