"""The world's problems: pure, exact, in range, and split by structure."""

import re
from fractions import Fraction

import pytest

from echochamber.core.errors import UserError
from echochamber.core.types import Problem
from echochamber.data.styles.terms import used_nodes
from echochamber.data.world import FAMILIES, PROBLEM_SETS, WorldConfig, draw_problem, problem_set
from echochamber.data.world.draft import apply
from echochamber.data.world.patterns import PERCENTS
from echochamber.data.world.structure import digest, expression, is_novel, pool_of, split_of
from echochamber.data.world.wording import number_words, spell_out

WORLD = WorldConfig()
PLAIN = WorldConfig(number_words=0, irrelevant_facts=0, reorder=0)


def some(
    config: WorldConfig, count: int, split: str = "train", name: str = "all", seed: int = 0
) -> list[Problem]:
    return [draw_problem(config, seed, split, index, name) for index in range(count)]


def test_a_problem_is_a_function_of_its_arguments_alone() -> None:
    forward = some(WORLD, 40)
    backward = [draw_problem(WORLD, 0, "train", index) for index in reversed(range(40))]
    assert forward == backward[::-1]
    assert draw_problem(WORLD, 1, "train", 3) != forward[3]
    assert len({problem.question for problem in forward}) == 40


def test_world_is_the_same_on_every_machine() -> None:
    config = WorldConfig(families=["collect"], operations=(2, 2), number_words=0)
    problem = draw_problem(config, 0, "train", 0)
    assert (problem.reference, problem.structure) == ("383", "e8fbf8bbcb580528")
    assert problem.question == "Hugo has 9 boxes of 5 coins. He wants 428 coins. How many more does he need?"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_reaches_one_to_eight_operations(family: str) -> None:
    for operations in range(1, 9):
        config = WorldConfig(families=[family], operations=(operations, operations))
        problem = draw_problem(config, 0, "train", 0)
        assert (problem.family, problem.difficulty, len(problem.graph.steps)) == (
            family,
            operations,
            operations,
        )


def test_steps_are_exact_and_the_last_one_answers() -> None:
    for problem in some(WORLD, 400):
        graph = problem.graph
        for step in graph.steps:
            assert step.value == apply(step.op, graph.node(step.left).value, graph.node(step.right).value)
        assert Fraction(problem.reference) == graph.steps[-1].value
        assert used_nodes(graph) == set(range(len(graph.quantities) + len(graph.steps)))


def test_values_stay_positive_and_under_the_limit() -> None:
    config = WorldConfig(max_value=100)
    for problem in some(config, 400):
        factor = 100 if problem.family == "discount" else 1
        for node in (*problem.graph.quantities, *problem.graph.steps):
            assert 0 < node.value <= 100 * factor


def test_whole_numbers_except_in_recipes() -> None:
    for problem in some(WORLD, 400):
        values = [node.value for node in (*problem.graph.quantities, *problem.graph.steps)]
        assert problem.family == "recipe" or all(value.denominator == 1 for value in values)
        assert all(value.denominator in (1, 2, 4, 8) for value in values)


def test_every_given_number_stands_in_the_question_and_no_other() -> None:
    for problem in some(PLAIN, 400):
        shown = sorted(float(text) for text in re.findall(r"\d+(?:\.\d+)?", problem.question))
        given = sorted(
            float(quantity.value) for quantity in problem.graph.quantities if not quantity.constant
        )
        assert shown == given, problem.question


def test_names_are_unique_python_variables() -> None:
    for problem in some(WORLD, 400):
        names = [node.name for node in (*problem.graph.quantities, *problem.graph.steps)]
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() and name == name.lower() for name in names), names


def test_sentences_are_whole() -> None:
    for problem in some(WORLD, 600):
        text = problem.question
        assert text.endswith("?")
        assert "{" not in text
        assert "  " not in text
        for sentence in re.split(r"(?<=[.?]) (?=\S)", text):
            assert sentence[0].isupper() or sentence[0].isdigit() or sentence[0] == "$", text


def test_wordings_and_vocabulary_are_limits() -> None:
    small = WorldConfig(
        families=["collect"],
        operations=(1, 1),
        wordings=1,
        vocabulary=2,
        number_words=0,
        irrelevant_facts=0,
        reorder=0,
    )
    masked = {re.sub(r"\d+", "#", problem.question) for problem in some(small, 300)}
    large = {
        re.sub(r"\d+", "#", problem.question)
        for problem in some(small.model_copy(update={"wordings": "all", "vocabulary": "all"}), 300)
    }
    assert len(masked) < 60
    assert len(large) > 3 * len(masked)
    assert {
        word.strip(".,?")
        for text in masked
        for word in text.split()
        if word.strip(".,?") in ("Mia", "Ben", "Ana", "Tom")
    } <= {"Mia", "Ben"}


def test_irrelevant_facts_add_a_number_and_keep_the_graph() -> None:
    with_aside = WorldConfig(families=["tank"], irrelevant_facts=1.0, number_words=0)
    for problem in some(with_aside, 100):
        shown = re.findall(r"\d+(?:\.\d+)?", problem.question)
        assert len(shown) == 1 + sum(not quantity.constant for quantity in problem.graph.quantities)


def test_number_words_leave_no_figures_under_a_thousand() -> None:
    spelled = WorldConfig(families=["shopping", "discount"], number_words=1.0)
    for problem in some(spelled, 100):
        assert not re.search(r"\d", problem.question)
        assert "$" not in problem.question
        assert "%" not in problem.question


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "zero"),
        (12, "twelve"),
        (42, "forty-two"),
        (90, "ninety"),
        (100, "one hundred"),
        (905, "nine hundred and five"),
        (999, "nine hundred and ninety-nine"),
    ],
)
def test_number_words(value: int, text: str) -> None:
    assert number_words(value) == text


def test_spelling_out_keeps_decimals_and_large_numbers() -> None:
    assert (
        spell_out("7 cups of 1.5 and $12 or 20% of 1200. 3 left?")
        == "Seven cups of 1.5 and twelve dollars or twenty percent of 1200. Three left?"
    )


def test_reordered_stories_mention_the_person_by_name_first() -> None:
    config = WorldConfig(
        families=["collect", "savings"], operations=(2, 4), reorder=1.0, number_words=0, irrelevant_facts=0
    )
    late = 0
    for problem in some(config, 300):
        pronoun = re.search(r"\b([Ss]he|[Hh]e|[Hh]is|[Hh]er)\b", problem.question)
        name = re.search(r"\b[A-Z][a-z]+\b(?=('s)? )", problem.question)
        late += problem.question.count("At the start") > 0
        assert pronoun is None or (name is not None and name.start() < pronoun.start()), problem.question
    assert late > 10


def test_percentages_come_from_round_shares() -> None:
    config = WorldConfig(families=["discount"], operations=(3, 8), number_words=0)
    percents = {
        int(match) for problem in some(config, 100) for match in re.findall(r"(\d+)%", problem.question)
    }
    assert percents
    assert percents <= set(PERCENTS)


def test_splits_and_pools_follow_the_structure() -> None:
    for split in ("train", "dev", "test"):
        for problem in some(WORLD, 60, split):
            structure = digest(expression(problem.graph))
            assert problem.structure == f"{structure:016x}"
            assert split_of(structure) == split
            assert pool_of(structure) == ""


def test_nothing_crosses_between_splits_in_small_worlds() -> None:
    config = WorldConfig(families=["collect", "compare"], operations=(1, 2), max_value=20)
    seen = {
        split: {problem.structure for problem in some(config, 500, split)}
        for split in ("train", "dev", "test")
    }
    assert all(len(structures) > 20 for structures in seen.values())
    assert not seen["train"] & seen["dev"]
    assert not seen["train"] & seen["test"]
    assert not seen["dev"] & seen["test"]


def test_novel_shapes_are_held_out_of_everything_else() -> None:
    novel = {expression(problem.graph, values=False) for problem in some(WORLD, 20, "test", "novel")}
    ordinary = {expression(problem.graph, values=False) for problem in some(WORLD, 1500)}
    assert novel
    assert not novel & ordinary
    assert all(is_novel(shape, 3, WORLD.novel_share) for shape in novel)


def test_beyond_has_more_operations_than_the_world() -> None:
    config = WorldConfig(operations=(1, 4))
    counts = {problem.difficulty for problem in some(config, 60, "test", "beyond")}
    assert counts == {5, 6, 7, 8}


def test_overlap_and_its_twin_are_pools_of_their_own() -> None:
    for name in ("overlap", "overlap_clean"):
        problems = some(WORLD, 6, "test", name)
        assert {pool_of(int(problem.structure, 16)) for problem in problems} == {name}
        assert problems == some(WORLD, 6, "test", name, seed=7)


@pytest.mark.parametrize(("name", "low", "high"), [("easy", 1, 2), ("medium", 3, 4), ("hard", 5, 8)])
def test_levels(name: str, low: int, high: int) -> None:
    problems = problem_set(WORLD, name, "dev", 40, 0)
    assert len({problem.structure for problem in problems}) == 40
    assert {problem.problem_set for problem in problems} == {name}
    assert all(low <= problem.difficulty <= high for problem in problems)


def test_problems_survive_json() -> None:
    for problem in some(WORLD, 40):
        assert Problem.from_json(problem.to_json()) == problem


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: draw_problem(WORLD, 0, "train", 0, "huge"), ["huge", *PROBLEM_SETS]),
        (lambda: draw_problem(WORLD, 0, "valid", 0), ["valid", "dev"]),
        (lambda: draw_problem(WORLD, 0, "train", 0, "novel"), ["novel", "dev or test"]),
        (lambda: draw_problem(WorldConfig(operations=(1, 2)), 0, "test", 0, "hard"), ["hard", "[1, 2]"]),
        (
            lambda: problem_set(
                WorldConfig(families=["ages"], operations=(1, 1), max_value=20), "all", "dev", 5000, 0
            ),
            ["5000", "distinct"],
        ),
        (lambda: WorldConfig.parse({"families": ["cars"]}, "world"), ["cars", "collect"]),
        (lambda: WorldConfig.parse({"operations": [0, 3]}, "world"), ["operations", "fewest"]),
        (lambda: WorldConfig.parse({"family": "all"}, "world"), ["family", "families"]),
    ],
)
def test_bad_asks_are_one_line_errors(call, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.slow
def test_nothing_crosses_in_a_million_draws() -> None:
    """Graphs only, without words: every accepted draw of train against every one of dev and test."""
    from echochamber.data.world.grow import grow
    from echochamber.data.world.stream import between, pick, stream

    families = tuple(FAMILIES.values())
    seen: dict[str, set[str]] = {"train": set(), "held out": set()}
    shapes: dict[bool, set[int]] = {True: set(), False: set()}
    for index in range(1_000_000):
        source = stream("million", index)
        draft = grow(pick(source, families), between(source, 1, 8), WORLD, source)
        if draft is None:
            continue
        text = draft.expression()
        structure = digest(text)
        shape = draft.expression(values=False)
        novel = is_novel(shape, draft.operations, WORLD.novel_share)
        shapes[novel].add(digest(shape))
        train = split_of(structure) == "train" and not pool_of(structure) and not novel
        seen["train" if train else "held out"].add(text)
    assert len(seen["train"]) > 300_000
    assert len(seen["held out"]) > 100_000
    assert not seen["train"] & seen["held out"]
    assert not shapes[True] & shapes[False]
