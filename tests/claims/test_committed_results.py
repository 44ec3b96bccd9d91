"""The committed results: README quotes the page, and the tables give the committed verdicts again."""

import re
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from echochamber.analysis.study_tables.open import open_tables
from echochamber.claims.ledger import make_ledger, save_ledger
from echochamber.papers.echo_chamber.claim_set import ECHO_CHAMBER

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "results" / "paper-nano"
INTERVAL = re.compile(r"-?\d+\.\d+ \[-?\d+\.\d+ to -?\d+\.\d+\]")
LINKED = re.compile(rf"\[({INTERVAL.pattern})\]\(docs/RESULTS\.md#([\w-]+)\)")
VERDICTS = {
    "supported": "supported",
    "contradicted": "contradicted",
    "inconclusive": "inconclusive",
    "not testable here": "not run",
}
"""A verdict, and the README's word for it."""


@pytest.fixture(scope="module")
def first_screen() -> str:
    return (ROOT / "README.md").read_text().split("\n## ")[0]


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "RESULTS.md").read_text()


def test_every_interval_of_the_first_screen_stands_in_the_section_that_it_links(first_screen, page):
    quoted = INTERVAL.findall(first_screen)
    linked = LINKED.findall(first_screen)
    assert len(quoted) >= 3
    assert [number for number, _ in linked] == quoted
    for number, anchor in linked:
        assert number in section(page, anchor), number


def section(page: str, anchor: str) -> str:
    """The text under the heading that GitHub would give this anchor."""
    parts = re.split(r"^#+ ", page, flags=re.MULTILINE)
    (found,) = [
        part
        for part in parts
        if re.sub(r"[^\w\- ]", "", part.split("\n")[0].lower()).replace(" ", "-") == anchor
    ]
    return found


def test_the_page_of_version_1_says_that_it_is_exploration_and_why(page):
    told = section(page, "this-page-is-exploration")
    assert page.index("## This page is exploration") < page.index("## Ledger")
    assert "no verdict below counts as confirmed" in told
    for fault in ("not neutral", "60, 77 and 90 tokens", "30 of 30 pairs", "three equal seeds"):
        assert fault in told


def test_readme_and_page_count_the_verdicts_of_the_table(first_screen, page):
    claims = (
        pl.read_csv(TABLES / "ledger.csv", infer_schema_length=None)
        .group_by("claim")
        .agg(pl.col("verdict").first())
    )
    counts = dict(claims["verdict"].value_counts().iter_rows())
    assert sum(counts.values()) == 22
    for verdict, word in VERDICTS.items():
        assert f"{counts.get(verdict, 0)} {verdict}" in page
        assert (
            (f"{counts[verdict]} {word}" in first_screen)
            if verdict in counts
            else (f" {word}" not in first_screen)
        )


def test_the_committed_tables_give_the_committed_lines(tmp_path):
    save_ledger(make_ledger(open_tables(TABLES), ECHO_CHAMBER), tmp_path)
    for name in ("ledger.csv", "estimates.csv"):
        again, committed = (
            pl.read_csv(folder / name, infer_schema_length=None) for folder in (tmp_path, TABLES)
        )
        assert_frame_equal(again, committed, rel_tol=1e-9, abs_tol=1e-12)
        assert committed["claim"].n_unique() >= 20
