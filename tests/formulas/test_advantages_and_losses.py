"""GRPO's parts: hand-worked cases and the exact policy gradient by enumeration."""

import pytest
import torch

from echochamber.formulas.advantages import group_centred, group_normalised
from echochamber.formulas.losses import (
    clipped_surrogate,
    negative_log_likelihood,
    sum_per_sequence,
    sum_per_token,
)


def test_group_advantages_sum_to_zero_and_have_unit_spread():
    rewards = torch.tensor([[1.0, 0, 0, 1], [1, 0, 0, 0]])
    for estimator in (group_centred, group_normalised):
        assert estimator(rewards).sum(1).abs().max() < 1e-5
    torch.testing.assert_close(group_normalised(rewards).std(1), torch.ones(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(group_centred(rewards)[1], torch.tensor([0.75, -0.25, -0.25, -0.25]))


@pytest.mark.parametrize("value", [0.0, 1.0, 1 / 3])
def test_groups_of_equal_reward_give_exact_zeros(value):
    assert (group_normalised(torch.full((3, 8), value)) == 0).all()


def test_ratio_one_gives_the_plain_policy_gradient():
    old = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    logprobs = old.clone().requires_grad_()
    advantages = torch.tensor([[1.0, 1, 1], [-2, -2, -2]])
    clipped_surrogate(logprobs, old, advantages, 0.2, 0.2).sum().backward()
    torch.testing.assert_close(logprobs.grad, -advantages)


def test_clipping_stops_the_gradient_on_the_far_side_only():
    old = torch.zeros(1, 4)
    logprobs = torch.tensor([[0.5, -0.5, 0.5, -0.5]]).requires_grad_()
    advantages = torch.tensor([[1.0, 1, -1, -1]])
    clipped_surrogate(logprobs, old, advantages, 0.2, 0.2).sum().backward()
    moved = logprobs.grad != 0
    assert moved.tolist() == [[False, True, True, False]]


def test_clip_higher_widens_one_side():
    loss = clipped_surrogate(torch.tensor([[0.25]]), torch.zeros(1, 1), torch.ones(1, 1), 0.2, 0.28)
    torch.testing.assert_close(loss, -torch.tensor([[1.28]]).clamp(max=torch.tensor(0.25).exp()))


def test_nll_weights_are_the_advantages():
    logprobs = torch.tensor([[-1.0, -2.0]])
    assert negative_log_likelihood(logprobs, logprobs, torch.tensor([[1.0, 0.0]]), 0.2, 0.2).tolist() == [[1.0, 0.0]]


def test_averages_ignore_padding_and_split_exactly():
    values = torch.arange(12.0).reshape(3, 4)
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], dtype=torch.bool)
    assert float(sum_per_token(values, mask, 6)) == pytest.approx((0 + 1 + 4 + 5 + 6 + 7) / 6)
    assert float(sum_per_sequence(values, mask, 3)) == pytest.approx((0.5 + 5.5 + 0) / 3)
    for average, count in ((sum_per_token, 6), (sum_per_sequence, 3)):
        parts = sum(float(average(values[i : i + 1], mask[i : i + 1], count)) for i in range(3))
        assert parts == pytest.approx(float(average(values, mask, count)))


def test_expected_loss_gradient_is_the_policy_gradient_by_enumeration():
    """All sequences of two tokens over three symbols: E[grad of loss] = -grad E[reward]."""
    generator = torch.Generator().manual_seed(1)
    first = torch.randn(3, generator=generator, dtype=torch.float64)
    second = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    rewards = torch.randn(3, 3, generator=generator, dtype=torch.float64)

    def sequence_logprobs(a, b):
        return a.log_softmax(-1)[:, None], b.log_softmax(-1)

    leaves = [first.clone().requires_grad_(), second.clone().requires_grad_()]
    p1, p2 = sequence_logprobs(*leaves)
    ((p1 + p2).exp() * rewards).sum().backward()
    exact = [-leaf.grad for leaf in leaves]

    leaves = [first.clone().requires_grad_(), second.clone().requires_grad_()]
    p1, p2 = sequence_logprobs(*leaves)
    logprobs = torch.stack([p1.expand(3, 3), p2], dim=-1).reshape(9, 2)
    old = logprobs.detach()
    advantages = (rewards - 0.3).reshape(9, 1).expand(9, 2)
    weights = old.sum(1).exp()
    (weights[:, None] * clipped_surrogate(logprobs, old, advantages, 0.2, 0.2)).sum().backward()
    for leaf, gradient in zip(leaves, exact, strict=True):
        torch.testing.assert_close(leaf.grad, gradient)
