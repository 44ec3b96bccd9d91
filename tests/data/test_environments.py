"""Sets of reasoning-gym and environments of a module: names, splits, seeds, scores and a whole study."""

import json

import pytest

pytest.importorskip("reasoning_gym", reason="extra [gym]")

from echochamber.core import environments
from echochamber.core.environments import parse_gym_name, register_environment, with_options
from echochamber.core.errors import UserError
from echochamber.core.metrics import read_metrics
from echochamber.core.types import Completion, Problem
from echochamber.data.environments import environment_identity, environment_problems
from echochamber.rl.config import RLProblems
from echochamber.rollout.rewards import reward_of
from echochamber.stages.prepare import prepare_environment, read_problems
from echochamber.study.recipe import load_recipe
from echochamber.study.run import run_recipe
from echochamber.study.stage_inputs import problem_source
from echochamber.verify.environment_scores import tagged_answer
from echochamber.verify.grade import Grader
from tests.study.test_traits import SMALLER

SUM = "gym:chain_sum"


def test_names_and_options():
    assert parse_gym_name("gym:chain_sum?max_terms=3&p=0.5") == ("chain_sum", {"max_terms": 3, "p": 0.5})
    name = RLProblems.parse({"set": SUM, "count": 8, "min_terms": 2, "max_terms": 3}, "problems").set
    assert name == "gym:chain_sum?max_terms=3&min_terms=2" == with_options(name, {})
    words = with_options(SUM, {"words": ["a&b", "c"]})
    assert parse_gym_name(words).options == {"words": ["a&b", "c"]}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gym:chain_sums", r"no set 'chain_sums' \(did you mean 'chain_sum'\?\); there are .*chain_sum"),
        (
            "gym:chain_sum?max_term=3",
            r"no option 'max_term' \(did you mean 'max_terms'\?\); there are .*max_digits",
        ),
        ("gym:chain_sum?min_terms=9&max_terms=3", "refuses these options: .*there are"),
        ("gym:chain_sum?seed=3", "'seed' is no option; the study's 'data_seed'"),
        ("gym:chain_sum?max_terms", "expected gym:NAME or gym:NAME"),
        ("env:none", "'none' is not registered by a module"),
    ],
)
def test_what_is_refused(name, said):
    with pytest.raises(UserError, match=said) as caught:
        problem_source(load_recipe("smoke"), name, "train", 8)
    assert "\n" not in str(caught.value)


@pytest.mark.medium
def test_problems_are_seeded_and_splits_share_none():
    sets = {split: environment_problems(SUM, split, 60, 0) for split in ("train", "dev", "test")}
    questions = [problem.question for problems in sets.values() for problem in problems]
    assert len(set(questions)) == 180
    assert environment_problems(SUM, "train", 60, 0) == sets["train"]
    assert environment_problems(SUM, "train", 60, 1) != sets["train"]
    again = Problem.from_json(json.loads(json.dumps(sets["test"][0].to_json())))
    assert again == sets["test"][0]
    assert again.problem_set == "gym-chain_sum"
    with pytest.raises(UserError, match=r"different questions in split 'test'; 5,?000 were asked for"):
        environment_problems(
            "gym:chain_sum?min_terms=2&max_terms=2&min_digits=1&max_digits=1", "test", 5000, 0
        )


def test_the_fingerprint_has_the_version():
    found = environment_identity("gym:chain_sum?max_terms=3")
    assert found["options"] == {"max_terms": 3}
    assert str(found["version"]).count(".") == 2
    recipe = load_recipe("smoke")
    one, two = (problem_source(recipe, name, "train", 8).spec for name in (SUM, f"{SUM}?max_terms=3"))
    assert one.fingerprint != two.fingerprint


@pytest.mark.medium
def test_scores_are_those_of_the_library():
    problem = environment_problems(SUM, "test", 1, 0)[0]
    right, wrong = problem.reference, str(int(problem.reference) + 1)
    with Grader() as grader:
        texts = [
            f"<answer>{wrong}</answer> no, <answer>{right}</answer>",
            f"The answer is {right}.",
            f"def simple_math_problem() -> int:\n    result = {right}\n    return result\n",
            f"<answer>{wrong}</answer>",
            "I do not know",
        ]
        verdicts = grader.grade_batch([(problem, text) for text in texts])
    assert [verdict.outcome for verdict in verdicts] == [
        "correct",
        "correct",
        "correct",
        "wrong",
        "no_answer",
    ]
    assert [verdict.score for verdict in verdicts][:3] == [1.0] * 3
    assert verdicts[3].score < 1
    reward = reward_of("score")
    earned = reward.of(problem, Completion("", (), (), False), verdicts[3], [0.5])
    assert earned.total == verdicts[3].score
    assert tagged_answer("<answer>a</answer><answer> b\n</answer>") == "b"
    assert tagged_answer("<answer>a") is None


@pytest.mark.parametrize("name", ["countdown"])
@pytest.mark.medium
def test_an_answer_that_is_code_harms_nothing(name, tmp_path):
    """These scores evaluate the answer as Python or sympy text."""
    problem = environment_problems(f"gym:{name}", "test", 1, 0)[0]
    mark = tmp_path / "mark"
    attack = f"__import__('os').system('touch {mark}')"
    with Grader() as grader:
        attacked, loop, own = grader.grade_batch(
            [(problem, f"<answer>{text}</answer>") for text in (attack, "9**9**9**9", problem.reference)]
        )
    assert not mark.exists()
    assert attacked.outcome == "wrong"
    assert loop.outcome == "wrong"
    assert own.outcome == "correct"


def test_an_environment_of_a_module(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "_REGISTRY", {})

    def rows(split, count, seed):
        return [{"question": f"{split} {seed + i}?", "answer": i, "spare": {3, 1}} for i in range(count)]

    register_environment("digits", rows, lambda text, row: 1.0 if str(row["answer"]) in text else 0.25)
    prepare_environment("env:digits", "train", 3, 5, tmp_path)
    problems = read_problems(tmp_path)
    assert [p.question for p in problems] == ["train 5?", "train 6?", "train 7?"]
    with Grader() as grader:
        verdicts = grader.grade_batch([(problems[2], "it is 2"), (problems[2], "it is 3")])
    assert [(v.outcome, v.score) for v in verdicts] == [("correct", 1.0), ("wrong", 0.25)]
    register_environment("strict", rows, lambda text, row: 0.0)
    with pytest.raises(UserError, match="the score of its own answer '0' is 0, not 1"):
        prepare_environment("env:strict", "train", 3, 0, tmp_path)
    register_environment("untidy", lambda *_: [{"question": " "}], lambda text, row: 0.0)
    with pytest.raises(UserError, match="task 0 has no text as 'question'"):
        environment_problems("env:untidy", "train", 1, 0)
    with pytest.raises(UserError, match="registered already"):
        register_environment("strict", rows, lambda text, row: 0.0)


@pytest.mark.slow
def test_a_study_on_reasoning_gym(tmp_path):
    overrides = [
        *SMALLER,
        "grid.include=[{rl: grpo}]",
        f"rl.grpo.problems={{set: '{SUM}', count: 6, max_terms: 3}}",
        "rl.grpo.reward={score: 1.0, correct: 0.0}",
        f"evaluate.sets=['{SUM}?max_terms=3']",
        "evaluate.count=6",
        "pretrain.max_positions=512",
    ]
    run_recipe(load_recipe("smoke", overrides), tmp_path)
    study = json.loads((tmp_path / "study.json").read_text())
    (node,) = [node for node in study["nodes"] if node["kind"] == "rl"]
    row = read_metrics(tmp_path / node["folder"] / "metrics.jsonl")[0]
    assert 0 <= row["reward/part/correct"] <= row["reward/part/score"] <= 1
    assert row["grader/infrastructure"] == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["averaged_over"]["problem_set"] == "gym:chain_sum?max_terms=3"
    assert summary["missing"] == []
