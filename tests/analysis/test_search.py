"""Search in completions, and links to one of them, in a real browser."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import polars as pl
import pytest

from echochamber.analysis.report import build_report

from .browser import CONTRAST, Chromium
from .synthetic import HOSTILE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not shutil.which("chromedriver"), reason="needs Debian's chromium and chromium-driver"
    ),
]
ENTER = "\ue007"
TEXTS = "return [...document.querySelectorAll('#browser .card:not(.off) pre')].map((e) => e.textContent)"
TARGET = """
const card = document.querySelector('#browser .card.target');
return card && [card.querySelector('pre').textContent, card.querySelector('footer').textContent,
  document.activeElement === card];
"""
FOLLOW = "location.hash = arguments[0]"


@pytest.fixture(scope="module")
def built(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(study, tmp_path_factory.mktemp("search-page") / "report.html")


@pytest.fixture
def page(chromium: Chromium, built: Path) -> Iterator[Chromium]:
    chromium.open_address(
        "about:blank", ready="return true"
    )  # else a change of the hash alone reloads nothing
    chromium.open(built)
    yield chromium
    assert chromium.console() == []


def carried(built: Path) -> list[dict[str, object]]:
    data = json.loads(built.read_text().split('id="data">')[1].split("</script>")[0])["completions"]
    return [dict(zip(data["row_columns"], row, strict=True)) for row in data["rows"]]


def test_words_narrow_the_problems_and_are_marked(page: Chromium) -> None:
    page.press("#browser-search", "Mia buys 5 boxes")
    assert page.run("return document.activeElement.id") == "browser-search"
    problems = set()
    for _ in range(3):
        problems.add(page.text("#browser .q"))
        page.click(".pager button[aria-label='Next problem']")
    assert all("Mia buys 5 boxes" in text for text in problems)
    assert page.run("return document.querySelector('#browser .q mark').textContent") == "Mia buys 5 boxes"
    page.run("page.browser.search('PENS_PER_BOX = 4')")
    shown = page.run(TEXTS)
    assert shown
    assert all("pens_per_box = 4" in text for text in shown)
    marks = page.run("return [...document.querySelectorAll('#browser .card mark')].map((e) => e.textContent)")
    assert set(marks) == {"pens_per_box = 4"}
    assert "Words are searched in the completions that the page carries" in page.text("#browser")
    page.run("page.browser.search('no such words')")
    assert "change the words" in page.text("#browser")


def test_hits_of_all_runs_are_counted_and_lead_to_their_completion(page: Chromium, built: Path) -> None:
    rows = [row for row in carried(built) if "pens_per_box = 4" in str(row["text"])]
    page.press("#browser-search", "pens_per_box = 4")
    assert page.text(".hits summary").startswith(f"{len(rows)} of the {len(carried(built)):,} completions")
    assert page.run("return document.querySelectorAll('.hits li').length") == min(len(rows), 50)
    page.click(".hits summary")
    page.press(".hits li:nth-child(2) a", ENTER)
    page.wait("return document.querySelector('#browser .card.target') !== null")
    assert page.run(TARGET)[0] == rows[1]["text"]
    assert page.run("return document.getElementById('browser-search').value") == ""


@pytest.mark.parametrize("source", [0, 1])
def test_a_link_opens_its_completion_in_a_fresh_page(
    chromium: Chromium, page: Chromium, built: Path, source: int
) -> None:
    """Also one behind `more`, and one of a training step."""
    rows = carried(built)
    place = max(i for i, row in enumerate(rows) if row["source"] == source)
    address = page.run("return page.browser.address(page.browser.completions[arguments[0]])", place)
    named = dict(parse_qsl(address[1:]))
    assert named["step"] == str(rows[place]["step"])
    assert named["sample"] == str(rows[place]["sample"])
    assert "rl/" in named["run"]
    chromium.open_address("about:blank", ready="return true")
    chromium.open_address(built.resolve().as_uri() + address)
    text, facts, focused = chromium.run(TARGET)
    assert text == rows[place]["text"]
    assert facts.startswith(f"sample {rows[place]['sample']}")
    assert focused
    box = chromium.run(
        "const r = document.querySelector('.card.target').getBoundingClientRect(); return [r.top, r.bottom]"
    )
    assert box[0] >= 0
    assert box[1] <= chromium.run("return innerHeight")


def test_the_link_on_a_card_is_its_own_and_moving_on_drops_it(page: Chromium) -> None:
    page.click("#browser .side:last-child .card .address")
    page.wait("return location.hash.startsWith('#run=')")
    assert page.run(TARGET)[2]
    assert page.run(
        "return document.querySelector('.card.target .address').getAttribute('href') === location.hash"
    )
    page.click(".pager button[aria-label='Next problem']")
    assert page.run("return location.hash") == "#completions"
    assert page.run("return document.querySelector('.card.target')") is None


def test_a_link_to_what_the_page_does_not_carry_says_so(page: Chromium) -> None:
    page.click("#browser .side:last-child .card .address")
    page.wait("return location.hash.startsWith('#run=')")
    page.run(FOLLOW, page.run("return location.hash").replace("sample=", "sample=77"))
    page.wait("return document.getElementById('browser-lost') !== null")
    assert page.text("#browser-lost") == "The link names a completion that this page does not carry."


def test_a_hostile_link_and_hostile_words_stay_text(page: Chromium) -> None:
    page.run(
        FOLLOW,
        "#run=<img src=x onerror='window.broken=1'>&of=evaluation&step=0&set=&split=&problem=&sample=0",
    )
    page.wait("return document.getElementById('browser-lost') !== null")
    page.run("page.browser.search(arguments[0])", HOSTILE)
    assert page.run(TEXTS) == [] or HOSTILE in page.run(TEXTS)
    assert page.run("return window.broken === undefined && !document.querySelector('img')")
    assert page.run("return document.querySelectorAll('.hits li').length") == 1


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_marks_and_hits_can_be_read(built: Path, width: int, scheme: str) -> None:
    with Chromium() as browser:
        browser.show_as(width, 900, scheme)
        browser.open(built)
        browser.press("#browser-search", "pens")
        browser.click(".hits summary")
        assert browser.run("return document.querySelectorAll('#browser mark').length") > 0
        assert browser.run(CONTRAST) == []
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")


def test_links_of_two_seeds_go_to_their_own_run(chromium: Chromium, grid: Path, tmp_path: Path) -> None:
    """The same problem, step and sample of another seed and mixture."""
    chromium.open_address("about:blank", ready="return true")
    chromium.open(build_report(grid, tmp_path / "report.html"))
    for run in (4, 1):
        row = chromium.run(
            "return page.browser.completions.findIndex((row) => row.run === arguments[0] && row.step === 48)",
            run,
        )
        chromium.run("location.hash = page.browser.address(page.browser.completions[arguments[0]])", row)
        chromium.wait(f"return page.state.run === {run} && document.querySelector('.card.target') !== null")
        text = chromium.run("return page.browser.completions[arguments[0]].text", row)
        assert chromium.run(TARGET)[0] == text
    assert chromium.console() == []


def test_records_are_what_is_searched(study: Path, built: Path) -> None:
    """The page's texts are those of the records."""
    stored = pl.concat([pl.read_parquet(path)["text"] for path in study.rglob("evaluate-*/records.parquet")])
    assert {row["text"] for row in carried(built) if row["source"] == 0} <= set(stored)


SAYS = "return [...document.querySelectorAll('#browser .card .box-says')].map((e) => e.textContent)"


def test_a_box_that_says_something_else_is_told_at_the_completion(
    chromium: Chromium, copied: Path, tmp_path: Path
) -> None:
    """With a finished comparison alone: what a failed program prints may look like the note."""
    path = next((copied / "artifacts").glob("evaluate-*/records.parquet"))
    frame = pl.read_parquet(path)
    decided, first = pl.col("outcome").is_in(["correct", "wrong"]), frame["step"][0]
    note = pl.format("box says 11, program {}", pl.col("answer").fill_null("7"))
    frame.with_columns(detail=note).write_parquet(path)
    chromium.open(build_report(copied, tmp_path / "report.html"))
    rows = chromium.run(
        "return page.browser.completions.filter((row) => row.source === 0 && row.boxed !== null)"
    )
    assert {row["boxed"] for row in rows} == {"11"}
    assert {row["outcome"] for row in rows} == {"correct", "wrong"}
    assert all(row["detail"] is None for row in rows)
    kept = chromium.run(
        "return page.browser.completions.filter((row) => row.outcome === 'no_answer' && row.detail)"
    )
    assert kept
    assert all(row["detail"] == "box says 11, program 7" and row["boxed"] is None for row in kept)
    assert frame.filter(~decided).height > 0
    chromium.choose("#browser-right", f"0:{first}")
    answers = chromium.run(
        "return [...document.querySelectorAll('#browser .card')].filter((e) => e.querySelector('.box-says'))"
        ".map((e) => e.querySelector('.answer').textContent.replace('answer ', ''))"
    )
    assert answers
    assert chromium.run(SAYS) == [f"The program’s answer counts: {one}. The box says 11." for one in answers]
    assert chromium.console() == []


def test_small_charts_are_read_by_key_and_by_pointer(page: Chromium) -> None:
    chart = "#small-charts > div:nth-child(2) svg"
    page.press(chart, "\ue014", "\ue014")
    title = page.text("#small-charts > div:nth-child(2) figcaption")
    metrics = page.run("return page.data.runs[0].dense")
    said = page.run("return document.getElementById('readout').textContent")
    assert title.startswith("Mean reward")
    assert (
        said == f"RL step 2 Mean reward; seed 0 {float(format(metrics['metrics']['reward/mean'][1], '.4g'))}"
    )
    tip = page.run("return [document.getElementById('tip').hidden, document.getElementById('tip').innerText]")
    assert not tip[0]
    assert "seed 0" in tip[1]
    page.press(chart, "\ue00c")
    assert page.run("return document.getElementById('tip').hidden")
    page.run(
        "const e = document.querySelector(arguments[0]), box = e.getBoundingClientRect();"
        "e.dispatchEvent(new PointerEvent('pointermove', {clientX: box.right - 9, clientY: box.top + 40}))",
        chart,
    )
    assert page.text("#tip").startswith("RL step 48")
