"""Background text: numbers and words, but no solution in a tracked format."""

import re

from echochamber.core.formats import classify
from echochamber.data.background import background_text
from echochamber.data.source_config import SourceConfig
from echochamber.data.world import WorldConfig, draw_problem, problem_set

WORLD = WorldConfig()


def texts(kind: str, count: int) -> list[str]:
    return [background_text(kind, SourceConfig(), WORLD, 3, index) for index in range(count)]


def test_no_document_is_in_a_tracked_format() -> None:
    for kind in ("prose", "programs", "background"):
        for text in texts(kind, 200):
            assert classify(text) == "other", text
            assert "####" not in text
            assert "answer is" not in text


def test_prose_is_true() -> None:
    found = 0
    for text in texts("prose", 200):
        for left, op, right, value in re.findall(r"(?<![\d=] )\b(\d+) ([-+*/]) (\d+) = (\d+)\b", text):
            found += 1
            assert eval(f"{left} {op} {right} == {value}"), text
        for first, second, total in re.findall(r"sum of (\d+) and (\d+) is (\d+)", text):
            assert int(first) + int(second) == int(total)
    assert found > 100


def test_background_is_half_programs() -> None:
    code = sum(
        bool(re.search(r"print\(|assert|return|::|theorem", text)) for text in texts("background", 200)
    )
    assert code == 100
    assert texts("background", 20) == texts("background", 20)


def test_planted_problems_come_from_the_overlap_set_only() -> None:
    world = WorldConfig(families=["collect", "tank"], operations=(1, 3), number_words=0)
    config = SourceConfig(planted=5, planted_share=0.5)
    documents = [background_text("prose", config, world, 0, index) for index in range(60)]
    questions = {problem.question for problem in problem_set(world, "overlap", "test", 5, 0)}
    mentioned = {
        text.split("\n")[0].removeprefix("Exercise. ") for text in documents if text.startswith("Exercise.")
    }
    assert mentioned == questions
    assert 15 < sum(text.startswith("Exercise.") for text in documents) < 45
    assert all(classify(text) == "other" for text in documents)


def test_exercises_are_training_problems_of_their_own_with_right_calculations() -> None:
    config = SourceConfig(exercises=0.5)
    documents = [background_text("prose", config, WORLD, 3, index) for index in range(200)]
    exercises = [text for text in documents if text.startswith("Exercise. ")]
    assert 70 < len(exercises) < 130
    questions = {text.split("\n")[0].removeprefix("Exercise. ") for text in exercises}
    assert questions.isdisjoint(draw_problem(WORLD, 3, "train", index).question for index in range(200))
    calculations = [
        found
        for text in exercises
        for found in re.findall(r"([\d.]+) ([-+*/]) ([\d.]+) = ([\d.]*\d)", text.split("Notes: ")[1])
    ]
    assert len(calculations) > len(exercises)
    assert all(abs(eval(f"{left} {op} {right} - {value}")) < 1e-9 for left, op, right, value in calculations)
    assert all(classify(text) == "other" for text in documents)


def test_exercises_do_not_displace_what_is_planted() -> None:
    config = SourceConfig(planted=5, planted_share=0.5)
    both = config.model_copy(update={"exercises": 1.0})
    for index in range(40):
        planted = background_text("prose", config, WORLD, 0, index)
        if planted.startswith("Exercise."):
            assert background_text("prose", both, WORLD, 0, index) == planted
        else:
            assert background_text("prose", both, WORLD, 0, index).startswith("Exercise.")
