"""A rejected month from the launchpad to its values, in a real browser: what is asserted opens nothing, two keys do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from block_scenes import MONTH, TILE
from demo_lake import mrv, rows
from playwright.sync_api import BrowserContext, Page, expect
from reviewing import GATED, Rejected, again, months_to_reject
from watched_ui import CHROMIUM, NO_CHROMIUM, a_browser, a_ui

from mrv_assets.audit.record import Partition
from mrv_assets.stages.table import PRODUCT

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)

PATIENCE_MS = 60_000.0
"""For one thing to appear; a run starts in some seconds, on a busy machine in half a minute."""
PEOPLE = {"Ioana Radu": "lead reviewer", "Mihai Stan": "reviewer"}
CONFIG = f"""ops:
  write_asserted_decision:
    config:
      tile: {TILE}
      month: "{MONTH}"
      verdict: approve
      reviewer: NAME
      role: lead reviewer
      reason: The quarter that was seen is typical.
      evidence: [field report 7]
"""


@pytest.fixture
def rejected(tmp_path: Path) -> Rejected:
    """A month of which a quarter was seen, materialized through Dagster."""
    made = months_to_reject(tmp_path / "programme")
    done = mrv("run", "--tile", TILE, "--month", MONTH, cwd=tmp_path, **deployed(made))
    assert done.returncode == 0, done.stderr
    return made


def deployed(of: Rejected) -> dict[str, str]:
    """What names programme, lake and Dagster home."""
    return {**of.environment(), "DAGSTER_HOME": str(of.folder / "dagster")}


@contextmanager
def seen(browser: BrowserContext, folder: Path) -> Iterator[Page]:
    """A page; where something is not as it must be, a picture of it stays."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    try:
        yield page
    except BaseException as error:
        page.screenshot(path=folder / "failure.png")
        error.add_note(f"The page is in {folder / 'failure.png'}, what the UI said in {folder / 'ui.log'}.")
        raise


def opened(page: Page, ui: str, path: str) -> None:
    """Go to a page of the UI as its links do: only the first visit loads the application."""
    if page.url.startswith(f"{ui}/"):
        page.evaluate(
            "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate', {})); }", path
        )
    else:
        page.goto(f"{ui}{path}")


def shows(page: Page, ui: str, asset: str, **metadata: str) -> None:
    """Open the month of an asset, and want rows of its metadata to read so."""
    opened(page, ui, f"/assets/{asset}?view=partitions&partition={MONTH}%7C{TILE}")
    for name, value in metadata.items():
        row = page.locator("tr", has=page.get_by_text(name, exact=True)).first
        expect(row.locator("td").nth(1)).to_contain_text(value)


def checked(page: Page, ui: str, **metadata: str) -> None:
    """Open the gate's check, and want it to say so."""
    opened(page, ui, f"/assets/{GATED}?view=checks")
    for name, value in metadata.items():
        row = page.locator("tr", has=page.get_by_text(name, exact=True)).first
        expect(row).to_contain_text(value)


def launched(page: Page, ui: str, reviewer: str) -> None:
    """Type a decision into the job's launchpad, launch it, and wait until it has succeeded."""
    opened(page, ui, "/locations/mrv_assets.definitions/jobs/record_qa_decision/")
    page.get_by_text("Launchpad", exact=True).first.click()
    page.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(CONFIG.replace("NAME", reviewer))
    expect(page.get_by_text("No errors", exact=True)).to_be_visible()
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    expect(page.get_by_text(f"approve by {reviewer} is asserted, not authenticated").first).to_be_visible()


def test_what_is_asserted_in_the_ui_opens_nothing_and_two_keys_open_the_month(
    rejected: Rejected, tmp_path: Path
) -> None:
    """Rejected, with its red check; asserted twice in the launchpad, still rejected; signed twice, with values.

    The pages ask nobody but this machine.
    """
    lake = rejected.deployment.lake
    first = {asset: lake.current(Partition(asset, TILE, MONTH)).audit_hash for asset in (GATED, PRODUCT)}
    with (
        a_ui(tmp_path, **deployed(rejected)) as ui,
        a_browser(tmp_path) as (browser, asked),
        seen(browser, tmp_path) as page,
    ):
        shows(page, ui, GATED, gate_status="REJECTED", reasons="below_tile_coverage", audit_hash=first[GATED])
        checked(page, ui, tile_month=f"{TILE} {MONTH}", gate_status="REJECTED", reasons="below_tile_coverage")
        expect(page.get_by_text("Failed", exact=True).first).to_be_visible()

        for reviewer in ("Ana Pop", "Dan Ilie"):
            launched(page, ui, reviewer)
            shows(page, ui, GATED, asserted=f"approve by {reviewer}, lead reviewer: not authenticated")
        again(rejected)

        shows(page, ui, GATED, gate_status="REJECTED", audit_hash=first[GATED])
        shows(page, ui, PRODUCT, gate_status="sentinel2 REJECTED", mission="none", audit_hash=first[PRODUCT])
        assert {row["ndvi_mean"] for row in rows(rejected.deployment, MONTH).values()} == {None}

        approved = decided_with_two_keys(rejected, tmp_path)

        shows(page, ui, GATED, gate_status="APPROVED_MANUAL", audit_hash=approved[GATED])
        checked(page, ui, tile_month=f"{TILE} {MONTH}", gate_status="APPROVED_MANUAL")
        expect(page.get_by_text("Passed", exact=True).first).to_be_visible()
        shows(
            page,
            ui,
            PRODUCT,
            gate_status="sentinel2 APPROVED_MANUAL",
            mission="sentinel2",
            audit_hash=approved[PRODUCT],
        )

    assert asked == {"127.0.0.1"}
    assert approved.keys() == first.keys()
    assert not set(approved.values()) & set(first.values())
    assert rows(rejected.deployment, MONTH)["half"]["ndvi_mean"] == pytest.approx(0.75, abs=1e-4)


def decided_with_two_keys(of: Rejected, folder: Path) -> dict[str, str]:
    """Make two keys, name their owners in the programme, and let each approve, by the command alone.

    Returns:
        The audit hash of each asset that the second decision materialized.
    """
    reviewers = yaml.safe_load(of.deployment.program_path.read_text())["reviewers"]
    for name, role in PEOPLE.items():
        made = mrv("keys", "new", f"{name}.pem", "--name", name, "--role", role, cwd=folder)
        assert made.returncode == 0, made.stderr
        reviewers += yaml.safe_load(made.stdout)["reviewers"]
    of.change(reviewers=reviewers)
    answers = []
    for name in PEOPLE:
        decision = ("--approve", "--reason", "Seen on the ground.", "--key", f"{name}.pem", "--json")
        done = mrv("qa", "decide", TILE, MONTH, *decision, cwd=folder, **deployed(of))
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    assert [one["approved"] for one in answers] == [False, True]
    return {one["asset"]: one["audit_hash"] for one in answers[-1]["assets"]}
