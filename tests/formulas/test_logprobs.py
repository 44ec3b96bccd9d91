"""Log-probabilities and KL estimates against exact enumeration over a small vocabulary."""

import torch

from echochamber.formulas.logprobs import KL_ESTIMATORS, kl_k1, kl_k2, kl_k3, token_entropy, token_logprobs


def _policies(size=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, generator=generator, dtype=torch.float64) for _ in range(2)]


def _exact_kl(logits, ref):
    logp, logq = logits.log_softmax(-1), ref.log_softmax(-1)
    return (logp.exp() * (logp - logq)).sum()


def test_token_logprobs_are_those_of_the_tempered_softmax():
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    token_ids = torch.tensor([[0, 4, 2], [1, 1, 3]])
    expected = (logits / 0.7).log_softmax(-1).gather(-1, token_ids[..., None])[..., 0]
    torch.testing.assert_close(token_logprobs(logits, token_ids, 0.7), expected)


def test_entropy_is_log_v_for_a_uniform_policy_and_zero_for_a_sure_one():
    torch.testing.assert_close(token_entropy(torch.zeros(1, 8)), torch.tensor([8.0]).log())
    assert float(token_entropy(torch.tensor([[0.0, 200.0]]))) < 1e-6


def test_k1_and_k3_are_unbiased_for_the_value():
    logits, ref = _policies()
    logp, logq = logits.log_softmax(-1), ref.log_softmax(-1)
    for estimator in (kl_k1, kl_k3):
        torch.testing.assert_close((logp.exp() * estimator(logp, logq)).sum(), _exact_kl(logits, ref))


def test_k3_is_never_negative_and_k1_is():
    logits, ref = _policies()
    logp, logq = logits.log_softmax(-1), ref.log_softmax(-1)
    assert (kl_k3(logp, logq) >= 0).all()
    assert (kl_k1(logp, logq) < 0).any()


def _expected_gradient(estimator, logits, ref):
    """Gradient of a sampled loss term: the samples are fixed, only log pi(token) is differentiated."""
    weights = logits.softmax(-1).detach()
    leaf = logits.clone().requires_grad_()
    (weights * estimator(leaf.log_softmax(-1), ref.log_softmax(-1))).sum().backward()
    return leaf.grad


def test_gradient_of_k2_is_the_reverse_kl_and_of_k3_the_forward_kl():
    logits, ref = _policies()
    leaf = logits.clone().requires_grad_()
    _exact_kl(leaf, ref).backward()
    torch.testing.assert_close(_expected_gradient(kl_k2, logits, ref), leaf.grad)
    forward = logits.clone().requires_grad_()
    _exact_kl(ref, forward).backward()
    torch.testing.assert_close(_expected_gradient(kl_k3, logits, ref), forward.grad)


def test_k1_as_a_loss_term_has_no_gradient_at_all():
    logits, ref = _policies()
    assert _expected_gradient(kl_k1, logits, ref).abs().max() < 1e-12


def test_all_estimators_vanish_between_equal_policies():
    logp = _policies()[0].log_softmax(-1)
    assert all(estimator(logp, logp).abs().max() == 0 for estimator in KL_ESTIMATORS.values())
