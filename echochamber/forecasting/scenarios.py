"""The arm as asked for, the same without one difference between behaviours, and with one setting changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ..core.errors import UserError
from ..rl.algorithms import algorithm_row
from ..rl.config import RLConfig
from .behaviour_table import BehaviourTable

Kind = Literal["arm", "without", "change"]
Reason = Literal["accuracy", "frequency", "length", "reward"]
REASONS: tuple[Reason, ...] = get_args(Reason)
KL_WEIGHTS = (0.01, 0.03, 0.1, 0.3, 1.0)
RATE_FACTORS = (0.5, 0.25, 2.0)
ALGORITHMS = ("ppo", "grpo", "dr_grpo", "rloo")


@dataclass(frozen=True)
class Scenario:
    """One simulated arm."""

    kind: Kind
    key: str
    """Of `without`: a `Reason`. Of `change`: the setting as in a recipe's arm, such as `kl.coef`."""
    value: str
    table: BehaviourTable
    config: RLConfig


def scenarios(table: BehaviourTable, config: RLConfig) -> list[Scenario]:
    """The arm first, then what explains it, then what would change it. What an arm refuses is left out."""
    found = [Scenario("arm", "", "", table, config)]
    found += [Scenario("without", reason, "", *without(table, config, reason)) for reason in REASONS]
    for key, value, update in _changes(config):
        try:
            changed = RLConfig.parse(config.model_dump(mode="json") | update, "forecast")
        except UserError:
            continue
        found.append(Scenario("change", key, value, table, changed))
    return found


def without(table: BehaviourTable, config: RLConfig, reason: Reason) -> tuple[BehaviourTable, RLConfig]:
    """Table and arm without one difference between behaviours, or with a coin as reward.

    `accuracy`: every behaviour has the problem's mean accuracy, and improves as fast as the others.
    `frequency`: all have equal shares. `length`: all have the mean length. `reward`: a coin that knows
    nothing of the completion.
    """
    num, right = table.num, table.right
    totals = np.maximum(num.sum(1, keepdims=True), 1)
    if reason == "accuracy":
        mean = right.sum(1, keepdims=True) / totals
        alike = np.full_like(table.sharpening, (table.sharpening * table.shares).sum())
        return replace(table, right=mean * num, sharpening=alike), config
    if reason == "frequency":
        counts = np.broadcast_to(totals / num.shape[1], num.shape)
        accuracy = np.where(num > 0, right / np.maximum(num, 1), table.accuracies)
        return replace(table, num=counts, right=accuracy * counts), config
    if reason == "length":
        mean_tokens = float((table.tokens.mean(1) * table.shares).sum())
        return replace(table, tokens=np.full_like(table.tokens, mean_tokens)), config
    return table, config.model_copy(update={"reward": "random"})


def _changes(config: RLConfig) -> Iterator[tuple[str, str, dict[str, object]]]:
    """(setting, its value, keys of the arm) of every arm that is tried."""
    kl = config.kl.model_dump(mode="json")
    if not config.kl.coef:
        kl |= {"estimator": "k1", "place": "reward"}
    if algorithm_row(config.algorithm).policy_gradient:
        for weight in KL_WEIGHTS:
            if weight != config.kl.coef:
                yield "kl.coef", f"{weight:g}", {"kl": kl | {"coef": weight}}
    for factor in RATE_FACTORS:
        rate = config.optimizer.lr * factor
        optimizer = config.optimizer.model_dump(mode="json") | {"lr": rate}
        yield "optimizer.lr", f"{rate:.3g}", {"optimizer": optimizer}
    for name in ALGORITHMS:
        if name != config.algorithm and algorithm_row(config.algorithm).policy_gradient:
            yield "algorithm", name, {"algorithm": name}
