"""From a study's artifacts to tables, and the ledger in the page."""

import json

import polars as pl
import pytest

from echochamber.analysis.report import build_report
from echochamber.analysis.study_tables.collect import collect
from echochamber.analysis.study_tables.half_floors import chance_pass
from echochamber.analysis.study_tables.open import open_tables
from echochamber.claims.judge import judge
from echochamber.claims.ledger import make_ledger, save_ledger
from echochamber.papers.echo_chamber.claim_set import CLAIMS, ECHO_CHAMBER
from echochamber.papers.page_ledger import page_ledger

from ..analysis.synthetic import make_study


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Three seeds of the synthetic study, its arm called as the claims call it."""
    folder = make_study(
        tmp_path_factory.mktemp("claims"), seeds=(0, 1, 2), problems=8, samples=64, checkpoints=(1, 8, 48)
    )
    path = folder / "study.json"
    study = json.loads(path.read_text().replace('"grpo"', '"ppo"'))
    study["recipe"] |= {"claims": [2, 3, 7], "sizes": ["nano-0.8m"], "evaluate": {"sets": ["easy"]}}
    study["recipe"]["rl"]["ppo"] = {
        "algorithm": "ppo",
        "prompts_per_step": 32,
        "samples_per_prompt": 8,
        "temperature": 1.0,
    }
    path.write_text(json.dumps(study))
    return folder


def test_tables_repeat_what_the_evaluations_say(judged):
    tables = collect(judged)
    scores = tables.frames["scores"]
    node = next(
        n
        for n in json.loads((judged / "study.json").read_text())["nodes"]
        if n["kind"] == "evaluate" and n["arm"] == "ppo" and n["seed"] == 1
    )
    for row in json.loads((judged / node["folder"] / "summary.json").read_text()):
        mine = scores.filter(
            (pl.col("arm") == "ppo") & (pl.col("seed") == 1) & (pl.col("step") == row["step"])
        )
        found = dict(mine.select("quantity", "value").rows())
        assert found["accuracy"] == row["accuracy"]
        assert found["maj@64"] == row["maj@k"]["64"]
        assert found["share/omi1"] == row["formats"]["omi1"]["share"]
        right = sum(value for name, value in found.items() if name.startswith("right/"))
        assert right == pytest.approx(row["accuracy"])
    assert tables.headline_set == "easy"
    assert tables.frames["runs"]["steps"].to_list() == [48] * 3


def test_greedy_shares_are_those_of_the_greedy_completions(judged):
    study = json.loads((judged / "study.json").read_text())
    node = next(n for n in study["nodes"] if (n["kind"], n["arm"], n["seed"]) == ("evaluate", "ppo", 1))
    records = pl.read_parquet(judged / node["folder"] / "records.parquet")
    last = records.filter((pl.col("sample") == -1) & (pl.col("step") == 48))
    scores = collect(judged).frames["scores"].filter((pl.col("arm") == "ppo") & (pl.col("seed") == 1))
    found = scores.filter((pl.col("step") == 48) & pl.col("quantity").str.starts_with("greedy_share/"))
    shares = {name.removeprefix("greedy_share/"): value for name, value in found["quantity", "value"].rows()}
    assert len(last)
    assert sum(shares.values()) == pytest.approx(1)
    for name, share in shares.items():
        assert share == (last["format"] == name).mean()


def test_chance_of_a_half_is_pass_at_k_on_the_answers_of_other_problems():
    """Two problems of one kind: the first's completions give the second's answer in one of four."""
    answers = {"a": ["7", "8", "7", "7"], "b": ["8", "8", "8", "8"]}
    rows = [
        {"problem_id": name, "family": "shop", "reference": {"a": "7", "b": "8"}[name], "answer": answer}
        for name, given in answers.items()
        for answer in given
    ]
    # Of four completions two are drawn: 1 - C(3,2)/C(4,2) = 1/2 for "a", and none of "b" says 7.
    assert chance_pass(pl.DataFrame(rows), 2) == pytest.approx(0.25)
    assert chance_pass(pl.DataFrame(rows), 5) is None


def test_two_halves_of_the_samples_average_to_the_whole(judged):
    tables = collect(judged)
    key = {"mixture": "tg_omi1_omi2", "arm": "ppo", "seed": 0, "step": 48, "k": 1}
    halves = tables.frames["halves"].filter(*[pl.col(name) == value for name, value in key.items()])["value"]
    whole = tables.frames["scores"].filter(
        (pl.col("arm") == "ppo")
        & (pl.col("seed") == 0)
        & (pl.col("step") == 48)
        & (pl.col("quantity") == "accuracy")
    )["value"]
    assert len(halves) == 2
    assert halves.mean() == pytest.approx(whole[0])
    # 64 samples leave 32 a half: pass@64 of a half is not known, so claim 4 is not judged on it.
    assert 64 not in tables.frames["halves"]["k"].to_list()
    assert "128" in judge(CLAIMS[4], tables).reason


def test_the_ledger_of_a_study_and_of_its_tables_are_one(judged, tmp_path):
    direct = make_ledger(open_tables(judged), ECHO_CHAMBER)
    save_ledger(direct, tmp_path)
    again = make_ledger(open_tables(tmp_path), ECHO_CHAMBER)
    assert [(line.verdict, line.reason) for line in again.lines] == [
        (line.verdict, line.reason) for line in direct.lines
    ]
    assert (
        judge(CLAIMS[3], again.tables).criteria[0].estimate
        == judge(CLAIMS[3], direct.tables).criteria[0].estimate
    )
    assert len(judge(CLAIMS[3], direct.tables).criteria[0].estimate.seeds) == 3


def test_an_unfinished_run_enters_no_verdict(judged, tmp_path):
    import shutil

    folder = shutil.copytree(judged, tmp_path / "study")
    node = next(
        n
        for n in json.loads((folder / "study.json").read_text())["nodes"]
        if n["kind"] == "evaluate" and n["arm"] == "ppo" and n["seed"] == 2
    )
    (folder / node["folder"] / "manifest.json").unlink()
    tables = collect(folder)
    assert sorted(tables.frames["runs"]["seed"].to_list()) == [0, 1]
    assert judge(CLAIMS[3], tables).verdict == "inconclusive"


@pytest.mark.medium
def test_the_page_shows_the_claims_that_the_recipe_names(judged):
    page = build_report(judged, ledger=page_ledger).read_text()
    assert "Claims and their verdicts" in page
    assert CLAIMS[3].statement in page
    assert CLAIMS[1].statement not in page
    assert "no record of the criteria" in page


def test_chance_beyond_the_pretraining_is_read_from_the_further_evaluation(judged, tmp_path):
    import shutil

    folder = shutil.copytree(judged, tmp_path / "study")
    study = json.loads((folder / "study.json").read_text())
    for node in [n for n in study["nodes"] if n["kind"] == "evaluate" and n["seed"] == 1]:
        copy = node | {
            "id": node["id"].replace("evaluate/", "evaluate@beyond/"),
            "evaluation": "beyond",
            "folder": node["folder"] + "beyond",
        }
        shutil.copytree(folder / node["folder"], folder / copy["folder"])
        path = folder / copy["folder"] / "records.parquet"
        pl.read_parquet(path).with_columns(problem_set=pl.lit("beyond")).write_parquet(path)
        path = folder / copy["folder"] / "summary.json"
        path.write_text(json.dumps([row | {"problem_set": "beyond"} for row in json.loads(path.read_text())]))
        study["nodes"].append(copy)
    (folder / "study.json").write_text(json.dumps(study))
    found = collect(folder).frames["findings"]
    own, beyond = (found.filter(pl.col("analysis") == name) for name in ("floors", "floors/beyond"))
    assert (own["seed"].unique().to_list(), beyond["seed"].unique().to_list()) == ([0, 1, 2], [1])
    assert dict(beyond.select("item", "value").rows()) == dict(
        own.filter(pl.col("seed") == 1).select("item", "value").rows()
    )
    assert any("chance" in item for item in beyond["item"])
