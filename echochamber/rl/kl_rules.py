"""The KL penalty's settings, and which combinations of estimator and place push the right way.

With one row per combination, G meaning the expected gradient over samples of the policy
(proved by enumeration in tests/rl/test_enumeration.py):

| estimator | place  | G                                                                                   |
|-----------|--------|-------------------------------------------------------------------------------------|
| k1        | reward | that of KL(pi || ref) over whole completions: exact                                  |
| exact     | both   | the same with less noise: each token's KL in the loss, the later tokens' in the reward |
| k2, exact | loss   | that of each token's KL at the states visited; its effect on later states is left out |
| k3        | loss   | that of KL(ref || pi) at the states visited: the other direction                     |
| k1        | loss   | zero: no penalty at all, only noise                                                  |
| k2, k3    | reward | neither direction's: the estimator's own dependence on pi is left out                |
| exact     | reward | the effect on later states alone                                                     |
"""

from typing import Literal

from pydantic import Field

from ..core.config import Config

_ALLOWED = {("k1", "reward"), ("exact", "both"), ("k2", "loss"), ("exact", "loss")}
_BIAS = {
    (
        "k3",
        "loss",
    ): "its expected gradient is that of KL(ref || policy), the other direction (GRPO as published)",
    ("k1", "loss"): "its expected gradient is zero, so it is no penalty",
    ("k2", "reward"): "its expected gradient is that of neither direction",
    ("k3", "reward"): "its expected gradient is that of neither direction",
    (
        "exact",
        "reward",
    ): "the token's own term has no gradient there; only the effect on later tokens is left",
}


class KLConfig(Config):
    """The penalty for leaving the base; measured and logged even at coefficient zero."""

    coef: float = Field(default=0.0, ge=0)
    estimator: Literal["k1", "k2", "k3", "exact"] = "k1"
    place: Literal["reward", "loss", "both"] = "reward"
    allow_biased: bool = False
    """Allow a combination whose expected gradient is not the penalty's, knowing so."""
    target: float | None = Field(default=None, gt=0)
    """Adapt the coefficient towards this KL per token (nats), starting from `coef`."""
    gain: float = Field(default=0.1, gt=0)
    """How fast it adapts: the coefficient changes by at most gain / 5 a step."""

    @property
    def in_reward(self) -> bool:
        """Whether rewards are reduced by the KL."""
        return self.coef > 0 and self.place in ("reward", "both")

    @property
    def in_loss(self) -> bool:
        """Whether the loss has a KL term."""
        return self.coef > 0 and self.place in ("loss", "both")

    def check(self, algorithm: str, uses_ratio: bool) -> None:
        """Refuse what would push the wrong way; raises ValueError that says why and what to use."""
        if self.target is not None and self.coef == 0:
            raise ValueError(
                "kl.target needs a coefficient above 0 to start from; set kl.coef, for example 0.01"
            )
        if self.coef == 0:
            return
        if self.place != "loss" and not uses_ratio:
            raise ValueError(
                f"kl.place {self.place!r}: {algorithm} has no policy gradient to carry a reward; use kl.place 'loss'"
            )
        combination = (self.estimator, self.place)
        if self.place == "both" and self.estimator != "exact":
            raise ValueError(
                f"kl.place 'both' is for kl.estimator 'exact'; {self.estimator!r} would be counted twice"
            )
        if combination not in _ALLOWED and not self.allow_biased:
            raise ValueError(
                f"kl.estimator {self.estimator!r} in the {self.place}: {_BIAS[combination]}; "
                "use k1 in the reward, or k2 or exact in the loss, or set kl.allow_biased: true"
            )
