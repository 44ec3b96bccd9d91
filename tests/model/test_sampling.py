"""Top-p, top-k and stop strings: what is left of the distribution, and where a text ends."""

import itertools
from itertools import chain

import numpy as np
import pytest
import torch

from echochamber.core.errors import UserError
from echochamber.formulas.logprobs import token_logprobs
from echochamber.model.sampling import SamplingConfig, choose, truncated

from .conftest import tiny_model
from .test_generate import PROMPTS, _keys, _run

SHARES = [[0.4, 0.1, 0.25, 0.25], [0.7, 0.15, 0.1, 0.05], [0.25, 0.25, 0.25, 0.25], [0.05, 0.05, 0.45, 0.45]]
CUTS = [(1.0, 0), (0.6, 0), (0.3, 0), (0.95, 0), (1.0, 1), (1.0, 2), (0.6, 2), (0.9, 3), (1e-6, 0), (1.0, 9)]


def _kept(row, top_p, top_k):
    """By trying every set: the fewest and likeliest tokens that hold `top_p`, then the first `top_k`.

    Tokens as likely as the last one join.
    """
    sets = [
        s
        for size in range(1, len(row) + 1)
        for s in itertools.combinations(row, size)
        if sum(s) >= top_p - 1e-9
    ]
    best = sorted(min(sets, key=lambda s: (len(s), -sum(s))), reverse=True)
    edge = min(best[:top_k] if top_k else best)
    return [share if share >= edge else 0.0 for share in row]


@pytest.mark.parametrize(("top_p", "top_k"), CUTS)
def test_what_is_kept_equals_enumeration(top_p, top_k):
    shares = torch.tensor(SHARES, dtype=torch.float64)
    found = truncated(shares, SamplingConfig(top_p=top_p, top_k=top_k))
    assert found.tolist() == [_kept(row, top_p, top_k) for row in SHARES]


@pytest.mark.parametrize(("top_p", "top_k"), CUTS)
def test_draws_follow_the_kept_shares_exactly(monkeypatch, top_p, top_k):
    """Evenly spaced draws land on each token as often as its share says, up to one."""
    count = 2000
    draws = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    for row in SHARES:
        logits = torch.tensor(row).log().expand(count, -1)
        chosen, logprobs = choose(logits, draws, SamplingConfig(top_p=top_p, top_k=top_k))
        kept = np.array(_kept(row, top_p, top_k))
        observed = np.bincount(chosen.numpy(), minlength=4) / count
        np.testing.assert_allclose(observed, kept / kept.sum(), atol=1.5 / count)
        # The log-probability is the whole distribution's, whatever was cut off.
        np.testing.assert_allclose(logprobs.numpy(), np.log(row)[chosen.numpy()], atol=1e-6)


def test_top_k_of_one_is_greedy(tokenizer):
    model = tiny_model("llama")
    greedy, single = (
        _run(model, tokenizer, PROMPTS, _keys(3, 2), **s) for s in ({"temperature": 0}, {"top_k": 1})
    )
    assert [c.token_ids for c in chain(*greedy)] == [c.token_ids for c in chain(*single)]


@pytest.mark.parametrize("stop", [("a",), ("e", "1"), ("pens",), ("\n", "?"), None])
def test_text_ends_before_a_stop_string(tokenizer, stop):
    model = tiny_model("llama")
    plain = list(chain(*_run(model, tokenizer, PROMPTS, _keys(3, 32), max_new_tokens=40)))
    if stop is None:  # a string over several tokens
        windows = (c.text[i : i + 6] for c in plain for i in range(10, len(c.text) - 6))
        stop = (next(text for text in windows if text.isascii()),)
        assert len(tokenizer.encode(stop[0])) > 1
    stopped = list(chain(*_run(model, tokenizer, PROMPTS, _keys(3, 32), max_new_tokens=40, stop=stop)))
    hits = 0
    for whole, cut in zip(plain, stopped, strict=True):
        places = [place for s in stop if (place := whole.text.find(s)) >= 0]
        assert cut.text == whole.text[: min(places, default=None)]
        assert cut.token_ids == whole.token_ids[: len(cut.token_ids)]
        np.testing.assert_allclose(cut.logprobs, whole.logprobs[: len(cut.logprobs)], atol=1e-4)
        if places:
            hits += 1
            before, at = tokenizer.decode_batch([cut.token_ids[:-1], cut.token_ids])
            assert any(s in at for s in stop)
            assert not any(s in before for s in stop)
            assert not cut.truncated
        else:
            assert (cut.text, cut.token_ids, cut.truncated) == (whole.text, whole.token_ids, whole.truncated)
    assert hits > 0


def test_a_trainer_sees_the_logprobs_of_stopped_completions(tokenizer):
    model, prompt = tiny_model("llama"), tokenizer.encode(PROMPTS[0])
    ((*group,),) = _run(model, tokenizer, PROMPTS[:1], _keys(1, 16), stop=("e",), max_new_tokens=30)
    for completion in group:
        ids = torch.tensor([prompt + list(completion.token_ids)])
        with torch.no_grad():
            expected = token_logprobs(model(ids[:, :-1]), ids[:, 1:], 1.0)[0, len(prompt) - 1 :]
        torch.testing.assert_close(torch.tensor(completion.logprobs), expected, atol=1e-4, rtol=0)


def test_an_empty_stop_string_is_refused():
    with pytest.raises(UserError, match="empty"):
        SamplingConfig.parse({"stop": [""]}, "sample")
