"""GRPO's parts: hand-worked cases and the exact policy gradient by enumeration."""

import itertools
import math

import pytest
import torch

from echochamber.formulas.advantages import (
    best_of_group,
    gae,
    group_centred,
    group_normalised,
    leave_one_out,
    rewards_as_weights,
    whiten,
)
from echochamber.formulas.losses import (
    clipped_surrogate,
    negative_log_likelihood,
    sequence_ratio,
    sum_per_sequence,
    sum_per_token,
    token_ratio,
    value_loss,
)


def _clipped(logprobs, old, advantages, low, high):
    return clipped_surrogate(
        logprobs, token_ratio(logprobs, old, torch.ones_like(old, dtype=torch.bool)), advantages, low, high
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
    _clipped(logprobs, old, advantages, 0.2, 0.2).sum().backward()
    torch.testing.assert_close(logprobs.grad, -advantages)


def test_clipping_stops_the_gradient_on_the_far_side_only():
    old = torch.zeros(1, 4)
    logprobs = torch.tensor([[0.5, -0.5, 0.5, -0.5]]).requires_grad_()
    advantages = torch.tensor([[1.0, 1, -1, -1]])
    _clipped(logprobs, old, advantages, 0.2, 0.2).sum().backward()
    moved = logprobs.grad != 0
    assert moved.tolist() == [[False, True, True, False]]


def test_clip_higher_widens_one_side():
    loss = _clipped(torch.tensor([[0.25]]), torch.zeros(1, 1), torch.ones(1, 1), 0.2, 0.28)
    torch.testing.assert_close(loss, -torch.tensor([[1.28]]).clamp(max=torch.tensor(0.25).exp()))


def test_nll_weights_are_the_advantages():
    logprobs = torch.tensor([[-1.0, -2.0]])
    assert negative_log_likelihood(logprobs, logprobs, torch.tensor([[1.0, 0.0]]), 0.2, 0.2).tolist() == [
        [1.0, 0.0]
    ]


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
    (weights[:, None] * _clipped(logprobs, old, advantages, 0.2, 0.2)).sum().backward()
    for leaf, gradient in zip(leaves, exact, strict=True):
        torch.testing.assert_close(leaf.grad, gradient)


def test_leave_one_out_is_the_reward_less_the_mean_of_the_others():
    rewards = torch.tensor([[1.0, 0, 0, 1], [1, 0, 0, 0]])
    for row, column in itertools.product(range(2), range(4)):
        others = [float(rewards[row, i]) for i in range(4) if i != column]
        assert float(leave_one_out(rewards)[row, column]) == pytest.approx(
            float(rewards[row, column]) - sum(others) / 3
        )
    with pytest.raises(ValueError, match="at least two"):
        leave_one_out(torch.ones(3, 1))


def test_weights_keep_what_was_paid_for_and_best_of_group_one_of_them():
    rewards = torch.tensor([[0.0, 1, 1], [0, 0, 0], [-1, 0.5, 1]])
    assert rewards_as_weights(rewards).tolist() == [[0, 1, 1], [0, 0, 0], [0, 0.5, 1]]
    assert best_of_group(rewards).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1]]


def _ragged(seed=0):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([5, 1, 3, 4])
    mask = torch.arange(5) < lengths[:, None]
    return [torch.randn(4, 5, generator=generator) * mask for _ in range(2)] + [mask]


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0), (0.97, 0.0)])
def test_gae_equals_the_slow_sum_of_discounted_errors(gamma, lam):
    rewards, values, mask = _ragged()
    result = gae(rewards, values, mask, gamma, lam)
    for b, length in enumerate(mask.sum(1).tolist()):
        for t in range(5):
            after = [*values[b].tolist()[:length], 0.0]
            expected = sum(
                (gamma * lam) ** (s - t) * (float(rewards[b, s]) + gamma * after[s + 1] - after[s])
                for s in range(t, length)
            )
            assert float(result[b, t]) == pytest.approx(expected if t < length else 0.0, abs=1e-6)


def test_gae_at_lambda_one_is_return_minus_value_and_at_zero_the_one_step_error():
    rewards, values, mask = _ragged(1)
    returns = rewards.flip(1).cumsum(1).flip(1)
    torch.testing.assert_close(gae(rewards, values, mask, 1.0, 1.0), (returns - values) * mask)
    following = torch.cat([values[:, 1:], torch.zeros(4, 1)], dim=1)
    torch.testing.assert_close(gae(rewards, values, mask, 1.0, 0.0), (rewards + following - values) * mask)


def test_whitening_counts_valid_entries_only():
    values, _, mask = _ragged(2)
    result = whiten(values + 100.0 * ~mask, mask)
    assert (result[~mask] == 0).all()
    assert float(result[mask].mean()) == pytest.approx(0, abs=1e-6)
    assert float(result[mask].std()) == pytest.approx(1, abs=1e-4)
    assert (whiten(torch.full((2, 3), 0.3), torch.ones(2, 3, dtype=torch.bool)) == 0).all()
    assert (whiten(torch.ones(2, 3), torch.zeros(2, 3, dtype=torch.bool)) == 0).all()


def test_sequence_ratio_is_the_geometric_mean_and_does_not_grow_with_length():
    difference = torch.tensor([[0.1, 0.3, 9.0], [0.1, 0.1, 0.1]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]], dtype=torch.bool)
    ratio = sequence_ratio(difference, torch.zeros(2, 3), mask)
    assert ratio[0].tolist() == pytest.approx([math.exp(0.2)] * 3)
    assert ratio[1].tolist() == pytest.approx([math.exp(0.1)] * 3)
    assert token_ratio(difference, torch.zeros(2, 3), mask)[0, 1] == pytest.approx(math.exp(0.3))


def test_value_loss_is_clipped_where_the_step_was_large():
    values = torch.tensor([[0.1, 0.9, 0.9]]).requires_grad_()
    old, returns = torch.zeros(1, 3), torch.tensor([[1.0, 1.0, 0.0]])
    loss = value_loss(values, old, returns, 0.2)
    assert loss.tolist()[0] == pytest.approx([0.5 * 0.9**2, 0.5 * 0.8**2, 0.5 * 0.9**2])
    loss.sum().backward()
    assert values.grad[0, 1] == 0, "moved too far towards the return: no gradient"
    assert values.grad[0, 2] > 0, "moved away from the return: brought back"
    plain = value_loss(values.detach(), old, returns, float("inf"))
    assert plain.tolist()[0] == pytest.approx([0.5 * 0.9**2, 0.5 * 0.1**2, 0.5 * 0.9**2])
