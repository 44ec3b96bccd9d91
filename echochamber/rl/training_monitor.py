"""Warnings about runs that fail without an error: no reward, truncated completions, a KL that explodes."""

from collections import deque
from pathlib import Path

from ..core.types import UNGRADED_LIMIT
from ..rollout.collect import Collection
from ..stats.intervals import clopper_pearson
from .config import RLConfig
from .log import Metrics, rollout_metrics
from .targets import Targets

PATIENCE = 5
"""Consecutive steps that must all look bad before a warning."""
KL_ALARM = 1.0
"""KL to the base in nats per token; a collapse onto one format costs about 0.1."""
TRUNCATED_ALARM = 0.5
"""Share of completions that reach the length limit."""


class TrainingMonitor:
    """Checks the metrics of each step; warns once of each kind, and again only after it had stopped."""

    def __init__(self, config: RLConfig) -> None:
        self.config = config
        self.recent: deque[Metrics] = deque(maxlen=PATIENCE)
        self.active: set[str] = set()

    def warnings(self, step: int, metrics: Metrics) -> list[str]:
        """Take the metrics of `step`; returns the warnings that are new."""
        self.recent.append(metrics)
        found = self._found(metrics) if len(self.recent) == PATIENCE else {}
        if step == 1 and (text := no_signal(metrics, self.config)):
            return [f"rl, before the first update: {text}"]
        new = [f"rl, step {step}: {text}" for kind, text in found.items() if kind not in self.active]
        self.active = set(found)
        return new

    def _found(self, now: Metrics) -> dict[str, str]:
        found = {}
        if all((m["reward/mean"] or 0.0) == 0.0 for m in self.recent):
            found["reward"] = (
                f"no completion was rewarded for {PATIENCE} steps; accuracy {now['accuracy']:.3f}, "
                f"truncated {now['completion/truncated']:.0%}. The base may not solve these problems "
                "(try easier ones), max_new_tokens may be too small, or the reward may not fit the formats"
            )
        if all((m["policy/kl"] or 0.0) > KL_ALARM for m in self.recent):
            found["kl"] = (
                f"KL to the base is {now['policy/kl']:.2f} nats a token; "
                "lower rl.ARM.optimizer.lr or set rl.ARM.kl.coef"
            )
        if all((m["completion/truncated"] or 0.0) > TRUNCATED_ALARM for m in self.recent):
            found["length"] = (
                f"{now['completion/truncated']:.0%} of completions reach max_new_tokens "
                f"{self.config.max_new_tokens} (mean length {now['completion/length_mean']:.0f}); "
                "raise it or set rl.ARM.overlong_buffer"
            )
        if all(
            (m["grader/infrastructure"] or 0.0) > UNGRADED_LIMIT * (m["num_completions"] or 0.0)
            for m in self.recent
        ):
            found["grader"] = (
                f"{now['grader/infrastructure']} of {now['num_completions']} completions could not be "
                "graded; run `echochamber doctor`"
            )
        return found


def no_signal(metrics: Metrics, config: RLConfig) -> str | None:
    """What to do where the base's completions give no group of differing rewards; None where some do."""
    completions, rate = int(metrics["num_completions"] or 0), metrics["reward/mean"]
    if config.completions or metrics["reward/frac_zero_std"] != 1.0 or rate not in (0.0, 1.0):
        return None
    low, high = clopper_pearson(round(rate * completions), completions)
    counted, around = "all" if rate else "none", f"95% interval {low:.2%} to {high:.2%}"
    advice = "harder problems" if rate else "easier problems"
    return (
        f"{counted} of {completions} completions of the base rewarded ({around}), "
        f"so no group of rewards differs. Take {advice} (rl.ARM.problems.set), or more than "
        f"{config.samples_per_prompt} samples_per_prompt"
    )


def divergence_message(
    error: FloatingPointError, collection: Collection, targets: Targets, checkpoints: Path
) -> str:
    """One line about a gradient that is not finite: the step, its rollouts, and the last good checkpoint."""
    metrics = rollout_metrics(collection, targets)
    advantages = [float(a.abs().max()) for a in targets.columns["advantages"]]
    last = max(int(path.name.removeprefix("step_")) for path in checkpoints.glob("step_*"))
    return (
        f"rl: {error}; rewards {metrics['reward/mean']}, accuracy {metrics['accuracy']:.3f}, "
        f"mean length {metrics['completion/length_mean']:.1f}, "
        f"largest advantage {max(advantages, default=0.0):.3g}, "
        f"{metrics['num_counted']} of {metrics['num_completions']} completions counted. "
        f"The update was not applied; the last good checkpoint is {checkpoints}/step_{last}. "
        "Lower rl.ARM.optimizer.lr"
    )
