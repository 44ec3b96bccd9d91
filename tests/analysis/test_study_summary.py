"""summary.json of a study whose true shares are known."""

import json
from pathlib import Path

import pytest

from echochamber.analysis.format_display import format_displays
from echochamber.analysis.headline import Tile, tiles
from echochamber.analysis.number_text import bounds, percent
from echochamber.analysis.page_words import main_sentence, seed_winners
from echochamber.analysis.questions.score_changes import paired_changes
from echochamber.analysis.run_inputs import load_groups
from echochamber.analysis.runs import find_runs, problem_sets
from echochamber.analysis.study_folder import load_study
from echochamber.analysis.summary import study_summary, summarise_study
from echochamber.stats.intervals import t_interval

from .synthetic import ACCURACY, FORMATS, START, shares_at


def test_truth_lies_within_the_intervals(study: Path) -> None:
    summary = study_summary(study)
    for i, name in enumerate(FORMATS):
        low, high = summary["base"]["intervals"]["formats"][name]["share"]
        assert low - 0.03 < START[i] < high + 0.03
        assert summary["final"]["formats"][name]["share"] == pytest.approx(shares_at(48)[i], abs=0.03)
    assert summary["base"]["accuracy"] == pytest.approx(float(START @ ACCURACY), abs=0.06)


def test_contract_of_the_file(study: Path) -> None:
    summary = study_summary(study)
    for end in ("base", "final"):
        assert {"accuracy", "greedy_accuracy", "pass@k", "maj@k", "formats", "intervals"} <= set(summary[end])
        assert set(summary[end]["pass@k"]) == {"1", "2", "4", "8"}
        assert sum(cell["share"] for cell in summary[end]["formats"].values()) == pytest.approx(1)
    assert summary["stages"] == {
        "tokenizer": 2.0,
        "problems": 1.0,
        "shards": 8.5,
        "pretrain": 170.2,
        "rl": 140.9,
        "evaluate": 81.0,
    }
    assert summary["total_seconds"] == pytest.approx(403.6)
    assert (summary["base"]["step"], summary["final"]["step"]) == (0, 48)
    assert summary["missing"] == []
    json.dumps(summary, allow_nan=False)


def test_several_seeds_are_averaged_with_student_t(grid: Path) -> None:
    summary = study_summary(grid)
    assert summary["averaged_over"]["seeds"] == [0, 1, 2]
    assert summary["averaged_over"]["interval"] == "student_t_over_seeds"
    each = [arm["base"]["accuracy"] for arm in summary["arms"] if arm["mixture"] == "tg_omi1_omi2"]
    assert summary["base"]["accuracy"] == pytest.approx(sum(each) / 3)
    assert summary["base"]["intervals"]["accuracy"] == pytest.approx(t_interval(each))
    assert len(summary["arms"]) == 6
    assert {arm["winner"] for arm in summary["arms"]} == {"omi1"}


def test_a_format_that_died_in_one_seed_has_no_mean_accuracy(grid: Path) -> None:
    final = study_summary(grid)["final"]
    assert final["formats"]["omi2"]["share"] == pytest.approx(0, abs=0.02)
    assert final["formats"]["metamath"]["accuracy"] is None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0.3, 0.97, "onto one format"),
        (0.3, 0.6, "the largest share belongs to"),
        (0.95, 0.99, "already used one format"),
    ],
)
def test_headline_claims_no_more_than_happened(before: float, after: float, said: str) -> None:
    cells = {"before_interval": [before, before], "after_interval": [after, after], "step": 8}
    shown = [
        Tile("share", before, after, **cells, winners=("omi1",)),
        Tile("accuracy", before, after, **cells),
    ]
    sentence = main_sentence(shown, None, format_displays({}))
    assert said in sentence
    assert "code block with output (omi1)" in sentence


def test_the_headline_and_the_table_of_gains_judge_a_change_alike(study: Path, grid: Path) -> None:
    """Each problem (or seed) is its own control: two intervals that overlap may belong to a clear change."""
    for folder in (study, grid):
        loaded = load_study(folder)
        runs = find_runs(loaded)
        chosen = problem_sets(runs)[0]
        changes = paired_changes(load_groups(loaded, runs, chosen)[0].inputs, chosen[0])
        found = {tile.measure: tile for tile in tiles(summarise_study(loaded, runs), runs, chosen, changes)}
        assert found["accuracy"].change_interval == changes["accuracy"]
        assert found["accuracy"].direction == "up"
    overlapping = {"before_interval": [0.1, 0.4], "after_interval": [0.3, 0.6], "step": 8}
    assert Tile("accuracy", 0.2, 0.4, **overlapping).direction == "unclear"
    assert Tile("accuracy", 0.2, 0.4, **overlapping, change_interval=(0.1, 0.3)).direction == "up"
    assert Tile("accuracy", 0.4, 0.2, **overlapping, change_interval=(-0.3, -0.1)).direction == "down"
    assert Tile("accuracy", 0.4, 0.2, **overlapping, change_interval=(-0.3, 0.1)).direction == "unclear"


def test_words_for_numbers() -> None:
    assert [percent(v) for v in (0.574, 0.9961, 1.0, 0.004, 0.0, None)] == [
        "57%",
        "99.6%",
        "100%",
        "0.4%",
        "0%",
        "–",
    ]
    assert bounds([0.31, 0.367]) == "31–37%"
    assert bounds(None) == "no interval"
    assert seed_winners(["omi1", "tinygsm", "omi1"]) == "omi1 in 2 seeds, tinygsm in 1"
