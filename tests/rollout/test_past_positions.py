"""Prompts that leave no room for `max_new_tokens`: an error, or shorter completions."""

import numpy as np
import pytest

from echochamber.core.errors import UserError
from echochamber.model.sampling import SamplingConfig, by_room
from tests.model.conftest import native_engine, tiny_model, tokenizer  # noqa: F401


def test_prompts_with_less_room_are_sampled_by_themselves():
    prompts = [[1] * length for length in (10, 900, 40, 1000, 930)]
    found = by_room(prompts, SamplingConfig(max_new_tokens=200, past_positions="cut"), 1024)
    assert [(indices, one.max_new_tokens) for indices, one in found] == [
        ([0, 2], 200),
        ([1, 4], 64),
        ([3], 24),
    ]


@pytest.mark.parametrize("architecture", ["olmo", "llama"])
def test_what_fits_is_sampled_and_counted_as_truncated(tokenizer, architecture):  # noqa: F811
    model = tiny_model(architecture)  # 128 positions
    prompts = [[5, 6, 7], [5] * 120, [9, 8]]
    keys = np.arange(6, dtype=np.uint64).reshape(3, 2)
    whole = SamplingConfig(max_new_tokens=100, past_positions="cut")
    groups = list(native_engine(model, tokenizer, whole).sample(prompts, keys))
    assert [len(group) for group in groups] == [2, 2, 2]
    assert max(len(one.token_ids) for one in groups[1]) <= 8
    assert all(one.truncated == (one.token_ids[-1] != tokenizer.eos_id) for group in groups for one in group)
    assert any(one.truncated for one in groups[1])
    # The others are as they are without the long prompt: streams belong to prompts, not to places in a batch.
    alone = native_engine(model, tokenizer, SamplingConfig(max_new_tokens=100)).sample(
        [prompts[0], prompts[2]], keys[[0, 2]]
    )
    assert [[one.token_ids for one in group] for group in alone] == [
        [one.token_ids for one in groups[index]] for index in (0, 2)
    ]


def test_without_the_key_it_is_an_error_and_a_full_prompt_always_is(tokenizer):  # noqa: F811
    model = tiny_model("llama")
    keys = np.zeros((1, 1), dtype=np.uint64)
    with pytest.raises(UserError, match="need 220 positions; the model has 128"):
        list(native_engine(model, tokenizer, SamplingConfig(max_new_tokens=100)).sample([[5] * 120], keys))
    cut = SamplingConfig(max_new_tokens=100, past_positions="cut")
    with pytest.raises(UserError, match="fills the model's 128 positions"):
        list(native_engine(model, tokenizer, cut).sample([[5] * 128], keys))
