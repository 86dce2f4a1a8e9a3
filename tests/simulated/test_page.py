"""The page about simulated scenes is worked down, and shows what its own script draws."""

import os
import sys
from pathlib import Path

import numpy as np
from demo_lake import REPOSITORY
from doc_blocks import Command, blocks, differences, run
from PIL import Image

PAGE = (REPOSITORY / "docs" / "simulated.md").read_text()
PICTURE = REPOSITORY / "docs" / "img" / "simulated-2023-07.png"


def test_the_page_runs_and_its_picture_is_the_scripts(tmp_path: Path) -> None:
    """The script prints what the page shows; its picture has the pixels of the page's, copy it when it changed."""
    folder, scratch = tmp_path / "clone", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    for name, target in {"mrv_assets": REPOSITORY / "mrv_assets", ".venv": Path(sys.prefix)}.items():
        (folder / name).symlink_to(target)
    steps = blocks(PAGE)

    [printed] = run(steps, folder, scratch, os.environ)

    [command] = [step for step in steps if isinstance(step, Command)]
    differs = differences(command.output, printed)
    assert not differs, differs
    drawn, shown = (np.asarray(Image.open(path).convert("RGB")) for path in (folder / "month.png", PICTURE))
    np.testing.assert_array_equal(drawn, shown)
    assert f"](img/{PICTURE.name})" in PAGE
    assert PICTURE.stat().st_size < 150_000
