"""A headline over arms: winners counted by arm and by run, medians over arms, the null model beside them."""

import json
import re
from pathlib import Path
from statistics import median

import pytest

from echochamber.analysis import completions
from echochamber.analysis.arm_outcomes import ArmOutcome, Spread, spreads, tally
from echochamber.analysis.arm_words import (
    arm_certainty,
    arm_null_sentence,
    arm_score_sentences,
    arms_sentence,
    moves,
    null_sentence,
)
from echochamber.analysis.format_display import format_displays
from echochamber.analysis.headline import Tile
from echochamber.analysis.null_model import null_end
from echochamber.analysis.number_text import percent
from echochamber.analysis.report import build_report
from echochamber.analysis.runs import find_runs
from echochamber.analysis.study_folder import load_study
from echochamber.analysis.summary import study_summary

TITLES = format_displays({})


def outcome(
    name: str,
    winners: tuple[str, ...],
    after: float,
    accuracy: tuple[float, float, tuple[float, float]],
    null: tuple[tuple[str, ...], float] | None = None,
) -> ArmOutcome:
    """An arm with the share of its winner and its accuracy; `null`: its winners and its share."""
    before, end, change = accuracy
    around = {"before_interval": None, "after_interval": None, "step": 8}
    share = Tile("share", 0.3, after, **around, winners=winners, null_after=null[1] if null else None)
    scored = Tile("accuracy", before, end, **around, change_interval=change)
    return ArmOutcome(
        ("mix", "nano", name), tuple(range(len(winners))), [share, scored], null[0] if null else ()
    )


ARMS = [
    outcome("a", ("omi1", "omi1"), 0.98, (0.4, 0.6, (0.1, 0.3)), (("omi1", "tinygsm"), 0.9)),
    outcome("b", ("omi1", "omi1"), 0.96, (0.4, 0.3, (-0.2, -0.05)), (("omi1", "omi1"), 0.7)),
    outcome("c", ("tinygsm", "tinygsm"), 0.6, (0.4, 0.5, (-0.1, 0.2))),
    outcome("d", ("tinygsm", "omi1"), 0.5, (0.4, 0.7, (0.2, 0.4)), (("omi1", "omi1"), 0.4)),
    ArmOutcome(("mix", "nano", "e"), (0, 1), []),
]


def test_winners_are_counted_by_arm_and_by_run() -> None:
    found = tally(ARMS)
    assert (found.arms, found.evaluated, found.runs) == (5, 4, 8)
    assert found.by_arm == {"omi1": 2, "tinygsm": 1}
    assert found.by_run == {"omi1": 5, "tinygsm": 3}
    assert (found.differ, found.collapsed) == (1, 2)
    # Arm c has no null model; of the other six runs a's seed 1 and d's seed 0 end with another winner.
    assert (found.null_agrees, found.null_runs) == (4, 6)


def test_numbers_over_arms_are_medians_with_their_range() -> None:
    share, accuracy = spreads(ARMS)
    assert (share.arms, share.after, share.null_after) == (4, pytest.approx(0.78), 0.7)
    assert (accuracy.before, accuracy.after) == (0.4, pytest.approx(0.55))
    assert (accuracy.least, accuracy.most) == (0.3, 0.7)
    assert accuracy.moves == {"up": 2, "down": 1, "unclear": 1}
    assert moves(accuracy) == "rose in 2 arms, fell in 1, did not clearly change in 1"


def test_k_over_arms_is_the_one_that_most_arms_have() -> None:
    cells = {"before_interval": None, "after_interval": None, "step": 8}
    rows = [Tile("pass@k", 0.5, after, **cells, k=k) for after, k in ((0.6, 8), (0.8, 8), (0.9, 16))]
    found = spreads([ArmOutcome(("", "", str(i)), (0,), [tile]) for i, tile in enumerate(rows)])
    assert [(one.k, one.arms, one.after) for one in found] == [(8, 2, pytest.approx(0.7))]


def test_sentences_speak_of_every_arm() -> None:
    found = tally(ARMS)
    assert arms_sentence(found, TITLES) == (
        "After RL, code block with output (omi1) is the most used format in 2 of 4 evaluated arms, "
        "Python function (tinygsm) in 1. In 1 the seeds differ."
    )
    assert arm_score_sentences(found, spreads(ARMS)) == (
        "One format has at least 90% of the answers in 2 of 4 arms. "
        "Accuracy (pass@1) rose in 2 arms, fell in 1, did not clearly change in 1."
    )
    assert arm_null_sentence(found, spreads(ARMS)[0]) == (
        "A bandit on formats alone has the same winner in 4 of 6 runs. "
        "It ends at 70% where the arms end at 78% (medians of the winner’s share)."
    )
    said = arm_certainty(ARMS, found, TITLES)
    assert "There are 8 finished runs, 2 seeds an arm." in said
    assert "Of 5 arms 1 are not evaluated yet." in said


@pytest.mark.parametrize(
    ("winners", "said"),
    [
        ((("omi1",), ("omi1",), ("omi1",)), "(omi1) is the most used format in all 3 arms."),
        ((("omi1",), ("omi1",)), "(omi1) is the most used format in both arms."),
        ((("omi1", "omi2"), ("omi2", "omi1")), "In none of 2 arms did the seeds end with the same"),
        (
            (("omi1",), ("omi1",), ("omi2",), ("tinygsm",), ("gsm8k",), ("other",)),
            "in 2 of 6 arms, prose with a boxed answer (omi2) in 1, Python function (tinygsm) in 1, "
            "another one in 2.",
        ),
    ],
)
def test_the_headline_over_arms_claims_what_was_counted(
    winners: tuple[tuple[str, ...], ...], said: str
) -> None:
    arms = [outcome(str(i), names, 0.9, (0.4, 0.5, (0, 0.2))) for i, names in enumerate(winners)]
    assert said in arms_sentence(tally(arms), TITLES)


def test_the_null_model_is_read_at_the_evaluated_step() -> None:
    path, steps = {"a": [0.2, 0.6, 0.9], "b": [0.8, 0.4, 0.1]}, [1, 4, 8]
    assert null_end(path, steps, 8) == {"a": 0.9, "b": 0.1}
    assert null_end(path, steps, 7) == {"a": 0.6, "b": 0.4}
    assert null_end(path, steps, 0) == {"a": 0.2, "b": 0.8}
    assert null_end(path, [], 8) == {}


def test_the_first_screen_has_the_null_models_number_beside_the_winners(study: Path, tmp_path: Path) -> None:
    page = build_report(study, tmp_path / "r.html").read_text()
    run = json.loads(page.split('id="data">')[1].split("</script>")[0])["runs"][0]
    null = run["null"]["omi1"][run["dense"]["step"].index(48)]
    first = page[page.index('id="finding"') : page.index('id="dynamics"')]
    assert f"null model <strong>{percent(null)}</strong>" in first
    final = study_summary(study)["final"]["formats"]["omi1"]["share"]
    assert f"brings the same format to {percent(null)}. RL brought it to {percent(final)}." in first
    assert null_sentence(Tile("share", 0.1, 0.9, None, None, 8, winners=("a",))) == ""


@pytest.mark.medium
def test_the_first_screen_of_several_arms_is_of_all(grid: Path, tmp_path: Path) -> None:
    page = build_report(grid, tmp_path / "r.html").read_text()
    first = page[page.index('id="finding"') : page.index('id="dynamics"')]
    assert "code block with output (omi1) is the most used format in both arms." in first
    assert "There are 6 finished runs, 3 seeds an arm." in first
    arms = study_summary(grid)["arms"]
    means = [
        sum(arm["final"]["accuracy"] for arm in arms if arm["mixture"] == mixture) / 3
        for mixture in ("tg_omi1_omi2", "tg_4xomi1")
    ]
    after = re.findall(r'<span class="to">([^<]+)</span>', first)
    assert after[1] == percent(median(means))
    assert "Accuracy (pass@1) rose in 2 arms." in first
    assert "at least 90% in 2 arms" in first
    assert re.search(r"A bandit on formats alone has the same winner in \d of 6 runs\.", first)


def test_a_spread_of_one_direction_reads_as_one_part() -> None:
    assert moves(Spread("accuracy", 1, 1, 0.1, 0.2, 0.2, 0.2, {"up": 1})) == "rose in 1 arm"


def data_of(page: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(page.split('id="data">')[1].split("</script>")[0])
    return found


@pytest.mark.medium
def test_a_page_of_very_many_arms_analyses_some_and_compares_all(
    arms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out costs no number of the first screen or of the comparison."""
    whole = build_report(arms, tmp_path / "whole.html").read_text()
    monkeypatch.setattr(completions, "MAX_COMPLETIONS", 3 * completions.RUN_COMPLETIONS)
    short = build_report(arms, tmp_path / "short.html").read_text()
    said = "The page carries analyses of 3 of the 14 arms, those whose completions it carries."
    assert (said in whole, said in short) == (False, True)
    assert (whole.count('<details class="arm"'), short.count('<details class="arm"')) == (14, 3)
    first = [page[page.index('id="finding"') : page.index('id="arms"')] for page in (whole, short)]
    assert first[0] == first[1]
    compared = [data_of(page)["arms"] for page in (whole, short)]
    assert compared[0] == compared[1]
    assert len(compared[0][0]) == 14  # type: ignore[index]


def test_stages_are_found_by_their_parents_in_the_studys_order(arms: Path) -> None:
    """As by a walk over all stages."""
    study = load_study(arms)
    for node in study.nodes:
        assert study.node(node.id) is node
        assert study.children(node.id) == [one for one in study.nodes if node.id in one.parents]
    runs = find_runs(study)
    assert len(runs) == 28
    for run in runs:
        assert run.rl is not None
        assert run.pretrain is not None
        own = [node.id for node in run.evaluations]
        assert own == [f"evaluate/{run.pretrain.id}", f"evaluate/{run.rl.id}"]
        assert [row["step"] for row in run.rows] == [0, 8, 48]
