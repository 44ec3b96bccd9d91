"""Shortcut scores and the training questions that they are fitted on."""

from collections import Counter
from itertools import islice

import pytest

from echochamber.core.types import Problem
from echochamber.data.mixture import MixtureConfig, drawn_questions, open_sources
from echochamber.data.shortcut_baselines import MOST_PROBLEMS, shortcut_line, shortcut_scores
from echochamber.data.sources import Document
from echochamber.data.training_questions import (
    Reservoir,
    answered,
    world_training_questions,
    written_answer,
)
from echochamber.data.world import WorldConfig, draw_problem, problem_set
from echochamber.stats.intervals import wilson

WORLD = WorldConfig(families=("shopping", "collect"), operations=(1, 2), max_value=100)


def problem(number: int, structure: str = "") -> Problem:
    return Problem(
        id=str(number),
        question=f"Mia has {number} pens and {number + 1} caps.",
        reference=str(2 * number + 1),
        structure=structure,
    )


def test_shares_come_with_the_interval_of_so_many_problems() -> None:
    found = shortcut_scores([problem(n) for n in range(40)], [problem(n) for n in range(50, 70)], 0)
    assert found["scores"]["fixed_expression"] == {"share": 1.0, "interval": list(wilson(20, 20))}
    assert found["scores"]["nearest_question"]["share"] == 0.0
    assert (found["train_questions"], found["problems"]) == (40, 20)
    assert "fixed expression 100.0%" in shortcut_line("easy", found)


def test_a_training_question_with_the_same_structure_is_no_shortcut() -> None:
    copied = [problem(n, structure=f"s{n}") for n in range(30)]
    assert shortcut_scores(copied, copied, 0) == {}
    found = shortcut_scores([*copied, problem(99, "other")], copied, 0)
    assert found["train_questions"] == 1
    assert found["scores"]["nearest_question"]["share"] == 0.0


def test_large_sets_are_sampled_and_answers_that_are_no_number_count_as_missed() -> None:
    odd = [
        Problem(id=str(n), question="What is 2 and 3?", reference=r"\frac{1}{2}")
        for n in range(MOST_PROBLEMS + 9)
    ]
    found = shortcut_scores([problem(1), *odd], odd, 0)
    assert found["problems"] == MOST_PROBLEMS
    assert found["scores"]["fixed_expression"]["share"] == 0.0
    assert found["scores"]["nearest_question"]["share"] == 1.0


@pytest.mark.parametrize(("name", "most"), [("easy", 2), ("beyond", 2), ("overlap", 2)])
def test_training_questions_of_a_world_set_are_training_problems_of_its_level(name: str, most: int) -> None:
    train = world_training_questions(WORLD, name, 0)
    assert {row.split for row in train} == {"train"}
    assert max(row.difficulty for row in train) <= most
    own = {row.question for row in problem_set(WORLD, "all", "train", 20, 0)}
    assert len(own & {row.question for row in train}) < 10


def test_a_reservoir_keeps_every_document_equally_often_and_is_seeded() -> None:
    counted: Counter[str] = Counter()
    for seed in range(400):
        kept = Reservoir(size=5, seed=seed)
        for number in range(20):
            kept.add(Document(str(number), ""))
        counted.update(document.question for document in kept.kept)
    assert sum(counted.values()) == 2000
    assert all(60 < counted[str(number)] < 140 for number in range(20))


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("so 3\n#### 1,234", "1234"),
        ("#### 4\nThe answer is: 4", "4"),
        ("The answer is: \\frac{1}{2}", "\\frac{1}{2}"),
        ("first \\boxed{1}, then \\boxed{\\frac{3}{4}}", "\\frac{3}{4}"),
        ("def simple_math_problem():\n    return 3", ""),
    ],
)
def test_the_written_answer_of_each_kind_of_solution(solution: str, answer: str) -> None:
    assert written_answer(solution) == answer
    assert len(answered([Document("How many?", solution)])) == bool(answer)


def test_background_text_is_no_question() -> None:
    assert answered([Document("", "#### 4")]) == []
    kept = Reservoir(size=2)
    for document in (Document("", "a page"), Document("Q?", "#### 4"), Document("", "another page")):
        kept.add(document)
    assert (kept.seen, [document.question for document in kept.kept]) == (1, ["Q?"])


@pytest.mark.parametrize("style", ["tinygsm", "omi1"])
def test_a_program_of_the_world_has_a_known_answer_right_or_wrong(style: str) -> None:
    mixture = MixtureConfig.parse({"sources": {style: {"noise": {"random": 0.5}}}}, "mixture")
    (source,) = open_sources(mixture, WORLD, 0)
    documents = list(islice(source.documents(), 40))
    found = answered(documents)
    right = [draw_problem(WORLD, source.seed, "train", index).reference for index in range(40)]  # type: ignore[attr-defined]
    assert len(found) == 40
    assert 5 < sum(item.reference != reference for item, reference in zip(found, right, strict=True)) < 35
    assert all(item.structure for item in found)


def test_questions_of_a_mixture_come_from_each_of_its_sources_and_are_the_ones_it_holds() -> None:
    mixture = MixtureConfig.parse(
        {"sources": {"tinygsm": {"documents": 30}, "omi2": {"copies": 2}, "prose": {"share": 0.5}}}, "mixture"
    )
    found = drawn_questions(mixture, WORLD, 3)
    held = {
        document.question
        for source in open_sources(mixture, WORLD, 3)
        for document in islice(source.documents(), 1000)
    }
    assert len(found) == 30 + 1000
    assert {item.question for item in found} <= held
    assert found == drawn_questions(mixture, WORLD, 3)
    assert (
        drawn_questions(MixtureConfig.parse({"sources": {"prose": {"copies": 1}}}, "mixture"), WORLD, 3) == []
    )


def test_a_set_without_anything_to_compare_says_so() -> None:
    assert shortcut_line("mine.jsonl", shortcut_scores([], [problem(1)], 0)) == (
        "shortcut baselines, mine.jsonl: not estimable, "
        "there is no training question with a known answer to compare with"
    )
