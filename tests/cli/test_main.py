"""How the command ends: 0 done, 1 a finding, 2 misuse or bad input, as docs/cli.md has it."""

from pathlib import Path

import pytest
from demo_lake import Demo, mrv

from mrv_assets.settings import DEMO_PROGRAM


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (("explain", "north-loss-1", "2018-07"), 0, ""),
        (("explain", "north-loss-1", "2018-13"), 2, "Month '2018-13' is not in this programme"),
        (("explain", "nobody", "2018-07"), 2, "Parcel 'nobody' is not in this programme"),
        (("verify", "--tile", "34TER", "--month", "1999-01"), 2, "1999-01"),
        (("no-such-verb",), 2, "No such command"),
    ],
)
def test_exit_codes(demo: Demo, tmp_path: Path, arguments: tuple[str, ...], exit_code: int, says: str) -> None:
    """Bad input is told apart from a finding, so that a script can."""
    done = mrv(*arguments, cwd=tmp_path, MRV_PROGRAM=str(DEMO_PROGRAM), MRV_LAKE=str(demo.folder / "lake"))

    assert (done.returncode, says in done.stderr) == (exit_code, True), done.stderr


def test_a_month_that_is_not_in_the_lake_is_bad_input(tmp_path: Path) -> None:
    """Nothing was found to be wrong: it has to be run first, and the message says how."""
    asked = ("explain", "north-loss-1", "2018-07")

    done = mrv(*asked, cwd=tmp_path, MRV_PROGRAM=str(DEMO_PROGRAM), MRV_LAKE=str(tmp_path / "lake"))

    assert done.returncode == 2
    assert "is not in the lake. Run: mrv run --tile 34TER --month 2018-07" in done.stderr
