"""A picture of the demo's simulated months side by side: NDVI where the gate is open, grey elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from mrv_assets.audit.canonical import Json
from mrv_assets.audit.record import Partition
from mrv_assets.demo.simulated_report import decides
from mrv_assets.deployment import Deployment
from mrv_assets.formats.picture import stored_picture
from mrv_assets.stages.table import PRODUCT

FILE = "months.png"
SIDE_PX, GAP_PX, TITLE_PX = 208, 8, 34
_WHITE, _BLACK = (255, 255, 255), (24, 24, 24)


def store_picture(deployment: Deployment, months: Sequence[Json], folder: Path, *, again: bool) -> Path:
    """Store the picture in a folder and return its path. An existing picture is drawn again only when asked for."""
    path = folder / FILE
    if again or not path.exists():
        making = folder / f".{FILE}"
        picture(deployment, months).save(making, format="PNG", optimize=True)
        making.replace(path)
    return path


def picture(deployment: Deployment, months: Sequence[Json]) -> Image.Image:
    """The months' pictures in a row, each below the mission or reviewers that decided it; RGB. North is up.

    Args:
        deployment: The simulated programme and its lake.
        months: The months of the answer of `mrv demo`.
    """
    size = (GAP_PX + len(months) * (SIDE_PX + GAP_PX), GAP_PX + TITLE_PX + SIDE_PX + GAP_PX)
    canvas = Image.new("RGB", size, _WHITE)
    draw = ImageDraw.Draw(canvas)
    for number, month in enumerate(months):
        left = GAP_PX + number * (SIDE_PX + GAP_PX)
        title = f"SIMULATED {month['month']}, {month['gate_status']}\n{decides(month)}"
        draw.multiline_text((left, GAP_PX), title, fill=_BLACK)
        record = deployment.lake.record(Partition(PRODUCT, month["tile"], month["month"]), month["audit_hash"])
        preview = Image.fromarray(stored_picture(record))
        square = preview.resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST)
        canvas.paste(square, (left, GAP_PX + TITLE_PX))
    return canvas
