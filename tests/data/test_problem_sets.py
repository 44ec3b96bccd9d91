"""Problems from files: the known sets by their columns, answers in one form."""

import json
from pathlib import Path
from typing import Any

import pytest

from echochamber.core.errors import UserError
from echochamber.core.formats import classify
from echochamber.core.numbers import parse_number
from echochamber.data.problem_sets import last_boxed, load_problems, normalise_reference, reference_corpus
from echochamber.data.styles import STYLES
from echochamber.data.world import WorldConfig


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ("She eats 3.\n#### 1,234", "1234"), ("#### -7", "-7"), ("#### $18", "18"), (51.0, "51"),
        (2.5, "2.5"), (18, "18"),
        ("1,234,567", "1234567"), ("3,4", "3,4"), ("025", "25"), ("0.50", "0.50"), ("51.0", "51"),
        ("#### -7.00", "-7"), ("1,200.0", "1200"), ("\\frac{1}{2}", "\\frac{1}{2}"),
        ("080 or 081 (both were accepted)", "80"), ("(3, \\pi)", "(3, \\pi)"), ("", ""), (None, ""),
        (True, ""),
    ],
)  # fmt: skip
def test_references_are_normalised(value: Any, reference: str) -> None:
    assert normalise_reference(value) == reference


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so \\boxed{5}.", "5"),
        ("\\boxed{1} then \\boxed {\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("none", ""),
        ("cut \\boxed{3", ""),
        ("", ""),
    ],
)
def test_last_box(text: str, answer: str) -> None:
    assert last_boxed(text) == answer


@pytest.mark.parametrize(
    ("row", "question", "reference"),
    [
        ({"question": "Q?", "answer": "steps\n#### 12"}, "Q?", "12"),
        ({"question": "Q?", "reference": "7/2", "id": "x1"}, "Q?", "7/2"),
        ({"Body": "A has 3.", "Question": "How many?", "Answer": 3.0, "ID": "c"}, "A has 3. How many?", "3"),
        ({"problem": "P", "solution": "is \\boxed{x^2}"}, "P", "x^2"),
        ({"problem": "P", "solution": "is \\boxed{4}", "answer": ""}, "P", "4"),
        ({"Question": "P", "Answer": "204"}, "P", "204"),
    ],
)
def test_layouts(tmp_path: Path, row: dict[str, Any], question: str, reference: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(row), encoding="utf-8")
    (problem,) = load_problems(str(path))
    assert (problem.question, problem.reference, problem.problem_set) == (question, reference, "set.jsonl")
    assert problem.id == str(row.get("id") or row.get("ID") or "set.jsonl-0")
    assert problem.graph is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"question": "Q?"}, ["line 2", "'answer'", "missing", "question"]),
        ({"text": "Q?", "answer": "1"}, ["line 2", "'question'", "text"]),
        ({"question": "Q?", "answer": ""}, ["line 2", "gives no answer"]),
        ({"question": "", "answer": "1"}, ["line 2", "'question'", "empty"]),
    ],
)
def test_bad_problems_are_named_or_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], row: dict[str, Any], words: list[str]
) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"question": "ok", "answer": "1"}) + "\n" + json.dumps(row), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_problems(str(path))
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert len(load_problems(str(path), on_bad_row="skip")) == 1
    assert "1 bad rows skipped" in capsys.readouterr().err
    assert len(load_problems(str(path), limit=1)) == 1


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="holds no problem"):
        load_problems(str(tmp_path / "empty.jsonl"))


@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("gsm8k/test.jsonl", 1319),
        ("gsm8k/train.jsonl.gz", 7473),
        ("svamp/SVAMP.json", 1000),
        ("math500/test.jsonl", 500),
        ("aime/aime_1983_2024.csv", 933),
        ("aime/aime_2024.jsonl", 30),
    ],
)
def test_real_sets_are_read_whole(shared_data: Path, file: str, count: int) -> None:
    problems = load_problems(str(shared_data / file))
    assert len(problems) == count
    assert len({problem.id for problem in problems}) == count
    if "math500" not in file:
        assert all(parse_number(problem.reference).denominator == 1 for problem in problems)


def test_math_train_lacks_four_answers_of_which_two_stand_in_the_solution(shared_data: Path) -> None:
    path = str(shared_data / "math" / "train.jsonl.gz")
    with pytest.raises(UserError, match=r"line \d+: column 'answer' gives no answer"):
        load_problems(path)
    assert len(load_problems(path, on_bad_row="skip")) == 7498


def test_reference_corpus_has_every_style_in_turn() -> None:
    texts = list(reference_corpus(WorldConfig(), 0, 10))
    assert [classify(text.split("\n\n", 1)[1]) for text in texts] == list(STYLES) * 2
    assert texts == list(reference_corpus(WorldConfig(), 0, 10))
    assert {
        classify(text.split("\n\n", 1)[1]) for text in reference_corpus(WorldConfig(), 0, 4, styles=("omi1",))
    } == {"omi1"}
