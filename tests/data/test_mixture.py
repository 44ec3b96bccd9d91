"""Mixture plans: what is asked, what is obtained, and that both are exact."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from echochamber.core.errors import UserError
from echochamber.data.mixture import MixtureConfig, MixturePlan, mixture_from_name, open_source, plan_mixture
from echochamber.data.world import WorldConfig, problem_set

from .encoding import encode_bytes

WORLD = WorldConfig(families=["collect", "tank"], operations=(1, 3), max_value=100)


def plan(sources: dict[str, Any], **keys: Any) -> MixturePlan:
    options = {name: keys.pop(name) for name in ("against", "executor", "seed") if name in keys}
    mixture = MixtureConfig.parse({"sources": sources, **keys}, "mixture")
    return plan_mixture(mixture, WORLD, options.pop("seed", 0), encode_bytes, "\n\n", **options)


def test_copies_are_exact_to_one_document() -> None:
    made = plan(
        {
            "tinygsm": {"documents": 101},
            "omi1": {"documents": 101, "copies": 2.5},
            "omi2": {"documents": 30, "copies": 0.1},
        }
    )
    assert [line.documents_obtained for line in made.sources] == [101, 252, 3]
    assert [line.documents_available for line in made.sources] == [101, 101, 30]
    counts = np.bincount(made.chosen[1])
    assert sorted(set(counts.tolist())) == [2, 3]
    assert (counts == 3).sum() == 50


def test_tokens_count_question_suffix_solution_and_end() -> None:
    made = plan({"omi2": {"documents": 20}})
    source = made.pools[0].source
    documents = [source.document(i) for i in range(20)]  # type: ignore[attr-defined]
    prompts = [len((item.question + "\n\n").encode()) for item in documents]
    solutions = [len(item.solution.encode()) + 1 for item in documents]
    line = made.sources[0]
    assert line.tokens_obtained == sum(prompts) + sum(solutions)
    assert line.solution_tokens_obtained == sum(solutions)
    assert list(made.pools[0].prompt_lengths[:20]) == prompts


def test_a_budget_sets_the_size_of_one_copy() -> None:
    made = plan({"tinygsm": {}, "omi1": {"copies": 2}, "omi2": {}}, budget_tokens=200_000)
    tinygsm, omi1, omi2 = made.sources
    assert tinygsm.documents_obtained == omi2.documents_obtained == omi1.documents_obtained / 2
    assert 198_000 < made.num_tokens <= 200_000


def test_a_source_with_a_size_of_its_own_keeps_it_under_a_budget() -> None:
    made = plan({"tinygsm": {"documents": 50}, "omi2": {}}, budget_tokens=100_000)
    assert made.sources[0].documents_obtained == 50
    assert 98_500 < made.num_tokens <= 100_000


@pytest.mark.medium
def test_shares_of_tokens_and_of_documents() -> None:
    tokens = plan({"tinygsm": {"share": 0.7}, "omi2": {"share": 0.3}}, budget_tokens=300_000)
    assert abs(tokens.sources[0].share_of_tokens - 0.7) < 0.003
    assert abs(tokens.num_tokens - 300_000) < 1000
    documents = plan(
        {n: {"share": s, "unit": "documents"} for n, s in (("tinygsm", 0.75), ("omi2", 0.25))},
        budget_tokens=300_000,
    )
    assert abs(documents.sources[0].documents_obtained - 3 * documents.sources[1].documents_obtained) <= 2
    assert abs(documents.num_tokens - 300_000) < 9000


def test_share_beside_copies_is_a_share_of_the_whole() -> None:
    made = plan(
        {"tinygsm": {"documents": 300}, "omi1": {"documents": 300, "copies": 4}, "background": {"share": 0.2}}
    )
    assert abs(made.sources[2].share_of_tokens - 0.2) < 0.002
    assert made.sources[2].solution_tokens_obtained == made.sources[2].tokens_obtained
    half = plan({"tinygsm": {"documents": 100}, "omi2": {"share": 0.5, "unit": "documents"}})
    assert half.sources[1].documents_obtained == 100


def test_a_share_repeats_a_limited_source_up_to_its_cap() -> None:
    made = plan(
        {"tinygsm": {"share": 0.9}, "omi2": {"share": 0.1, "documents": 20, "max_passes": 2}},
        budget_tokens=200_000,
    )
    assert made.sources[1].documents_obtained == 40
    assert made.sources[1].note == "capped at 2 passes"
    assert made.sources[1].tokens_asked == 20_000 > made.sources[1].tokens_obtained
    free = plan(
        {"tinygsm": {"share": 0.9}, "omi2": {"share": 0.1, "documents": 60, "max_passes": 9}},
        budget_tokens=200_000,
    )
    assert abs(free.sources[1].tokens_obtained - 20_000) < 300
    assert set(np.bincount(free.chosen[1]).tolist()) == {1, 2}


def test_plans_are_the_same_again_and_differ_by_seed() -> None:
    sources = {"tinygsm": {"copies": 1.5}, "background": {"share": 0.3}}
    first, again, other = (plan(sources, budget_tokens=60_000, seed=seed) for seed in (0, 0, 1))
    assert first.to_json() == again.to_json()
    assert first.sources[0].fingerprint != other.sources[0].fingerprint
    assert json.loads(json.dumps(first.to_json())) == first.to_json()


def test_workers_do_not_change_a_plan() -> None:
    sources = {"tinygsm": {"noise": {"random": 0.2}}, "prose": {"share": 0.2}}
    with ThreadPoolExecutor(3) as executor:
        shared = plan(sources, budget_tokens=150_000, executor=executor)
    assert shared.to_json() == plan(sources, budget_tokens=150_000).to_json()


def test_coverage_and_twins() -> None:
    made = plan(
        {
            "left": {
                "format": "omi1",
                "documents": 40,
                "coverage": {"families": ["tank"], "operations": [2, 9]},
            },
            "right": {"format": "omi1", "documents": 40, "style": {"lead_in": 0}},
        }
    )
    left, right = (pool.source for pool in made.pools)
    for index in range(40):
        assert "liters" in left.document(index).question  # type: ignore[attr-defined]
        assert right.document(index).solution.startswith("<llm-code>")  # type: ignore[attr-defined]
    assert made.sources[0].fingerprint != made.sources[1].fingerprint


def test_the_table_has_a_line_per_source_and_a_total() -> None:
    lines = plan({"tinygsm": {"documents": 10}, "omi2": {"documents": 10, "copies": 3}}).table().splitlines()
    assert [line.split()[0] for line in lines] == ["source", "tinygsm", "omi2", "all"]
    assert "copies 3" in lines[2]
    assert "3.00" in lines[2]


@pytest.mark.parametrize(
    ("name", "copies"),
    [
        ("tg_4xomi1", {"tinygsm": 1, "omi1": 4}),
        ("as_fm3_tg_omi1_omi2", {"programs": 1, "prose": 1, "tinygsm": 1, "omi1": 1, "omi2": 1}),
        ("omi2_2.5xmmqa", {"omi2": 1, "metamath": 2.5}),
    ],
)
def test_mixtures_by_the_papers_names(name: str, copies: dict[str, float]) -> None:
    assert {key: source.copies for key, source in mixture_from_name(name).sources.items()} == copies


def test_a_recipe_may_give_the_papers_name_and_add_to_it() -> None:
    named = {
        "named": "tg_4xomi1",
        "budget_tokens": "2M",
        "sources": {"omi1": {"noise": {"random": 0.1}}, "prose": {"share": 0.1}},
    }
    made = MixtureConfig.parse(named, "mixture")
    assert list(made.sources) == ["tinygsm", "omi1", "prose"]
    assert (made.sources["omi1"].copies, made.sources["omi1"].noise.random) == (4, 0.1)
    assert MixtureConfig.parse(made.resolved(), "again") == made
    assert MixtureConfig.model_validate("tg_4xomi1") == mixture_from_name("tg_4xomi1")
    with pytest.raises(UserError, match=r"part 'tgg' is unknown; parts are as, fm3"):
        MixtureConfig.parse({"named": "tgg_omi1"}, "mixture")
    with pytest.raises(UserError, match=r"'omi1' occurs twice"):
        mixture_from_name("omi1_4xomi1")


@pytest.mark.parametrize(
    ("mixture", "words"),
    [
        ({"sources": {}}, ["sources"]),
        ({"sources": {"omi1": {"copies": 1, "share": 0.5}}}, ["copies or share"]),
        ({"sources": {"omi1": {"share": 0.5}, "omi2": {"share": 0.6}}}, ["1.1", "at most 1"]),
        ({"sources": {"omi1": {"share": 1.0}}}, ["budget_tokens"]),
        ({"sources": {"omi1": {"share": 0.3}, "omi2": {"share": 0.3}}, "budget_tokens": "1M"}, ["0.6"]),
        ({"sources": {"omi1": {"share": 1.0}, "omi2": {}}}, ["nothing"]),
        (
            {"sources": {"a": {"share": 0.1}, "b": {"share": 0.1, "unit": "documents"}, "omi2": {}}},
            ["one unit"],
        ),
        ({"sources": {"omi1": {"copys": 2}}}, ["copys", "copies"]),
        ({"sources": {"omi1": {"copies": -1}}}, ["sources.omi1.copies", "-1"]),
    ],
)
def test_recipes_that_make_no_sense_are_refused(mixture: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        MixtureConfig.parse(mixture, "mixture")
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("sources", "keys", "words"),
    [
        ({"tinygms": {}}, {}, ["tinygms", "tinygsm", "background"]),
        ({"omi1": {"coverage": {"families": ["ages"]}}}, {}, ["omi1", "ages", "collect, tank"]),
        ({"omi1": {"copies": 100}}, {"budget_tokens": 2000}, ["budget_tokens", "2,000"]),
    ],
)
def test_plans_that_cannot_be_made(sources: dict[str, Any], keys: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        plan(sources, **keys)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_world_sources_share_no_structure_with_evaluation_sets() -> None:
    sets = {name: problem_set(WORLD, name, "test", 60, 0) for name in ("easy", "medium")}
    made = plan({"tinygsm": {"documents": 500}}, against=sets)
    assert [row["problems_found"] for row in made.sources[0].contamination] == [0, 0]
    with pytest.raises(UserError, match=r"source 'tinygsm' holds .* of 'train again'"):
        plan(
            {"tinygsm": {"documents": 500}},
            against={"train again": problem_set(WORLD, "easy", "train", 60, made.pools[0].source.seed)},
        )  # type: ignore[attr-defined]


def test_open_source_prefers_real_rows() -> None:
    config = MixtureConfig.parse({"sources": {"tinygsm": {"path": "rows.jsonl"}}}, "mixture").sources[
        "tinygsm"
    ]
    assert open_source("tinygsm", config, WORLD, 0).limited
