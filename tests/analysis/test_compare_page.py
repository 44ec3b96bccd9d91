"""The page of `compare --page` in a real browser: both themes, a phone, no scripts, no network."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from echochamber.analysis.arm_scores import accuracy_text, arm_scores
from echochamber.analysis.compare_page import save_compare_page

from .browser import CONTRAST, Chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not shutil.which("chromedriver"), reason="needs Debian's chromium and chromium-driver"
    ),
]
ROWS = "return [...document.querySelectorAll('tbody tr')].map((row) => row.innerText)"
WIDER = "return document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"


@pytest.fixture(scope="module")
def built(study: Path, grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("compare-page") / "both.html"
    save_compare_page([*arm_scores(study), *arm_scores(grid)], page)
    return page


@pytest.fixture
def page(chromium: Chromium, built: Path) -> Iterator[Chromium]:
    """Opened; it must end without a word on the console."""
    chromium.open_address(built.resolve().as_uri(), ready="return document.readyState === 'complete'")
    yield chromium
    chromium.show_as(1280, 1000)
    assert chromium.console() == []


def test_every_arm_of_every_study_has_a_row_with_its_path(page: Chromium, study: Path, grid: Path) -> None:
    arms = [*arm_scores(study), *arm_scores(grid)]
    rows = page.run(ROWS)
    assert len(rows) == len(arms) >= 3
    for arm, row in zip(arms, rows, strict=True):
        assert arm.mixture in row
        assert accuracy_text(arm.final) in row
    assert page.run("return document.querySelectorAll('tbody svg polyline').length") == len(
        [arm for arm in arms if arm.shares.get(arm.winner or "")]
    )


def test_at_a_desk_every_column_is_on_the_screen(page: Chromium) -> None:
    page.show_as(1280, 1000)
    assert page.run("const e = document.querySelector('.wide'); return e.scrollWidth <= e.clientWidth + 1")
    path = page.text("tbody td:last-child small")
    assert re.fullmatch(r"from \d+% to \d+% in \d+ steps", path), path


def test_it_has_no_scripts_and_loads_nothing(page: Chromium) -> None:
    assert page.run("return document.scripts.length") == 0
    assert page.run("return performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_themes(page: Chromium, scheme: str) -> None:
    page.show_as(1280, 1000, scheme)
    assert page.run(CONTRAST) == []


def test_on_a_phone_the_table_scrolls_and_the_page_does_not(page: Chromium) -> None:
    page.show_as(390, 844)
    assert not page.run(WIDER)
    assert page.run("return document.querySelector('table').scrollWidth > 390")
