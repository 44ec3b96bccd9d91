"""Questions of the page: identifiers inside, words where a row is shown or stored."""

from pathlib import Path

import polars as pl

from echochamber.analysis.findings import QUESTIONS, findings
from echochamber.analysis.questions.estimates import of_every_run
from echochamber.analysis.questions.first_errors import FLIPS
from echochamber.analysis.questions.forecasts import OBSERVED, forecast_id, forecast_table
from echochamber.analysis.questions.likelihood import QUANTITIES
from echochamber.analysis.questions.training_free import method_label
from echochamber.analysis.run_inputs import load_groups
from echochamber.analysis.runs import find_runs, problem_sets
from echochamber.analysis.study_folder import load_study
from echochamber.core.study_tables import FORECASTS

COMMITTED = Path(__file__).parents[2] / "results" / "paper-nano"


def test_each_table_has_a_name_of_its_own_and_full_rows(grid: Path) -> None:
    study = load_study(grid)
    runs = find_runs(study)
    chosen = problem_sets(runs)[0]
    groups = load_groups(study, runs, chosen)
    assert [[one.run.seed for one in group.inputs] for group in groups] == [[0, 1, 2], [0, 1, 2]]
    blocks = findings(study, groups, chosen[0])
    assert [block.label for block in blocks] == [group.label for group in groups]
    for block in blocks:
        names = [table.name for table in block.tables]
        assert len(set(names)) == len(names) <= len(QUESTIONS)
        assert {"score_changes", "selection_or_skill", "coverage", "forecasts", "format_dynamics"} <= set(
            names
        )
        for table in block.tables:
            assert table.question.endswith("?")
            assert {len(row) for row in table.rows} == {len(table.columns)}
            assert all(cell.link is None or cell.known for row in table.rows for cell in row)


def test_a_question_is_asked_of_every_run_or_of_none(grid: Path) -> None:
    study = load_study(grid)
    runs = find_runs(study)
    inputs = load_groups(study, runs, problem_sets(runs)[0])[0].inputs
    table = pl.DataFrame({"value": [0.5]})
    assert len(of_every_run(inputs, lambda one: table)) == 3
    assert of_every_run(inputs, lambda one: table if one.run.seed else None) == []
    assert of_every_run(inputs, lambda one: table if one.run.seed else table.clear()) == []


def test_stored_names_are_those_of_the_committed_tables() -> None:
    """Words on the page may change; items of committed tables are looked up by the names they carry."""
    formats = ["tinygsm", "omi1"]
    rows = {"problem_id": ["a", "b"], "format": formats, "num": [4, 4], "right": [1, 3]}
    counted = pl.concat([pl.DataFrame(rows).with_columns(step=pl.lit(step)) for step in (0, 5)])
    made = forecast_table(counted, 5, formats, kl_weight=None, bandit_seeds=2)
    stored = pl.read_parquet(COMMITTED / "forecasts.parquet")["forecast"]
    assert set(made["forecast"]) == set(stored) == set(FORECASTS)
    assert forecast_id(made.row(0, named=True)) == OBSERVED
    items = pl.read_parquet(COMMITTED / "findings.parquet")
    baselines = set(items.filter(analysis="baselines")["item"])
    for model in ("base", "rl"):
        assert {method_label(model, "sample", ""), method_label(model, "greedy", "")} <= baselines
    errors = items.filter(analysis="errors")["item"]
    assert {item.split("/")[0] for item in errors} == set(FLIPS)
    written = {item.split(": ", 1)[1] for item in items.filter(analysis="likelihood")["item"]}
    assert written <= set(QUANTITIES.values())
