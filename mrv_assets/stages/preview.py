"""Storing pictures beside the data they show; the record digests their pixels, not their PNG bytes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.content import values_sha256
from mrv_assets.formats.artifacts import PREVIEW


def store_preview(folder: Path, picture: NDArray[np.uint8]) -> Json:
    """Store an RGB picture, dims (y, x, 3), as ``preview.png``, and return the record's entry for it."""
    Image.fromarray(picture).save(folder / PREVIEW, optimize=True)
    return {"shape": list(picture.shape), "pixels_sha256": values_sha256(picture)}
