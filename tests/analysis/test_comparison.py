"""The comparison of arms in a real browser: sorted, filtered, drawn together, by mouse and by keys."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from echochamber.analysis.number_text import percent
from echochamber.analysis.report import build_report
from echochamber.analysis.summary import study_summary

from .browser import CONTRAST, Chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not shutil.which("chromedriver"), reason="needs Debian's chromium and chromium-driver"
    ),
]
ARROW_RIGHT, ENTER, SPACE = "\ue014", "\ue007", " "
COLUMN = """
const place = [...document.querySelectorAll('#arms-table thead th')]
  .findIndex((e) => e.querySelector('button').dataset.key === arguments[0]);
return [...document.querySelectorAll('#arms-table tbody tr')].map((row) => row.children[place].textContent);
"""
SORTED = (
    "return document.querySelector(`[data-key='${arguments[0]}']`).closest('th').getAttribute('aria-sort')"
)
LINES = "return document.querySelectorAll('#arms-overlay .curves .line').length"


@pytest.fixture(scope="module")
def built(arms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(arms, tmp_path_factory.mktemp("arms-page") / "report.html")


@pytest.fixture
def page(chromium: Chromium, built: Path) -> Iterator[Chromium]:
    """The page of fourteen arms, freshly opened; it must end without a word on the console."""
    chromium.open(built)
    yield chromium
    assert chromium.console() == []


def numbers(texts: list[str]) -> list[float]:
    return [float(text.split("%")[0].lstrip("<>")) for text in texts]


def test_every_arm_has_a_row_with_its_means_over_seeds(page: Chromium, arms: Path) -> None:
    shown = dict(zip(page.run(COLUMN, "arm"), page.run(COLUMN, "accuracy"), strict=True))
    found: dict[str, list[float]] = {}
    for arm in study_summary(arms)["arms"]:
        label = " · ".join(arm[part] for part in ("mixture", "size", "arm"))
        found.setdefault(label, []).append(arm["final"]["accuracy"])
    assert len(found) == 14
    assert {label: text.split("%")[0] + "%" for label, text in shown.items()} == {
        label: percent(sum(values) / 2) for label, values in found.items()
    }
    assert page.run(COLUMN, "winner") == ["omi1", "tinygsm"] * 7
    assert page.text("#arms-count") == "14 of 14 arms"
    # The null model's number of a row is the mean over seeds at the last evaluated step.
    runs = page.run("return page.data.runs.filter((run) => run.label === page.data.arms[0][0].label)")
    ends = [run["null"]["omi1"][run["dense"]["step"].index(48)] for run in runs]
    assert page.run(COLUMN, "null")[0] == percent(sum(ends) / 2)


def test_a_heading_sorts_by_key_and_keeps_the_focus(page: Chromium) -> None:
    page.press("[data-key='share']", ENTER)
    assert page.run(SORTED, "share") == "descending"
    falling = numbers(page.run(COLUMN, "share"))
    assert falling == sorted(falling, reverse=True)
    assert falling[0] > falling[-1]
    assert page.run("return document.activeElement.dataset.key") == "share"
    page.press("[data-key='share']", ENTER)
    assert page.run(SORTED, "share") == "ascending"
    assert numbers(page.run(COLUMN, "share")) == falling[::-1]
    page.click("[data-key='arm']")
    names = page.run(COLUMN, "arm")
    assert names == sorted(names)
    assert (page.run(SORTED, "share"), page.run(SORTED, "arm")) == ("none", "ascending")


def test_a_tile_of_the_first_screen_sorts_the_table(page: Chromium) -> None:
    page.click("a.tile[data-measure='pass@k']")
    assert page.run(SORTED, "pass@k") == "descending"


def test_words_and_winner_narrow_table_and_figures(page: Chromium) -> None:
    page.press("#arms-filter", "mostly 1")
    names = page.run(COLUMN, "arm")
    assert names == [f"mostly_tg · nano-0.8m · arm{i:04d}" for i in (1, 11, 13)]
    captions = page.run(
        "return [...document.querySelectorAll('#arms-multiples .link')].map(e => e.innerText)"
    )
    assert captions == names
    page.choose("#arms-winner", "omi1")
    assert page.run(COLUMN, "arm") == []
    assert page.text("#arms-count") == "0 of 14 arms"
    page.run("page.comparison.words = ''; page.comparison.draw()")
    assert set(page.run(COLUMN, "winner")) == {"omi1"}
    assert page.text("#arms-count") == "7 of 14 arms"


def test_a_tick_draws_an_arm_over_the_others(page: Chromium) -> None:
    assert page.run(LINES) == 4
    page.press("#arms-table tbody tr:nth-child(5) input", SPACE)
    assert page.run(LINES) == 5
    legend = page.run("return [...document.querySelectorAll('.legend li')].map((e) => e.textContent)")
    assert legend[4] == "tg_omi1_omi2 · nano-0.8m · arm0004 (omi1)"
    page.click("#arms-none")
    assert page.run(LINES) == 0
    assert "Choose arms in the table" in page.text("#arms-overlay")
    page.click("#arms-first")
    assert page.run(LINES) == 8
    page.press("#arms-table tbody tr:nth-child(9) input", SPACE)
    assert page.run(LINES) == 8
    assert page.text("#arms-said") == "At most 8 arms are drawn together."
    assert not page.run("return document.querySelector('#arms-table tbody tr:nth-child(9) input').checked")


def test_curves_have_the_intervals_over_seeds_at_their_checkpoints(page: Chromium) -> None:
    page.run("page.comparison.chooseAll([page.data.arms[0][0].label])")
    page.choose("#arms-measure", "accuracy")
    label = page.run("return page.data.arms[0][0].label")
    bounds = page.run("return page.data.joined[arguments[0]].map((row) => row.intervals.accuracy)", label)
    assert len(bounds) == 3
    drawn = page.run(
        "return [...document.querySelectorAll('#arms-overlay .whisker')]"
        ".map((e) => ['y1', 'y2'].map((y) => (214 - Number(e.getAttribute(y))) / 202))"
    )
    assert drawn == [pytest.approx(pair) for pair in bounds]


def test_figures_are_read_by_arrow_keys(page: Chromium) -> None:
    said = "return document.getElementById('readout').textContent"
    page.press("#arms-overlay .curves", ARROW_RIGHT, ARROW_RIGHT)
    assert page.run(said).startswith("Step 1 ; tg_omi1_omi2 · nano-0.8m · arm0000 ")
    assert not page.run("return document.getElementById('tip').hidden")
    page.press("#arms-multiples figure:nth-child(2) svg", ARROW_RIGHT)
    assert page.run(said).startswith("Step 1 mostly_tg · nano-0.8m · arm0001; tinygsm ")


def test_small_figures_come_twelve_at_a_time_and_lead_to_the_main_figure(page: Chromium) -> None:
    count = "return document.querySelectorAll('#arms-multiples figure').length"
    assert page.run(count) == 12
    page.click("#arms-multiples + .more-rows button")
    assert page.run(count) == 14
    page.click("#arms-multiples figure:nth-child(3) .link")
    assert page.run("return page.state.group") == "tg_omi1_omi2 · nano-0.8m · arm0002"


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
)
def test_narrow_and_wide_in_both_themes(built: Path, width: int, scheme: str) -> None:
    with Chromium() as browser:
        browser.show_as(width, 900, scheme)
        browser.open(built)
        browser.click("#arms-first")
        assert browser.run("return matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        wide = browser.run(
            "return [...document.querySelectorAll('#arms svg, #arms figure, #arms .controls')]"
            ".filter((e) => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth).length"
        )
        assert wide == 0
        assert browser.run(CONTRAST) == []
        assert browser.run("return document.querySelectorAll('#arms-overlay .line').length") == 8
        assert browser.console() == []


def test_a_hostile_name_of_an_arm_stays_text(chromium: Chromium, grid: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(grid, tmp_path / "study"))
    hostile = "<img src=x onerror='window.broken = 1'>"
    data = json.loads((copy / "study.json").read_text())
    for node in data["nodes"]:
        node["mixture"] = hostile if node["mixture"] == "tg_4xomi1" else node["mixture"]
    (copy / "study.json").write_text(json.dumps(data))
    chromium.open(build_report(copy, tmp_path / "report.html"))
    assert any(name.startswith(hostile) for name in chromium.run(COLUMN, "arm"))
    assert chromium.run("return window.broken === undefined && !document.querySelector('img')")
    assert chromium.console() == []


def test_a_study_of_one_arm_has_no_comparison(study: Path, tmp_path: Path) -> None:
    assert 'id="arms"' not in build_report(study, tmp_path / "report.html").read_text()
