"""Packed rows compute what one sequence per completion computes."""

from dataclasses import replace

import pytest
import torch

from echochamber.core.types import Completion, Problem, Verdict
from echochamber.formulas.logprobs import token_logprobs
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.rollout.batch import batches, fill_rows, plan_rows, row_width
from echochamber.rollout.collect import Rollout
from echochamber.rollout.score import all_logprobs
from tests.model.conftest import tiny_model


def _rollouts(num_problems=5, group=3, seed=0, longest=9):
    generator = torch.Generator().manual_seed(seed)
    made = []
    for number in range(num_problems):
        prompt = tuple(
            torch.randint(
                2, 290, (int(torch.randint(1, 12, (1,), generator=generator)),), generator=generator
            ).tolist()
        )
        for sample in range(group):
            length = int(torch.randint(1, longest, (1,), generator=generator))
            ids = tuple(torch.randint(2, 290, (length,), generator=generator).tolist())
            completion = Completion("", ids, tuple(-float(i) for i in range(length)), False)
            verdict = Verdict("other", None, "wrong")
            made.append(Rollout(Problem(str(number), "", "1"), sample, prompt, completion, verdict, 0.0))
    return made


def _runtime():
    return start_runtime(RuntimeConfig(dtype="float32", compile="off", threads=1))


@pytest.mark.parametrize("tokens_at_once", [1, 40, 10_000])
@pytest.mark.parametrize("fixed_shape", [False, True])
def test_packed_logprobs_equal_one_sequence_at_a_time(monkeypatch, tokens_at_once, fixed_shape):
    monkeypatch.setattr("echochamber.rollout.batch.row_width", lambda rollouts: 32)
    model, rollouts = tiny_model("llama"), _rollouts()
    seen = all_logprobs(model, rollouts, 0.7, tokens_at_once, replace(_runtime(), compile=fixed_shape))
    assert len(seen) == len(rollouts)
    for rollout, packed in zip(rollouts, seen, strict=True):
        ids = torch.tensor([rollout.prompt_ids + rollout.completion.token_ids])
        expected = token_logprobs(model(ids)[:, :-1], ids[:, 1:], 0.7)[0, len(rollout.prompt_ids) - 1 :]
        torch.testing.assert_close(packed, expected, atol=2e-5, rtol=1e-5)


def test_prompts_are_stored_once_per_row_and_rows_are_never_too_long():
    rollouts = _rollouts(num_problems=3, group=8)
    rows = plan_rows(rollouts, 48)
    assert [placed.index for row in rows for placed in row] == list(range(len(rollouts)))
    packed = fill_rows(rollouts, rows, 48, len(rows))
    used = int(packed.ranges.lengths.sum())
    apart = sum(len(r.prompt_ids) + len(r.completion.token_ids) - 1 for r in rollouts)
    assert used < apart
    pairs = {(placed.row, rollouts[placed.index].prompt_ids) for row in rows for placed in row}
    assert used == sum(len(prompt) for _, prompt in pairs) + sum(
        len(r.completion.token_ids) - 1 for r in rollouts
    )


def test_width_holds_the_longest_and_repeats():
    assert row_width(_rollouts(longest=9)) == 256
    assert row_width(_rollouts(num_problems=30, longest=400), least=64) % 64 == 0


def test_columns_go_with_their_tokens():
    rollouts = _rollouts(2, 2)
    columns = {
        "old_logprobs": [torch.tensor(r.completion.logprobs) for r in rollouts],
        "advantages": [
            torch.full((len(r.completion.token_ids),), a)
            for r, a in zip(rollouts, [1.0, -1.0, 0.5, 2.0], strict=True)
        ],
    }
    (batch,) = batches(rollouts, columns, 10_000)
    assert batch.members == [0, 1, 2, 3]
    for row, (rollout, advantage) in enumerate(zip(rollouts, [1.0, -1.0, 0.5, 2.0], strict=True)):
        mask = batch.completion_mask[row]
        assert batch.columns["old_logprobs"][row][mask].tolist() == list(rollout.completion.logprobs)
        assert set(batch.columns["advantages"][row][mask].tolist()) == {advantage}
        assert batch.columns["advantages"][row][~mask].abs().sum() == 0
    assert batch.num_tokens == sum(len(r.completion.token_ids) for r in rollouts)


def test_a_completion_that_is_only_eos():
    rollouts = [
        Rollout(
            Problem("0", "", "1"),
            0,
            (5, 6),
            Completion("", (0,), (-0.5,), False),
            Verdict("other", None, "wrong"),
            0.0,
        )
    ]
    (batch,) = batches(rollouts, {}, 100)
    assert batch.targets.tolist() == [0]
    assert batch.sources.tolist() == [1]


def test_nothing_to_fit_makes_no_batch():
    assert list(batches([], {}, 100)) == []
