"""Sampling against a plain forward pass, and its independence of neighbours."""

from itertools import chain

import numpy as np
import pytest
import torch

from echochamber.core.errors import UserError
from echochamber.core.random import key
from echochamber.formulas.logprobs import token_logprobs
from echochamber.model.sampling import SamplingConfig
from echochamber.model.tokenizer import Tokenizer

from .conftest import generate, native_engine, tiny_model

PROMPTS = ["Mia has 3 boxes", "How", "pens? 4 * 5 = 20. Mia has 7 boxes of 8 pens."]


def _keys(count, group=4, seed=0):
    return np.array([[key(seed, p, g) for g in range(group)] for p in range(count)], dtype=np.uint64)


def _run(model, tokenizer, texts, keys, **settings):
    sampling = SamplingConfig(**{"max_new_tokens": 12} | settings)
    return list(generate(model, tokenizer, [tokenizer.encode(t) for t in texts], keys, sampling))


@pytest.mark.parametrize("architecture", ["llama", "olmo"])
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_logprobs_equal_a_forward_pass(tokenizer, architecture, temperature):
    model = tiny_model(architecture)
    groups = _run(model, tokenizer, PROMPTS, _keys(3), temperature=temperature)
    for text, group in zip(PROMPTS, groups, strict=True):
        prompt = tokenizer.encode(text)
        for completion in group:
            ids = torch.tensor([prompt + list(completion.token_ids)])
            with torch.no_grad():
                logits = model(ids[:, :-1])
            expected = token_logprobs(logits, ids[:, 1:], temperature)[0, len(prompt) - 1 :]
            torch.testing.assert_close(torch.tensor(completion.logprobs), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("keep", "size"), [(1.01, 2), (1.01, 1), (1.01, 3)])
def test_packing_at_every_step_changes_no_number(tokenizer, monkeypatch, keep, size):
    model = tiny_model("llama")
    plain = _run(model, tokenizer, PROMPTS, _keys(3, 5), max_new_tokens=30)
    monkeypatch.setattr("echochamber.model.torch_sampler.KEEP_SHARE", keep)
    monkeypatch.setattr("echochamber.model.torch_sampler._PACKED_GROUP", size)
    packed = _run(model, tokenizer, PROMPTS, _keys(3, 5), max_new_tokens=30)
    for mine, theirs in zip(chain(*plain), chain(*packed), strict=True):
        assert mine.token_ids == theirs.token_ids
        np.testing.assert_allclose(mine.logprobs, theirs.logprobs, atol=1e-4)


def test_greedy_equals_step_by_step_argmax(tokenizer):
    model = tiny_model("llama", seed=3)
    ((completion,),) = _run(model, tokenizer, PROMPTS[:1], _keys(1, 1), temperature=0)
    ids = tokenizer.encode(PROMPTS[0])
    for token in completion.token_ids:
        with torch.no_grad():
            assert int(model(torch.tensor([ids]))[0, -1].argmax()) == token
        ids = [*ids, token]


def test_a_completion_does_not_depend_on_its_neighbours(tokenizer):
    model = tiny_model("llama")
    together = _run(model, tokenizer, PROMPTS, _keys(3))
    alone = [_run(model, tokenizer, [text], _keys(3)[i : i + 1])[0] for i, text in enumerate(PROMPTS)]
    narrow = _run(model, tokenizer, PROMPTS, _keys(3), max_rows=4)
    for other in (alone, narrow):
        for mine, theirs in zip(chain(*together), chain(*other), strict=True):
            assert mine.token_ids == theirs.token_ids
            np.testing.assert_allclose(mine.logprobs, theirs.logprobs, atol=1e-4)


def test_draws_follow_the_model_distribution(tokenizer):
    model = tiny_model("llama")
    prompt = tokenizer.encode("Mia has")
    count = 4000
    (group,) = generate(
        model, tokenizer, [prompt], _keys(1, count), SamplingConfig(max_new_tokens=1, max_rows=count)
    )
    observed = np.bincount([c.token_ids[0] for c in group], minlength=300) / count
    with torch.no_grad():
        expected = torch.softmax(model(torch.tensor([prompt]))[0, -1], -1).numpy()
    sigma = np.sqrt(expected * (1 - expected) / count)
    assert (np.abs(observed - expected) < 5 * sigma + 1e-3).all()


def test_eos_ends_a_completion_and_the_limit_truncates(tokenizer):
    model = tiny_model("llama")
    groups = _run(model, tokenizer, PROMPTS, _keys(3, 64), max_new_tokens=40)
    completions = [c for group in groups for c in group]
    ended = [c for c in completions if not c.truncated]
    assert 0 < len(ended) < len(completions)
    assert all(
        c.token_ids[-1] == tokenizer.eos_id and tokenizer.eos_id not in c.token_ids[:-1] for c in ended
    )
    assert all(
        len(c.token_ids) == 40 and tokenizer.eos_id not in c.token_ids for c in completions if c.truncated
    )
    assert all(len(c.logprobs) == len(c.token_ids) for c in completions)


def test_a_prompt_too_long_is_refused(tokenizer):
    with pytest.raises(UserError, match="128"):
        _run(tiny_model("llama"), tokenizer, ["pens " * 60], _keys(1), max_new_tokens=100)


def test_groups_come_as_they_finish_and_are_the_same(tokenizer):
    model, keys = (
        tiny_model("llama"),
        np.array([[key("t", p, g) for g in range(4)] for p in range(9)], dtype=np.uint64),
    )
    prompts = [list(range(2, 4 + p)) for p in range(9)]
    sampling = SamplingConfig(temperature=1.0, max_new_tokens=40, max_rows=16)
    model.lm_head.weight.data[tokenizer.eos_id] += 0.3  # some end early, some are cut
    ordered = list(generate(model, tokenizer, prompts, keys, sampling))
    finished = list(native_engine(model, tokenizer, sampling).sample_as_finished(prompts, keys))
    assert sorted(index for index, _ in finished) == list(range(9))
    assert all(group == ordered[index] for index, group in finished)
    assert {c.truncated for group in ordered for c in group} == {True, False}


def test_padding_may_be_the_end_token(tokenizer):
    model, keys = tiny_model("llama"), _keys(3)
    model.lm_head.weight.data[tokenizer.eos_id] += 0.3
    prompts = [tokenizer.encode(text) for text in PROMPTS]
    same = Tokenizer(tokenizer._tokenizer, tokenizer.eos_id, pad_id=tokenizer.eos_id)
    sampling = SamplingConfig(max_new_tokens=30)
    assert list(generate(model, same, prompts, keys, sampling)) == list(
        generate(model, tokenizer, prompts, keys, sampling)
    )
