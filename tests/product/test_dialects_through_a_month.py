"""Fifty random dialects through a whole month: the reflectance that comes out is right, or the scene is refused."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from field_cases import NDVI, a_field_case, run_all

Json = dict[str, Any]

MONTHS = 50
"""Months, each of one scene; one takes half a second."""
BANDS = ("blue", "red", "nir", "nir08", "swir16", "swir22")
OLD, NEW = ("02.08", 2.14, "3.1", "N0301", 301), ("04.00", 5.0, "5.0", 5.11, "N0510", 509)


def published(chance: random.Random, folder: Path, *, shifted: bool, applied: bool) -> None:
    """Publish the case's scene again in a dialect of its own; all that it states is true."""
    item = json.loads((folder / "0.json").read_bytes())
    new = shifted or applied
    properties = {key: value for key, value in item["properties"].items() if "baseline" not in key}
    stated = chance.random
    if stated() < 0.5:
        prefix = chance.choice(["s2", "sentinel", "eopf"])
        properties[f"{prefix}:processing_baseline"] = chance.choice(NEW if new else OLD)
    if stated() < 0.3:
        number = "N0509" if new else "N0208"
        properties["s2:product_uri"] = f"S2A_MSIL2A_20180705T093039_{number}_R136_T34TER_20230101T111111.SAFE"
    if applied or stated() < 0.3:
        properties[f"{chance.choice(['earthsearch', 'sentinel'])}:boa_offset_applied"] = applied
    offset = -0.1 if new else 0
    for key in BANDS:
        asset = item["assets"][key]
        asset.pop("raster:bands", None)
        match chance.choice(["nothing", "raster:bands", "bands", "asset"]):
            case "raster:bands":
                asset["raster:bands"] = [{"scale": 1e-4, "offset": offset}]
            case "bands":
                asset["bands"] = [{"name": key, "raster:scale": 1e-4, "raster:offset": offset}]
            case "asset":
                asset |= {"raster:scale": 1e-4, "raster:offset": offset}
        path = folder / asset["href"]
        with rasterio.open(path) as file:
            dn, profile = file.read(1), file.profile
        # The case's own pixels have no offset.
        dn = np.where(dn > 0, dn + np.uint16(1000 if shifted else 0), 0).astype(np.uint16)
        names = ("dtype", "crs", "transform", "nodata", "height", "width", "count")
        with rasterio.open(path, "w", driver="COG", **{name: profile[name] for name in names}) as file:
            file.write(dn, 1)
            if not applied and chance.random() < 0.3:
                file.scales, file.offsets = (1e-4,), (float(offset),)
    (folder / "0.json").write_text(json.dumps({**item, "properties": properties}))


@pytest.mark.parametrize("part", range(5))
def test_what_is_stated_truly_comes_out_right_or_is_refused(part: int, tmp_path: Path) -> None:
    """In whichever of the places it is stated, or in none, so that the pixels have to tell."""
    chance = random.Random(part)
    outcomes = {"right": 0, "refused": 0}
    for number in range(MONTHS // 5):
        deployment = a_field_case("a40_item_collection_file", tmp_path / str(number))
        program = deployment.program_path
        program.write_text(program.read_text().replace("catalogue/items.json", "catalogue"))
        kind = chance.choice(["old", "new", "applied"])
        published(chance, program.parent / "catalogue", shifted=kind == "new", applied=kind == "applied")

        month = run_all(deployment)

        ndvi = month.rows["P1"]["ndvi_mean"]
        if ndvi is None:
            [refused] = month.record("sentinel2/raw_tiles").output["refused"]
            # Bright ground is not told apart; a GeoTIFF's statement is about pixels before they were changed.
            assert refused["code"] in ("offset_unknown", "offset_conflict"), (kind, refused)
            outcomes["refused"] += 1
        else:
            assert ndvi == pytest.approx(NDVI, abs=2e-4), kind
            outcomes["right"] += 1
        shutil.rmtree(tmp_path / str(number))
    assert outcomes["right"] >= 7, outcomes
