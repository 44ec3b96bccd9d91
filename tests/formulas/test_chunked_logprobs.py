"""log-probabilities in chunks: the plain way's values and gradients, whatever the size of a chunk."""

import pytest
import torch

from echochamber.formulas.chunked_logprobs import chunked_logprobs
from echochamber.formulas.logprobs import token_entropy, token_logprobs


def _case(tokens=23, width=8, vocabulary=31):
    stream = torch.Generator().manual_seed(0)
    hidden = torch.randn(tokens, width, generator=stream).requires_grad_()
    weight = torch.randn(vocabulary, width, generator=stream).requires_grad_()
    token_ids = torch.randint(0, vocabulary, (tokens,), generator=stream)
    upstream = torch.randn(tokens, generator=stream)
    return hidden, weight, token_ids, upstream


def _gradients(logprobs, upstream, *inputs):
    return torch.autograd.grad((logprobs * upstream).sum(), inputs)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("at_once", [1, 5, 23, 100, None])
def test_values_entropies_and_gradients_are_those_of_the_plain_way(temperature, at_once):
    hidden, weight, token_ids, upstream = _case()
    logits = hidden @ weight.T
    expected = token_logprobs(logits, token_ids, temperature)
    found, entropies = chunked_logprobs(hidden, weight, token_ids, temperature, True, at_once)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(entropies, token_entropy(logits, temperature), atol=1e-5, rtol=1e-5)
    assert not entropies.requires_grad
    for mine, theirs in zip(
        _gradients(found, upstream, hidden, weight),
        _gradients(expected, upstream, hidden, weight),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_gradients_are_those_of_finite_differences():
    hidden, weight, token_ids, _ = _case(tokens=5, width=3, vocabulary=4)
    hidden, weight = (part.detach().double().requires_grad_() for part in (hidden, weight))
    # Float64 in, float32 inside: the steps of the check are large enough for that.
    assert torch.autograd.gradcheck(
        lambda h, w: chunked_logprobs(h, w, token_ids, 0.8, at_once=2)[0],
        (hidden, weight),
        eps=1e-2,
        atol=1e-2,
        rtol=1e-2,
    )


def test_bf16_autocast_rounds_as_the_plain_way_does():
    hidden, weight, token_ids, upstream = _case(tokens=64, width=64, vocabulary=512)
    exact = token_logprobs(hidden @ weight.T, token_ids)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain = token_logprobs(torch.nn.functional.linear(hidden, weight), token_ids)
        found, entropies = chunked_logprobs(hidden, weight, token_ids, at_once=10)
    assert entropies is None
    torch.testing.assert_close(found, plain, atol=1e-4, rtol=1e-4)
    mine, theirs, true = (_gradients(way, upstream, hidden, weight) for way in (found, plain, exact))
    for a, b, c in zip(mine, theirs, true, strict=True):
        assert a.dtype == torch.float32
        assert (a - c).norm() < 1.2 * (b - c).norm()


def test_no_more_than_one_piece_of_logits_is_alive():
    """A dispatch mode sees every tensor; the largest one is a chunk of the logits."""
    hidden, weight, token_ids, upstream = _case(tokens=4096, width=8, vocabulary=1000)
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest = max(largest, out.numel())
            return out

    with Watch():
        logprobs, _ = chunked_logprobs(hidden, weight, token_ids, at_once=128)
        _gradients(logprobs, upstream, hidden, weight)
    assert largest == 128 * 1000


def test_frozen_weights_get_no_gradient():
    hidden, weight, token_ids, upstream = _case()
    found, _ = chunked_logprobs(hidden, weight.detach(), token_ids)
    (gradient,) = _gradients(found, upstream, hidden)
    assert gradient.abs().max() > 0
