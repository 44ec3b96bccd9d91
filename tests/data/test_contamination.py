"""Overlap of training sources with evaluation sets."""

import random
import re
from pathlib import Path
from typing import Any

import pytest

from echochamber.core.errors import UserError
from echochamber.core.types import Problem
from echochamber.data.contamination import GRAM, ContaminationChecker, grams, refuse_contaminated, words_of
from echochamber.data.gram_search import RunFilter
from echochamber.data.mixture import MixtureConfig, plan_mixture
from echochamber.data.problem_sets import load_problems
from echochamber.data.sources import Document
from echochamber.data.world import WorldConfig

from .encoding import encode_bytes

LONG = (
    "A farmer has 12 cows and 7 sheep, and he sells 5 of the cows before the winter. "
    "How many animals are left?"
)


def checker(*questions: str, structure: str = "") -> ContaminationChecker:
    return ContaminationChecker(
        {
            "set": [
                Problem(id=f"p{i}", question=q, reference="1", structure=structure)
                for i, q in enumerate(questions)
            ]
        }
    )


def test_words_and_grams() -> None:
    assert words_of("It's $1,200 - OK?") == [b"it", b"s", b"1", b"200", b"ok"]
    assert list(grams([b"a", b"b", b"c"], 2)) == [(b"a", b"b"), (b"b", b"c")]
    assert list(grams([b"a"], 2)) == []


def test_thirteen_words_in_a_row_are_an_overlap_and_twelve_are_not() -> None:
    words = words_of(LONG)
    for size, found in ((GRAM, 1), (GRAM - 1, 0)):
        looking = checker(LONG)
        looking.add(Document("x " + b" ".join(words[3 : 3 + size]).decode() + " y", "solution"))
        assert len(looking.overlaps["set"].hit) == found


def test_solutions_are_searched_too_and_documents_counted_once() -> None:
    looking = checker(LONG)
    for text in ("clean text of no interest", f"It says: {LONG.upper()}", LONG):
        looking.add(Document("", text))
    overlap = looking.overlaps["set"]
    assert (overlap.documents, overlap.share) == (2, 1.0)
    assert overlap.examples[0].startswith("document 1 and problem p0: a farmer has 12 cows")


def test_words_are_those_of_the_regular_expression() -> None:
    """Also where lower case makes ASCII of a sign, as of the Kelvin sign, or two signs of one."""
    for text in ("It's $1,200 - OK?", "K2 İx naïve ÀB", "\u212a9 a\ud800b", "a\x00b\nc\td_e"):
        assert [word.decode() for word in words_of(text)] == re.findall("[a-z0-9]+", text.lower())


def test_the_search_finds_what_every_run_of_words_finds() -> None:
    """Against the plain search of every position, on random texts over few words, with parts of questions."""
    draw = random.Random(0)
    vocabulary = [f"w{i}" for i in range(6)]
    questions = [" ".join(draw.choices(vocabulary, k=draw.randint(6, 24))) for _ in range(40)]
    looking = checker(*questions)
    tables: dict[int, dict[tuple[str, ...], set[str]]] = {}
    for number, question in enumerate(questions):
        words = question.split()
        size = min(GRAM, len(words))
        for start in range(len(words) - size + 1) if size >= 8 else ():
            tables.setdefault(size, {}).setdefault(tuple(words[start : start + size]), set()).add(
                f"p{number}"
            )
    hit, documents = set(), 0
    for _ in range(400):
        words = draw.choices(vocabulary, k=draw.randint(0, 40))
        source = draw.choice(questions).split()
        start = draw.randrange(len(source))
        words[draw.randint(0, len(words)) : 0] = source[start : start + draw.randint(1, 14)]
        looking.add(Document("", " ".join(words)))
        found = {
            name
            for size, table in tables.items()
            for at in range(len(words) - size + 1)
            for name in table.get(tuple(words[at : at + size]), ())
        }
        hit |= found
        documents += bool(found)
        assert looking.overlaps["set"].hit == hit
    assert looking.overlaps["set"].documents == documents > 10
    assert 10 < len(hit) < 40


def test_the_filter_finds_every_run_in_its_own_text() -> None:
    draw = random.Random(1)
    words = [draw.choice("abcdefghij") * draw.randint(1, 12) for _ in range(300)]
    texts = [" ".join(words[start : start + 60]).encode() for start in range(0, 240, 30)]
    for start in range(len(words) - 8):
        run = [word.encode() for word in words[start : start + 8]]
        found = dict(RunFilter([run]).search([b"", *texts, b"x"]))
        expected = {
            number: [place]
            for number, begin in enumerate(range(0, 240, 30), 1)
            if 0 <= (place := start - begin) <= 52
        }
        # A run that reaches into the next text may be found besides, and is refused word by word.
        assert all(set(places) <= set(found.get(number, ())) for number, places in expected.items())


def test_short_questions_count_whole_and_very_short_ones_cannot_be_checked() -> None:
    short = "Tom has 5 red pens. How many pens?"
    looking = checker(short, "What is 2 + 3?")
    looking.add(Document("", f"Intro. {short} Outro."))
    overlap = looking.overlaps["set"]
    assert overlap.hit == {"p0"}
    assert overlap.to_json()["too_short_to_check"] == 1


def test_world_documents_are_compared_by_structure() -> None:
    looking = checker(LONG, structure="00ff")
    looking.add(Document(LONG, "s", "0000"))
    assert not looking.overlaps["set"].hit
    looking.add(Document("other words", "s", "00ff"))
    assert looking.overlaps["set"].hit == {"p0"}


def test_a_source_over_the_threshold_is_refused() -> None:
    looking = checker(
        LONG, "Another question about something else that is quite long and never occurs anywhere here at all"
    )
    looking.add(Document(LONG, "s"))
    refuse_contaminated("web", looking.overlaps.values(), 0.5)
    with pytest.raises(
        UserError,
        match=r"source 'web' holds 1 of the 2 problems of 'set' \(50.0%, allowed 10.0%\); first: document 0",
    ):
        refuse_contaminated("web", looking.overlaps.values(), 0.1)


def plan(path: Path, against: dict[str, list[Problem]], **keys: Any) -> Any:
    mixture = MixtureConfig.parse({"sources": {"real": {"path": str(path)}}, **keys}, "mixture")
    return plan_mixture(mixture, WorldConfig(), 0, encode_bytes, against=against)


@pytest.mark.medium
def test_a_plan_reports_and_refuses(shared_data: Path) -> None:
    train = shared_data / "gsm8k" / "train.jsonl.gz"
    made = plan(train, {"gsm8k test": load_problems(str(shared_data / "gsm8k" / "test.jsonl"))})
    (row,) = made.sources[0].contamination
    assert row["problems"] == 1319
    assert row["problems_found"] == 3
    assert len(row["examples"]) == 3
    leaked = {"leak": load_problems(str(train), limit=200)}
    with pytest.raises(UserError, match="source 'real' holds 200 of the 200 problems of 'leak'"):
        plan(train, leaked)
    assert plan(train, leaked, max_contamination=1.0).sources[0].contamination[0]["share_found"] == 1.0
