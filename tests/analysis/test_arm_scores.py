"""Arms side by side: scores over seeds, formats over steps, in a terminal and on a page."""

import json
import re
from dataclasses import replace

import polars as pl
import pytest

from echochamber.analysis.arm_scores import accuracy_text, arm_scores
from echochamber.analysis.compare_page import save_compare_page
from echochamber.analysis.report import build_report
from echochamber.analysis.summary import study_summary
from echochamber.cli.arm_table import BARS, arm_table, bars, share_plot
from echochamber.cli.outcome import _first_arm


def test_an_arm_has_the_scores_of_the_summary(study):
    (arm,) = arm_scores(study)
    summary = study_summary(study)
    assert arm.base["accuracy"] == summary["base"]["accuracy"]
    assert arm.final["accuracy"] == summary["final"]["accuracy"]
    assert (arm.problem_set, arm.split) == (summary["final"]["problem_set"], summary["final"]["split"])
    assert arm.winner == summary["arms"][0]["winner"]


def test_seeds_are_averaged_and_arms_stay_apart(grid):
    arms = arm_scores(grid)
    assert [arm.mixture for arm in arms] == ["tg_omi1_omi2", "tg_4xomi1"]
    assert all(arm.seeds == (0, 1, 2) for arm in arms)
    rows = [row["final"]["accuracy"] for row in study_summary(grid)["arms"] if row["mixture"] == "tg_4xomi1"]
    assert arms[1].final["accuracy"] == pytest.approx(sum(rows) / 3)


def test_shares_of_each_step_add_up_to_one(grid):
    for arm in arm_scores(grid):
        assert arm.steps == len(next(iter(arm.shares.values()))) > 1
        for step in range(arm.steps):
            assert sum(path[step] for path in arm.shares.values()) == pytest.approx(1.0)


def test_bars_rise_with_the_share_and_fit_their_width():
    assert bars([0.0, 0.5, 1.0]) == "▁▅█"
    assert bars([index / 7 for index in range(8)]) == BARS
    assert bars([0.0] * 50 + [1.0] * 50, width=4) == "▁▁██"
    assert bars([]) == ""


def test_the_table_has_a_line_per_arm_with_intervals(grid):
    arms = arm_scores(grid)
    header, *rows = arm_table(arms)
    assert header.split()[:4] == ["arm", "mixture", "size", "seeds"]
    assert [row.split()[1] for row in rows] == ["tg_omi1_omi2", "tg_4xomi1"]
    assert accuracy_text(arms[0].final) in rows[0]
    assert accuracy_text(None) == "-"
    assert share_plot(arms[0])[0].split("  ")[0].strip() == arms[0].titles[arms[0].winner]


def test_the_page_has_every_arm_and_no_markup_of_a_study(grid, tmp_path):
    arms = [*arm_scores(grid), replace(arm_scores(grid)[0], study="<script>alert(1)</script>")]
    save_compare_page(arms, tmp_path / "deep" / "both.html")
    page = (tmp_path / "deep" / "both.html").read_text()
    assert page.count("<polyline") == 3
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page


def test_problems_of_a_file_have_a_name_and_no_split(copied, tmp_path):
    """Page, comparison and terminal name a file of problems without an empty split."""
    for place in copied.glob("artifacts/evaluate-*"):
        rows = json.loads((place / "summary.json").read_text())
        named = [row | {"problem_set": "test.jsonl", "split": ""} for row in rows]
        (place / "summary.json").write_text(json.dumps(named))
        for name in ("records", "problems"):
            table = pl.read_parquet(place / f"{name}.parquet")
            own = {"problem_set": pl.lit("test.jsonl"), "split": pl.lit("")}
            kept = {column: value for column, value in own.items() if column in table.columns}
            table.with_columns(**kept).write_parquet(place / f"{name}.parquet")
    page = build_report(copied, tmp_path / "report.html").read_text()
    assert "of the problem set test.jsonl, before and after RL" in page
    (arm,) = arm_scores(copied)
    assert (arm.problems, arm.split) == ("test.jsonl", "")
    save_compare_page([arm], tmp_path / "both.html")
    for text in (page, (tmp_path / "both.html").read_text(), "\n".join(_first_arm(arm))):
        assert "test.jsonl" in text
        assert not re.search(r"test\.jsonl(</code>)?,\s+split", text)
    assert f"problems of {arm.problems}" in _first_arm(arm)[0]
