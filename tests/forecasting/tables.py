"""Tables of behaviours for tests, and gains that make a run short."""

import numpy as np

from echochamber.forecasting.behaviour_table import BehaviourTable
from echochamber.forecasting.table_policy import Gains
from echochamber.rl.config import RLConfig

GAINS = Gains(choice=120.0, choice_by_problem=10.0, skill=30.0, skill_by_problem=3.0, value=100.0)


def table_of(shares, accuracies, tokens=None, problems=40, samples=20) -> BehaviourTable:
    """Every problem alike: `samples` completions with these shares and accuracies."""
    num = np.rint(np.tile(np.array(shares) * samples, (problems, 1))).astype(float)
    right = np.rint(num * np.array(accuracies))
    lengths = np.array(tokens or [(30.0, 30.0)] * len(shares), dtype=float)
    names = tuple(f"b{i}" for i in range(len(shares)))
    ids = tuple(f"p{i}" for i in range(problems))
    return BehaviourTable(ids, names, num, right, lengths, np.full(len(shares), 4), np.ones(len(shares)))


def arm(**settings) -> RLConfig:
    """An arm of a few steps."""
    base = {
        "steps": 12,
        "prompts_per_step": 16,
        "samples_per_prompt": 8,
        "max_new_tokens": 64,
        "problems": {"set": "all", "count": 64},
        "optimizer": {"lr": 1e-3, "weight_decay": 0.0},
    }
    return RLConfig.parse(base | settings, "arm")
