"""The KL penalty's settings, and which combinations of estimator and place have the penalty's gradient.

The expected gradient of each combination, over samples of the policy (proved by enumeration in
tests/rl/test_enumeration.py):

| estimator | place  | expected gradient                                                             |
|-----------|--------|-------------------------------------------------------------------------------|
| k1        | reward | that of KL(pi || ref) over whole completions: exact                           |
| exact     | both   | the same with less noise: tokens' KL in the loss, later tokens' in the reward; |
|           |        | biased where advantages are whitened or a group's mean holds the sample itself |
| k2, exact | loss   | that of each token's KL at the states visited; later states are left out      |
| k3        | loss   | that of KL(ref || pi) at the states visited: the other direction              |
| k1        | loss   | zero: noise, and no penalty                                                   |
| k2, k3    | reward | of neither direction: the estimator's own dependence on pi is left out        |
| exact     | reward | the effect on later states alone                                              |
"""

from typing import Literal

from pydantic import Field

from ..core.config import Config
from .algorithms import Algorithm

_ALLOWED = {("k1", "reward"), ("exact", "both"), ("k2", "loss"), ("exact", "loss")}
_NEITHER = "its expected gradient is that of neither direction"
_BIAS = {
    ("k3", "loss"): (
        "its expected gradient is that of KL(ref || policy), the other direction (GRPO as published)"
    ),
    ("k1", "loss"): "its expected gradient is zero, so it is no penalty",
    ("k2", "reward"): _NEITHER,
    ("k3", "reward"): _NEITHER,
    ("exact", "reward"): (
        "the token's own term has no gradient there; only the effect on later tokens is left"
    ),
}


class KLConfig(Config):
    """The penalty on the KL divergence from the base. The divergence is logged even at coefficient 0."""

    coef: float = Field(default=0.0, ge=0)
    estimator: Literal["k1", "k2", "k3", "exact"] = "k1"
    place: Literal["reward", "loss", "both"] = "reward"
    allow_biased: bool = False
    """Accept a combination whose expected gradient is not the penalty's."""
    target: float | None = Field(default=None, gt=0)
    """Adapt the coefficient towards this KL per token (nats), starting from `coef`."""
    gain: float = Field(default=0.1, gt=0)
    """Speed of the adaptation: one step changes the coefficient by a factor of at most 1 ± gain / 5."""

    @property
    def in_reward(self) -> bool:
        """Whether rewards are reduced by the KL."""
        return self.coef > 0 and self.place in ("reward", "both")

    @property
    def in_loss(self) -> bool:
        """Whether the loss has a KL term."""
        return self.coef > 0 and self.place in ("loss", "both")

    def check(self, row: Algorithm, whitened: bool) -> None:
        """Refuse what is no penalty for this algorithm; the ValueError says why and what to use.

        `whitened`: whether the arm's advantages are divided by their spread over the step.
        """
        if self.target is not None and self.coef == 0:
            raise ValueError(
                "kl.target needs a coefficient above 0 to start from; set kl.coef, for example 0.01"
            )
        if self.coef == 0:
            return
        if self.place != "loss" and not row.policy_gradient:
            raise ValueError(
                f"kl.place {self.place!r}: {row.name} has no policy gradient, so a penalty in the reward "
                "would not act; use kl.place 'loss'"
            )
        combination = (self.estimator, self.place)
        if self.place == "both" and self.estimator != "exact":
            raise ValueError(
                f"kl.place 'both' is for kl.estimator 'exact'; {self.estimator!r} would be counted twice"
            )
        uneven = self.place == "both" and (whitened or row.own_baseline)
        if uneven and not self.allow_biased:
            why = (
                "whitening scales the part in the reward and not that in the loss"
                if whitened
                else f"{row.name} compares a sample with a mean that holds it, so the part in the reward has "
                "(G - 1) / G of the gradient and that in the loss all of it"
            )
            raise ValueError(
                f"kl.place 'both': {why}; use k1 in the reward, loss.whiten: false or rloo, "
                "or set kl.allow_biased: true"
            )
        if combination not in _ALLOWED and not self.allow_biased:
            raise ValueError(
                f"kl.estimator {self.estimator!r} in the {self.place}: {_BIAS[combination]}; "
                "use k1 in the reward, or k2 or exact in the loss, or set kl.allow_biased: true"
            )
