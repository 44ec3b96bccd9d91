"""What goes wrong in RL without an error: no reward, lengths at the limit, a policy that runs away."""

from collections import deque
from pathlib import Path
from typing import Any

from ..rollout.collect import Collection
from .config import RLConfig
from .log import rollout_metrics
from .targets import Targets

PATIENCE = 5
"""Steps that must all look bad before anybody is told."""
KL_ALARM = 1.0
"""Nats per token from the base: far beyond what these rewards need (a collapse onto one format costs about 0.1)."""
TRUNCATED_ALARM = 0.5


class Troubles:
    """Looks at each step's metrics; says each kind of trouble once, and again only after it had gone."""

    def __init__(self, config: RLConfig) -> None:
        self.config = config
        self.recent: deque[dict[str, Any]] = deque(maxlen=PATIENCE)
        self.told: set[str] = set()

    def seen(self, step: int, metrics: dict[str, Any]) -> list[str]:
        """New warnings after this step."""
        self.recent.append(metrics)
        found = self._found(metrics) if len(self.recent) == PATIENCE else {}
        new = [f"rl, step {step}: {text}" for kind, text in found.items() if kind not in self.told]
        self.told = set(found)
        return new

    def _found(self, now: dict[str, Any]) -> dict[str, str]:
        found = {}
        if all((m["reward/mean"] or 0.0) == 0.0 for m in self.recent):
            found["reward"] = (
                f"no completion was paid for {PATIENCE} steps; accuracy {now['accuracy']:.3f}, truncated {now['completion/truncated']:.0%}. "
                "The base may not solve these problems (try easier ones), max_new_tokens may be too short, or the reward does not fit the formats"
            )
        if all(m["policy/kl"] > KL_ALARM for m in self.recent):
            found["kl"] = (
                f"KL to the base is {now['policy/kl']:.2f} nats a token; lower rl.ARM.optimizer.lr or set rl.ARM.kl.coef"
            )
        if all(m["completion/truncated"] > TRUNCATED_ALARM for m in self.recent):
            found["length"] = (
                f"{now['completion/truncated']:.0%} of completions reach max_new_tokens {self.config.max_new_tokens} "
                f"(mean length {now['completion/length_mean']:.0f}); raise it or set rl.ARM.overlong_buffer"
            )
        if all(m["grader/infrastructure"] > 0.05 * m["num_completions"] for m in self.recent):
            found["grader"] = (
                f"{now['grader/infrastructure']} of {now['num_completions']} completions could not be graded; run `echochamber doctor`"
            )
        return found


def broken_off(error: FloatingPointError, collection: Collection, targets: Targets, checkpoints: Path) -> str:
    """What to say when a gradient is not finite: where, on what, and what is still good."""
    seen = rollout_metrics(collection, targets)
    advantages = [float(a.abs().max()) for a in targets.columns["advantages"]]
    steps = [int(path.name.removeprefix("step_")) for path in checkpoints.glob("step_*")]
    return (
        f"rl: {error}; rewards {seen['reward/mean']}, accuracy {seen['accuracy']:.3f}, mean length {seen['completion/length_mean']:.1f}, "
        f"largest advantage {max(advantages, default=0.0):.3g}, {seen['num_counted']} of {seen['num_completions']} completions counted. "
        f"Nothing was changed by it; the last good checkpoint is {checkpoints}/step_{max(steps)}. Lower rl.ARM.optimizer.lr"
    )
