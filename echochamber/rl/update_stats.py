"""Figures of one step's updates, for the log."""

from dataclasses import asdict, dataclass, field

from ..model.ranks import Ranks


@dataclass
class UpdateStats:
    """Sums over the updates of a step."""

    updates: int = 0
    tokens: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    ratio_max: float = 0.0
    lr_factor: float = 0.0

    def add(self, **values: float) -> None:
        """Add to the named sums."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def over_ranks(self, ranks: Ranks) -> "UpdateStats":
        """The sums over all ranks; updates, gradient norms and learning rate are common to them."""
        parts = [UpdateStats(**data) for data in ranks.gather(asdict(self))]
        for other in parts[1:]:
            parts[0].tokens += other.tokens
            parts[0].ratio_max = max(parts[0].ratio_max, other.ratio_max)
            parts[0].add(**{name: value for name, value in other.sums.items() if name != "grad_norm"})
        return parts[0]

    def metrics(self, lr: float) -> dict[str, float]:
        """Means per update (losses, norms) and per token of the passes made (ratios). `lr`: the peak rate."""
        per_update, per_token = max(self.updates, 1), max(self.tokens, 1)
        metrics = {
            "policy/loss": self.sums.get("loss", 0.0) / per_update,
            "policy/grad_norm": self.sums.get("grad_norm", 0.0) / per_update,
            "policy/lr": lr * self.lr_factor,
            "policy/updates": self.updates,
            "policy/tokens": self.tokens,
        }
        if "ratio" in self.sums:
            metrics |= {
                "policy/clip_frac": self.sums["clipped"] / per_token,
                "policy/ratio_mean": self.sums["ratio"] / per_token,
                "policy/ratio_max": self.ratio_max,
                "policy/kl_sampler": self.sums["kl_sampler"] / per_token,
            }
        if "value_loss" in self.sums:
            metrics["critic/loss"] = self.sums["value_loss"] / per_update
        return metrics
