"""Large rounds of Expert Iteration lie in Parquet chunks: the same bytes, and a kill costs one chunk."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from echochamber.core.numbers import format_number
from echochamber.core.types import Completion, Problem, Verdict
from echochamber.model.checkpoint import save_checkpoint
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.rl import stored_steps
from echochamber.rl.config import RLConfig
from echochamber.rl.loop import rl
from echochamber.rl.stored_steps import is_stored
from echochamber.rl.targets import earned_rewards, first_of_equal, shaped_rewards, token_counts
from echochamber.rollout import collect_stored
from echochamber.rollout.collect import Rollout
from echochamber.rollout.collect_stored import chunk_spans, remove_chunks, weights_digest
from echochamber.rollout.stored_rollouts import StoredRollouts, rollout_table
from tests.model.conftest import tiny_model, tokenizer  # noqa: F401

PROBLEMS = [
    Problem(str(i), f"Mia has {i} boxes of 3 pens. How many pens?", format_number(3 * i), "all", "train")
    for i in range(6)
]
CONFIG = RLConfig(
    algorithm="expert_iteration",
    reward={"random": 1.0, "brevity": 0.25},
    steps=2,
    prompts_per_step=5,
    samples_per_prompt=4,
    max_new_tokens=10,
    rollouts_kept=8,
    passes=2,
    minibatch_samples=6,
    restart=True,
    checkpoints={"count": 2},
    optimizer={"lr": 1e-2},
)


@pytest.fixture
def base(tmp_path, tokenizer):  # noqa: F811
    save_checkpoint(tmp_path / "base", tiny_model("llama"), tokenizer)
    return tmp_path / "base"


def _run(base, folder):
    """Every byte that the run leaves, but for times and resume state."""
    folder.mkdir(exist_ok=True)
    rl(CONFIG, 0, base, PROBLEMS, folder, start_runtime(RuntimeConfig(threads=1, compile="off")))
    names = ["metrics.jsonl", "rollouts.parquet"]
    names += [f"checkpoints/step_{step}/model.safetensors" for step in (1, 2)]
    return {name: (folder / name).read_bytes() for name in names}


@pytest.fixture
def in_chunks(monkeypatch):
    """Chunks of two problems of four samples; the list of chunks that were sampled."""
    monkeypatch.setattr(collect_stored, "COMPLETIONS_AT_ONCE", 8)
    collect, sampled = stored_steps.collect, []

    def counted(*args):
        sampled.append(args)
        return collect(*args)

    monkeypatch.setattr(stored_steps, "collect", counted)
    return sampled


def test_chunks_change_no_byte(base, tmp_path, in_chunks, monkeypatch):
    found = _run(base, tmp_path / "chunks")
    assert [len(args[3]) for args in in_chunks] == 2 * [2, 2, 1]
    monkeypatch.undo()
    assert _run(base, tmp_path / "whole") == found
    assert len(in_chunks) == 6


@pytest.mark.parametrize("killed_at", [1, 2, 5])
def test_a_kill_within_a_round_costs_one_chunk(base, tmp_path, in_chunks, monkeypatch, killed_at):
    whole = _run(base, tmp_path / "whole")
    in_chunks.clear()
    collect = stored_steps.collect

    def killed(*args):
        if len(in_chunks) == killed_at:
            raise KeyboardInterrupt
        return collect(*args)

    with monkeypatch.context() as patch:
        patch.setattr(stored_steps, "collect", killed)
        with pytest.raises(KeyboardInterrupt):
            _run(base, tmp_path / "cut")
    assert len(in_chunks) == killed_at
    assert _run(base, tmp_path / "cut") == whole
    # A second round is done again from the first, whose state was not due to be saved.
    assert len(in_chunks) == (6 if killed_at < 3 else 6 + killed_at)


def test_a_damaged_chunk_is_sampled_again(base, tmp_path, in_chunks, monkeypatch):
    whole = _run(base, tmp_path / "whole")
    collect, calls = stored_steps.collect, []

    def killed(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return collect(*args)

    with monkeypatch.context() as patch:
        patch.setattr(stored_steps, "collect", killed)
        with pytest.raises(KeyboardInterrupt):
            _run(base, tmp_path / "cut")
    first, _ = sorted((tmp_path / "cut").rglob("rollouts_1_*.parquet"))
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    in_chunks.clear()
    assert _run(base, tmp_path / "cut") == whole
    assert [[p.id for p in args[3]] for args in in_chunks[:2]] == [
        [p.id for p in in_chunks[0][3]],
        [p.id for p in in_chunks[1][3]],
    ]
    assert len(in_chunks) == 2 + 3, "the damaged chunk, the missing one, and the second round"


def test_the_chunks_of_a_round_are_named_after_its_weights(base, tmp_path, in_chunks, tokenizer):  # noqa: F811
    other = tiny_model("llama")
    with torch.no_grad():
        other.lm_head.weight[0, 0] += 0.5
    save_checkpoint(tmp_path / "other", other, tokenizer)
    for name, place in (("one", base), ("two", tmp_path / "other"), ("three", base)):
        _run(place, tmp_path / name)
    names = [
        sorted(path.name for path in (tmp_path / name).rglob("rollouts_2_*.parquet"))
        for name in ("one", "two", "three")
    ]
    assert len(names[0]) == 3
    assert names[0] == names[2]
    assert not set(names[0]) & set(names[1])


def test_chunks_of_other_weights_or_steps_are_not_used(tmp_path):
    weights = {"a": torch.ones(3), "b": torch.zeros(2)}
    digest = weights_digest(weights)
    assert weights_digest(dict(reversed(weights.items()))) == digest
    assert weights_digest(weights | {"b": torch.tensor([0.0, 1e-30])}) != digest
    for name in ("rollouts_1_aa_0.parquet", "rollouts_2_aa_0.parquet", "rollouts_2_bb_0.parquet", "state"):
        (tmp_path / name).touch()
    remove_chunks(tmp_path, "rollouts_", but="rollouts_2_aa")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rollouts_2_aa_0.parquet", "state"]


@pytest.mark.parametrize(
    ("change", "stored"),
    [
        ({}, True),
        ({"prompts_per_step": 128}, False),
        ({"algorithm": "grpo", "restart": False}, False),
        ({"algorithm": "best_of_n"}, True),
        ({"kl": {"coef": 0.1, "estimator": "k2", "place": "loss"}}, False),
        ({"loss": {"old_logprobs": "recomputed"}}, False),
    ],
)
def test_only_large_rounds_that_need_few_numbers_are_stored(change, stored):
    paper = {"prompts_per_step": 7473, "samples_per_prompt": 64}
    assert is_stored(RLConfig.model_validate(CONFIG.model_dump() | paper | change)) is stored


def test_a_chunk_holds_whole_groups():
    spans = chunk_spans(7473, 64)
    assert [spans[0], spans[-1]] == [slice(0, 128), slice(7424, 7473)]
    assert [slice(0, 1), slice(1, 2)] == chunk_spans(2, 100_000)


def _rollouts():
    """Two problems with three completions each, with everything that a rollout may lack."""
    texts = ["#### 3", "<b>4</b>", ""]
    return [
        Rollout(
            PROBLEMS[p],
            g,
            (1, 2, 3 + p),
            Completion(texts[g], tuple(range(4, 6 + g)), tuple([-0.5] * (2 + g)), g == 2),
            Verdict(
                "other",
                None if g else "3",
                "correct" if g == 0 else "infrastructure",
                detail="no answer" if g else "",
                style={"docstring": "yes"} if p else {},
                score=None if p else 0.5,
            ),
            None if g == 1 else float(g == 0),
            {"correct": 1.0} if g == 0 else {},
        )
        for p in range(2)
        for g in range(3)
    ]


@pytest.fixture
def stored(tmp_path):
    rollouts = _rollouts()
    for index in range(2):
        rollout_table(rollouts[3 * index : 3 * index + 3]).write_parquet(tmp_path / f"{index}.parquet")
    prompts = [rollouts[0].prompt_ids, rollouts[3].prompt_ids]
    return StoredRollouts([tmp_path / "0.parquet", tmp_path / "1.parquet"], PROBLEMS[:2], prompts, 3)


def test_what_is_stored_comes_back_whole(stored):
    rollouts = _rollouts()
    assert list(stored) == rollouts
    assert stored[1:5:2] == rollouts[1:5:2]
    assert len(stored) == 6
    for index in (-1, 6):
        with pytest.raises(IndexError):
            stored[index]


def test_targets_are_those_of_rollouts_in_memory(stored):
    rollouts = _rollouts()
    for function in (earned_rewards, token_counts, lambda r: shaped_rewards(r, CONFIG)):
        assert str(function(stored)) == str(function(rollouts))


def test_numbers_come_from_memory(stored, tmp_path):
    rollouts = _rollouts()
    for path in tmp_path.glob("*.parquet"):
        path.unlink()
    assert [stored.tokens(i).token_ids for i in range(6)] == [r.token_ids for r in rollouts]
    assert [stored.tokens(i).prompt_ids for i in range(6)] == [r.prompt_ids for r in rollouts]
    assert [stored.problem_of(i) for i in range(6)] == [r.problem for r in rollouts]
    assert [stored.logprobs(i).tolist() for i in range(6)] == [list(r.completion.logprobs) for r in rollouts]


def test_equal_completions_of_one_problem_are_fitted_once(tmp_path):
    first = _rollouts()[0]
    rollouts = [first, replace(first, sample=1), replace(first, problem=PROBLEMS[1]), first]
    rollout_table(rollouts).write_parquet(tmp_path / "0.parquet")
    problems = [PROBLEMS[0], PROBLEMS[1]]
    stored = StoredRollouts([tmp_path / "0.parquet"], problems, 2 * [first.prompt_ids], 2)
    rewarded = np.array([True, True, True, True])
    assert first_of_equal(stored, rewarded).tolist() == [True, False, True, False]
    rewarded[0] = False
    assert first_of_equal(stored, rewarded).tolist() == [False, True, True, False]
