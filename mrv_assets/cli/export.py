"""`mrv export`: months into files of other formats."""

from pathlib import Path

import click

from mrv_assets.cli.shared import (
    FINDING,
    Progress,
    as_json_option,
    month_option,
    open_deployment,
    print_answer,
    tile_option,
)
from mrv_assets.export.formats import FORMATS
from mrv_assets.export.options import DEGREES, UTM, Resampling


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--as", "format", required=True, type=click.Choice([format.name for format in FORMATS]), help="Format of the files."
)
@tile_option
@month_option
@click.option("--index", "indices", multiple=True, help="Only this index, such as ndvi; may be given again.")
@click.option(
    "--crs",
    type=click.Choice([UTM, DEGREES], case_sensitive=False),
    help="Grid of the pixels: each tile's own, or degrees [utm].",
)
@click.option("--resolution", type=float, help="Pixel size in degrees, of EPSG:4326 [0.0001].")
@click.option(
    "--resampling",
    type=click.Choice([method.value for method in Resampling]),
    help="Resampling of pixels to EPSG:4326 [nearest].",
)
@as_json_option
def export(
    folder: Path,
    format: str,
    tile: str | None,
    month: str | None,
    indices: tuple[str, ...],
    crs: str | None,
    resolution: float | None,
    resampling: str | None,
    as_json: bool,
) -> None:
    """Write monthly proxies into a new FOLDER, as files that other software reads.

    Every month is compared with its records first. Months that the gate rejected have no pixels and no values.
    """
    from mrv_assets.export.options import checked_options
    from mrv_assets.reports.export import answer, text

    options = checked_options(
        format, tile=tile, month=month, indices=indices, crs=crs, step_deg=resolution, resampling=resampling
    )
    exported = answer(open_deployment(), options, folder, Progress())
    print_answer(exported, text, as_json)
    if exported["outcome"] == "nothing":
        raise click.exceptions.Exit(FINDING)
