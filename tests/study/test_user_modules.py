"""A user's own formats and rewards: a file named in the recipe, or given to `grade`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from echochamber.cli.app import app
from echochamber.core import formats
from echochamber.core.artifacts import Store
from echochamber.core.errors import UserError
from echochamber.core.types import Completion, Problem, Verdict
from echochamber.rollout import rewards
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe
from echochamber.study.status import StudyStatus
from echochamber.study.user_modules import load_user_modules
from echochamber.verify.grade import Grader

MODULE = """
from echochamber.core.formats import Format, register_format
from echochamber.rollout.rewards import register_reward

register_format(Format("shout", lambda text: text.startswith("ANSWER!"), "stated"))
register_reward("loud", lambda verdict, draw: float(verdict.format == "shout"))
"""


def _earned(name: str, verdict: Verdict, draw: float = 0.0) -> float | None:
    problem, completion = Problem("1", "", "18"), Completion("18", (1,), (0.0,), truncated=False)
    return rewards.reward_row(name).of(problem, completion, verdict, [draw]).total


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module's file; what it registers is forgotten after the test."""
    monkeypatch.setattr(formats, "_REGISTRY", dict(formats._REGISTRY))
    monkeypatch.setattr(rewards, "_REGISTRY", dict(rewards._REGISTRY))
    path = tmp_path / "own.py"
    path.write_text(MODULE)
    return path


def test_a_recipe_brings_its_own_format_and_reward(own: Path, tmp_path: Path) -> None:
    overrides = [f"modules=[{own}]", "rl.grpo.reward=loud"]
    graph = build_graph(load_recipe("smoke", overrides), Store(tmp_path / "artifacts"))
    build_graph(load_recipe("smoke", overrides), Store(tmp_path / "artifacts"))
    with Grader() as grader:
        verdict = grader.grade(Problem(id="1", question="", reference="18"), "ANSWER! the answer is 18")
    assert (verdict.format, verdict.answer, verdict.outcome) == ("shout", "18", "correct")
    assert _earned("loud", verdict) == 1.0
    assert _earned("format:shout", verdict) == 1.0
    plain = build_graph(load_recipe("smoke", ["rl.grpo.reward=loud"]), Store(tmp_path / "artifacts"))
    changed = {
        name.split("/")[0]
        for name in graph.nodes
        if graph.nodes[name].spec.fingerprint != plain.nodes[name].spec.fingerprint
    }
    assert changed == {"rl", "evaluate", "probe", "forecast"}


@pytest.mark.parametrize(("text", "said"), [("1 / 0", "ZeroDivisionError"), ("def", "SyntaxError")])
def test_a_module_that_fails_is_named_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    for _ in range(2):
        with pytest.raises(UserError, match=said) as caught:
            load_user_modules([str(path)])
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such Python file"):
        load_user_modules([str(tmp_path / "none.py")])


def test_grade_takes_a_module(own: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        json.dumps({"id": "1", "completion": "ANSWER! the answer is 18", "reference": "18"}) + "\n"
    )
    arguments = [
        "grade",
        "--in",
        str(tmp_path / "in.jsonl"),
        "--out",
        str(tmp_path / "out.jsonl"),
        "--module",
        str(own),
    ]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert json.loads((tmp_path / "out.jsonl").read_text())["format"] == "shout"


def test_study_json_lists_own_formats_with_their_titles_in_order(own: Path, tmp_path: Path) -> None:
    own.write_text(MODULE.replace('"stated"', '"stated", title="a shouted answer"'))
    overrides = [f"modules=[{own}]", "behaviours.quoted.of=omi2", "behaviours.quoted.contains=x"]
    graph = build_graph(load_recipe("smoke", overrides), Store(tmp_path / "artifacts"))
    assert StudyStatus(tmp_path, graph).to_json()["own_formats"] == [
        {"name": "shout", "title": "a shouted answer"},
        {"name": "quoted", "title": "prose with a boxed answer containing 'x'"},
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'register_format(Format("mute", lambda text: True, "spoken"))',
            r"'mute': answer_rule 'spoken' is not known",
        ),
        (
            'register_format(Format("mute", lambda text: text[0] == "A", "stated"))',
            r"'mute': IndexError.*line 5.*''",
        ),
        (
            'register_reward("broken", lambda verdict, draw: len(verdict.answer))',
            r"'broken': TypeError.*line 5.*'no_answer'",
        ),
        (
            'register_reward("words", lambda verdict, draw: verdict.format)',
            r"'words' returned 'tinygsm'.*finite number",
        ),
        (
            'register_reward("odd", lambda verdict, draw: draw and float("nan"))',
            r"'odd' returned nan.*draw 0\.500",
        ),
    ],
)
def test_what_would_fail_after_training_is_refused_at_load(own: Path, line: str, said: str) -> None:
    """Nothing of it stays registered, so that the mended file loads."""
    before = formats.registered_formats().keys(), rewards.registered_rewards().keys()
    own.write_text(f"{MODULE}\n{line}\n".removeprefix("\n").replace("\n\n", "\n"))
    for _ in range(2):
        with pytest.raises(UserError, match=said) as caught:
            load_user_modules([str(own)])
        assert str(own) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert (formats.registered_formats().keys(), rewards.registered_rewards().keys()) == before
    own.write_text(MODULE)
    load_user_modules([str(own)])
    assert "shout" in formats.registered_formats()


def test_a_reward_that_fails_in_training_names_itself(own: Path) -> None:
    rewards.register_reward("late", lambda verdict, draw: 1.0 if draw < 0.9 else 1 / 0)
    assert _earned("late", Verdict("other", None, "wrong"), 0.5) == 1.0
    with pytest.raises(UserError, match=r"'late': ZeroDivisionError.*'other'.*'wrong'.*0\.950"):
        _earned("late", Verdict("other", None, "wrong"), 0.95)


def test_a_grader_refuses_a_format_without_a_rule(own: Path) -> None:
    formats.register_format(formats.Format("mute", lambda text: True, "spoken"))
    with pytest.raises(UserError, match=r"'mute': answer_rule 'spoken'.*there are function"):
        Grader()
