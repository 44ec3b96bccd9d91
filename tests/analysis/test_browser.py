"""The page in a real browser: no errors, filters filter, numbers lead to completions."""

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from echochamber.analysis import completions
from echochamber.analysis.live_report import LiveReport, make_server
from echochamber.analysis.number_text import bounds, percent
from echochamber.analysis.report import build_report
from echochamber.analysis.summary import study_summary

from .browser import CONTRAST, Chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not shutil.which("chromedriver"), reason="needs Debian's chromium and chromium-driver"
    ),
]
ARROW_RIGHT, ENTER = "\ue014", "\ue007"


@pytest.fixture
def page(chromium: Chromium, study: Path, tmp_path: Path) -> Iterator[Chromium]:
    """The one-seed study, freshly opened; it must end without a word on the console."""
    chromium.open(build_report(study, tmp_path / "report.html"))
    yield chromium
    assert chromium.console() == []


def test_headline_equals_the_summary_and_nothing_hostile_ran(page: Chromium, study: Path) -> None:
    summary = study_summary(study)
    shown = page.run("return [...document.querySelectorAll('.tile .to')].map(e => e.innerText)")
    final = summary["final"]
    assert shown == [
        percent(v)
        for v in (
            final["formats"]["omi1"]["share"],
            final["accuracy"],
            final["pass@k"]["8"],
            final["maj@k"]["8"],
        )
    ]
    assert page.run("return window.broken === undefined")


def test_figure_draws_every_format_and_checkpoint(page: Chromium) -> None:
    assert page.run("return document.querySelectorAll('#central .area').length") == 3
    assert (
        page.run(
            "return [...new Set([...document.querySelectorAll('#central .dot')]"
            ".map(e => Number(e.dataset.step)))].length"
        )
        == 8
    )


def test_null_model_is_drawn_in_the_same_figure_and_can_be_hidden(page: Chromium) -> None:
    assert page.run("return document.querySelectorAll('#central .null').length") >= 1
    page.run("[...document.querySelectorAll('.toggle')].find(e => e.innerText === 'null model').click()")
    assert page.run("return document.querySelectorAll('#central .null').length") == 0


def test_format_toggle_and_axis(page: Chromium) -> None:
    page.click("#central-controls .toggle[aria-pressed=true]")
    assert page.run("return document.querySelectorAll('#central .area').length") == 2
    before = page.run("return document.querySelector('#central .dot[data-step=\"8\"]').getAttribute('cx')")
    page.run("[...document.querySelectorAll('.toggle')].find(e => e.innerText === 'linear').click()")
    assert (
        page.run("return document.querySelector('#central .dot[data-step=\"8\"]').getAttribute('cx')")
        != before
    )


def test_filters_show_only_what_matches(page: Chromium) -> None:
    page.choose("#browser-outcome", "wrong")
    page.choose("#browser-right", "0:4")
    page.choose("#browser-format", "omi2")
    shown = page.run(
        "return [...document.querySelectorAll('.side:last-child > .card:not(.off)')].map(e => e.innerText)"
    )
    assert shown
    assert all("omi2" in card and "wrong" in card for card in shown)
    count = int(re.search(r"of (\d+)", page.text(".pager"))[1])  # type: ignore[index]
    page.click(".pager button[aria-label='Next problem']")
    assert page.text(".pager").split("\n")[1] == f"Problem {min(2, count)} of {count}"


def test_a_run_whose_completions_are_left_out_says_so_and_keeps_its_counts(
    chromium: Chromium, grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a page of very many runs; here two of six are carried, one of each arm."""
    monkeypatch.setattr(completions, "MAX_COMPLETIONS", 2 * completions.RUN_COMPLETIONS)
    chromium.open(build_report(grid, tmp_path / "report.html"))
    data = "return page.data.completions"
    assert chromium.run(f"{data}.carried") == [0, 3]
    assert chromium.run(f"return [...new Set({data.removeprefix('return ')}.rows.map(row => row[0]))]") == [
        0,
        3,
    ]
    assert "completions of 2 of the 6 runs" in chromium.text("#completions")
    chromium.click(".cell-link[data-run='1'][data-step='48']")
    assert chromium.run("return document.getElementById('browser-right').value") == "0:48"
    shown = chromium.text("#browser")
    assert "completions of 2 of the 6 runs, and this run is none of them" in shown
    assert "of all 64 sampled completions of this checkpoint match the filters" in shown
    chromium.click(".cell-link[data-run='3'][data-step='48']")
    assert chromium.run("return document.querySelectorAll('#browser .card').length") > 0
    assert chromium.console() == []


def test_impossible_filter_says_so(page: Chromium) -> None:
    page.choose("#browser-format", "omi2")
    page.choose("#browser-outcome", "no_answer")
    page.choose("#browser-right", "0:48")
    assert "Loosen a filter" in page.text("#browser")


def test_click_on_a_point_opens_its_completions(page: Chromium) -> None:
    page.run(
        'document.querySelector(\'#central .dot[data-step="8"][data-format="tinygsm"]\')'
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert page.run("return document.getElementById('browser-right').value") == "0:8"
    assert page.run("return document.getElementById('browser-format').value") == "tinygsm"
    assert "After step 8 of RL" in page.text("#browser")


def test_click_on_a_training_step_opens_rollouts(page: Chromium) -> None:
    page.run("page.openCompletions({step: 11})")
    assert page.run("return document.getElementById('browser-right').value") == "1:11"
    assert "Training rollout at step 11" in page.text("#browser")


def test_click_on_a_number_opens_its_completions(page: Chromium) -> None:
    page.click(".cell-link[data-format='omi1'][data-step='0']")
    assert page.run("return document.getElementById('browser-right').value") == "0:0"
    page.click(".tile")
    assert page.run("return document.getElementById('browser-right').value") == "0:48"


def test_click_on_a_finding_opens_its_completions(page: Chromium) -> None:
    chosen = (
        "return [document.getElementById('browser-right').value, "
        "document.getElementById('browser-format').value]"
    )
    page.click(".row-link[data-format='tinygsm'][data-step='0']")
    assert page.run(chosen) == ["0:0", "tinygsm"]
    page.click(".row-link[data-set='easy'][data-step='48']")
    assert page.run("return document.getElementById('browser-right').value") == "0:48"
    page.click(".row-link[data-change='lost']")
    assert page.run("return document.getElementById('browser-change').value") == "lost"


def test_every_number_of_every_finding_can_be_clicked(page: Chromium) -> None:
    """Steps, winners and yes or no aside, a cell with a digit in it is a button."""
    cells = page.run(
        "return [...document.querySelectorAll('table.finding td')]"
        ".filter(c => c.innerText.includes('[') && "
        "!c.querySelector('button')).map(c => c.innerText)"
    )
    assert cells == []


def test_keyboard_reads_values_and_opens_completions(page: Chromium) -> None:
    page.press("#central", ARROW_RIGHT, ARROW_RIGHT)
    assert page.run("return document.getElementById('readout').textContent").startswith("Step 1 evaluated")
    page.press("#central", ENTER)
    assert page.run("return document.getElementById('browser-right').value") == "0:1"


def test_theme_button_cycles(page: Chromium) -> None:
    colours = []
    for _ in range(3):
        page.click("#theme")
        colours.append(page.run("return getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]
    assert page.text("#theme") == "Theme: auto"


def with_format_named(page: Path, name: str) -> Path:
    """The page with `omi1` under another name in its data."""
    before, mark, rest = page.read_text(encoding="utf-8").partition('id="data"')
    data, end, after = rest.partition("</script>")
    assert '"omi1"' in data
    renamed = re.sub(r"(?<!\w)omi1(?!\w)", name, data)
    page.write_text(before + mark + renamed + end + after, encoding="utf-8")
    return page


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["omi1", "omi1_of_code", "omi1_with_a_name_that_no_figure_has_room_for"])
def test_labels_stay_inside_the_figure_and_apart(grid: Path, tmp_path: Path, width: int, name: str) -> None:
    """At the width of a phone and of a desk, with names of formats of all lengths.

    Nothing scrolls sideways, no label is cut, none hides another.
    """
    with Chromium() as browser:
        browser.show_as(width, 900)
        browser.open(with_format_named(build_report(grid, tmp_path / "report.html"), name))
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        box = browser.run(
            "const r = document.querySelector('#central svg').getBoundingClientRect(); "
            "return [r.left, r.right]"
        )
        labels = browser.run(
            "return [...document.querySelectorAll('#central .series-label, #central .tick')]"
            ".map(e => { const r = e.getBoundingClientRect(); "
            "return [e.textContent, r.left, r.right, r.top, r.bottom]; })"
        )
        assert len(labels) > 8
        assert [text for text, *_ in labels if text.startswith(name[:20])]
        assert [text for text, left, right, *_ in labels if left < box[0] or right > box[1]] == []
        hidden = [
            (one[0], other[0])
            for i, one in enumerate(labels)
            for other in labels[:i]
            if one[1] < other[2] - 1
            and other[1] < one[2] - 1
            and one[3] < other[4] - 4
            and other[3] < one[4] - 4
        ]
        assert hidden == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out_from_their_ground(study: Path, tmp_path: Path, scheme: str) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11: 4.5 to 1 for text, 3 to 1 for lines."""
    with Chromium() as browser:
        browser.show_as(1280, 900, scheme)
        browser.open(build_report(study, tmp_path / "report.html"))
        assert browser.run("return matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
        assert browser.run(CONTRAST) == []


def test_focus_can_be_seen(page: Chromium) -> None:
    page.press("#central", "\ue004")
    style = page.run(
        "const s = getComputedStyle(document.activeElement); "
        "return [s.outlineStyle, parseFloat(s.outlineWidth)]"
    )
    assert style[0] == "solid"
    assert style[1] >= 2


def test_served_page_reloads_when_the_study_moves_on(chromium: Chromium, copied: Path) -> None:
    page = LiveReport(copied)
    page.refresh()
    server = make_server(page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    chromium.open_address(f"http://127.0.0.1:{server.server_address[1]}/")
    chromium.wait("return typeof liveVersion !== 'undefined' && liveVersion === '1'")
    (copied / "study.json").write_text(
        (copied / "study.json").read_text().replace("Which of three", "Now which of three")
    )
    assert page.refresh()
    chromium.wait("return document.getElementById('question')?.innerText.startsWith('Now which')")
    assert chromium.console() == []
    chromium.open_address("about:blank", ready="return true")
    server.shutdown()
    server.server_close()


def test_seeds_and_arms_can_be_chosen(chromium: Chromium, grid: Path, tmp_path: Path) -> None:
    chromium.open(build_report(grid, tmp_path / "report.html"))
    summary = study_summary(grid)["final"]
    shown = chromium.run(
        "return page.central.checkpointAt(48, (row) => [row.accuracy, row.intervals.accuracy]).slice(0, 2)"
    )
    assert shown[0] == pytest.approx(summary["accuracy"])
    assert shown[1] == pytest.approx(summary["intervals"]["accuracy"])
    chromium.run("[...document.querySelectorAll('.toggle')].find(e => e.innerText === 'seed 2').click()")
    assert chromium.run("return page.state.run") == 2
    chromium.click(".run-link[data-run='4']")
    assert chromium.run("return [page.state.group, page.state.run]") == ["tg_4xomi1 · nano-0.8m · grpo", 4]
    assert chromium.console() == []


def test_figures_and_tables_write_a_number_alike(page: Chromium) -> None:
    """Ties too: 62.5 and 99.25 are exact in binary."""
    values = [i / 80 for i in range(81)] + [0.9925, 0.9975, 0.00625, 0.00125, 0.9996, 0.0004, 0.545, 1 / 3]
    shown = page.run("return arguments[0].map((value) => percent(value))", values)
    assert shown == [percent(value) for value in values]
    pairs = [[a / 400, b / 400] for a in range(0, 401, 7) for b in range(a, 401, 29)]
    assert page.run("return arguments[0].map((pair) => interval(pair))", pairs) == [
        bounds(pair) for pair in pairs
    ]
