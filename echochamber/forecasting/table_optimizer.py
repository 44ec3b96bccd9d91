"""Adam as a table needs it: steps are divided by the size of the noise, not by a logit's own gradients.

In a model thousands of weights move a behaviour's logit. Most of what Adam's second moment sees of each is
noise from tokens that decide nothing. So the logit moves with the ratio of its gradient to that noise. Adam
on the logit itself would take full steps however weak the gradient is.
"""

from collections.abc import Callable
from typing import overload

import torch
from torch import nn

from ..model.optimizer import Optimizer
from ..model.settings import OptimizerConfig
from .table_policy import WORDS, TablePolicy


class TableOptimizer(Optimizer):
    """Noise-scaled Adam for a table policy; AdamW for a critic that shares the optimizer."""

    def __init__(self, model: nn.Module, config: OptimizerConfig) -> None:
        self.config, self.model = config, model
        policy = next(part for part in model.modules() if isinstance(part, TablePolicy))
        own = {id(parameter) for parameter in policy.parameters()}
        rest = [parameter for parameter in model.parameters() if id(parameter) not in own]
        self.parts = [(NoiseScaledAdam(policy, config.betas), config.lr)]
        if rest:
            plain = torch.optim.AdamW(
                rest, lr=config.lr, betas=config.betas, eps=config.eps, weight_decay=0.0
            )
            self.parts.append((plain, config.lr))


class NoiseScaledAdam(torch.optim.Optimizer):
    """Adam (Kingma & Ba 2015) with one second moment for all: that of a token which no reward depends on.

    It is measured on `TablePolicy.word` and holds for the gradient of a score with variance 1.
    """

    def __init__(self, policy: TablePolicy, betas: tuple[float, float]) -> None:
        gains = policy.gains
        tables = {
            "choice": gains.choice,
            "choice_by_problem": gains.choice_by_problem,
            "skill": gains.skill,
            "skill_by_problem": gains.skill_by_problem,
        }
        groups = [{"params": [getattr(policy, name)], "gain": gain} for name, gain in tables.items()]
        super().__init__(groups, {"lr": 0.0})
        self.word, self.num_words, self.betas = policy.word, policy.num_words, betas
        self.steps, self.square = 0, 0.0

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step; a part without a gradient keeps its momentum to itself, as in torch."""
        assert closure is None, "a table is not evaluated again"
        assert self.word.grad is not None, "no token of noise has a gradient"
        first, second = self.betas
        self.steps += 1
        # A score of one of W equally likely tokens has variance (1 - 1/W) / W; all together 1 - 1/W.
        noise = float(self.word.grad.square().sum()) / (1 - 1 / WORDS) / self.num_words
        self.square = second * self.square + (1 - second) * noise
        scale = (self.square / (1 - second**self.steps)) ** 0.5 + 1e-12
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                mean = self.state[parameter].setdefault("mean", torch.zeros_like(parameter))
                mean.lerp_(parameter.grad, 1 - first)
                rate = group["lr"] * group["gain"] / (1 - first**self.steps) / scale
                parameter.sub_(mean, alpha=rate)
        self.word.grad = None
        return None
