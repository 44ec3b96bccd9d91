"""Algorithms that a user's module adds: the examples do what they say, by enumeration, and are told apart."""

import sys
from pathlib import Path

import pytest
import torch

from echochamber.core.artifacts import Store
from echochamber.core.errors import UserError
from echochamber.rl import algorithms
from echochamber.rl.algorithms import Algorithm, algorithm_row, register_algorithm
from echochamber.rl.config import RLConfig
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe
from echochamber.study.status import StudyStatus
from echochamber.study.user_modules import load_user_modules

from .enumerated import LIMIT, SEQUENCES, all_steps, expected_gradient, gradient, sequence_logps

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "own-algorithm"
SUCCESSES = {(2, 0): 1.0, (2, 1): 1.0}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test registers is gone after it, and its modules are imported anew by the next."""
    monkeypatch.setattr(algorithms, "_REGISTRY", dict(algorithms._REGISTRY))
    yield
    for name in [name for name in sys.modules if name.startswith("echochamber_user_")]:
        del sys.modules[name]


def _load(name):
    load_user_modules([str(EXAMPLES / name)])


def _config(algorithm, group):
    return RLConfig(algorithm=algorithm, samples_per_prompt=group, max_new_tokens=LIMIT)


def _truncated_likelihood_gradient(model, order):
    """Gradient of -sum_{k=1}^order (1 - p)^k / k, the paper's expansion of log p."""
    rewarded = torch.tensor([s in SUCCESSES for s in SEQUENCES])
    failure = 1 - sequence_logps(model).exp()[rewarded].sum()
    return gradient(model, -sum(failure**k / k for k in range(1, order + 1)))


@pytest.mark.parametrize("group", [2, 3])
def test_maxrl_follows_the_truncated_likelihood(group):
    """Order N - 1: leaving out groups without success turns the baseline into the term of order N."""
    _load("maxrl.py")
    learner, found = expected_gradient(_config("maxrl", group), SUCCESSES, group)
    torch.testing.assert_close(
        found, -_truncated_likelihood_gradient(learner.policy, group - 1), atol=2e-6, rtol=1e-4
    )


@pytest.mark.parametrize("group", [2, 3])
def test_without_its_baseline_maxrl_has_the_papers_expected_gradient(group):
    """The mean of the successes' scores alone: order N, as in the paper's theorem."""

    def over_mean(rewards):
        mean = rewards.mean(dim=1, keepdim=True)
        return rewards / mean.where(mean > 0, 1.0)

    register_algorithm(
        Algorithm("maxrl_plain", over_mean, algorithm_row("rloo").loss, average="sum", divides_by="mean")
    )
    learner, found = expected_gradient(_config("maxrl_plain", group), SUCCESSES, group)
    torch.testing.assert_close(
        found, -_truncated_likelihood_gradient(learner.policy, group), atol=2e-6, rtol=1e-4
    )


def test_the_entropy_bonus_adds_the_entropy_gradient_of_the_states_visited(monkeypatch):
    _load("entropy_bonus.py")
    row = algorithm_row("grpo_entropy")
    config = RLConfig(
        algorithm=row.name,
        samples_per_prompt=2,
        max_new_tokens=LIMIT,
        loss={"average": "sum"},
        temperature=1.0,
    )
    learner, found = expected_gradient(config, SUCCESSES)
    _, without = expected_gradient(config.model_copy(update={"algorithm": "grpo"}), SUCCESSES)
    weights, entropy = sequence_logps(learner.policy).detach().exp(), torch.zeros(())
    for weight, steps in zip(weights, all_steps(learner.policy), strict=True):
        entropy = entropy - weight * (steps.exp() * steps).sum()
    exact = gradient(learner.policy, entropy)
    torch.testing.assert_close(found - without, -0.01 * exact, atol=1e-6, rtol=1e-3)
    assert float(exact.norm()) > 0.1


def test_a_recipe_brings_its_own_algorithm_and_the_study_describes_it(tmp_path):
    module = f"modules=[{EXAMPLES / 'maxrl.py'}]"
    graph = build_graph(
        load_recipe("smoke", [module, "rl.grpo.algorithm=maxrl"]), Store(tmp_path / "artifacts")
    )
    described = StudyStatus(tmp_path, graph).to_json()["algorithms"]
    assert described["maxrl"] == {
        "policy_gradient": True,
        "divides_by": "mean",
        "whiten": False,
        "loss_terms": 0,
        "critic": False,
        "own_baseline": True,
    }
    plain = build_graph(load_recipe("smoke", []), Store(tmp_path / "artifacts"))
    changed = {
        name.split("/")[0]
        for name in graph.nodes
        if graph.nodes[name].spec.fingerprint != plain.nodes[name].spec.fingerprint
    }
    assert changed == {"rl", "evaluate", "probe", "forecast"}


def test_a_taken_name_is_refused():
    with pytest.raises(UserError, match="algorithm 'grpo' is registered already"):
        register_algorithm(Algorithm("grpo", algorithm_row("rloo").advantages))
