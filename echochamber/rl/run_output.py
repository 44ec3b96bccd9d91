"""What an RL run writes: metrics, timings, a sample of rollouts, checkpoints and its resume state."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import torch

from ..core.files import make_folder
from ..core.metrics import MetricsLog, StepLog
from ..core.progress import progress_bar, say
from ..core.resume import ResumePoint
from ..model.load_model import save_model
from ..model.ranks import Ranks
from ..model.resume_state import save_resume
from ..model.tokenizer import Tokenizer
from ..rollout.collect import Collection
from ..rollout.rewards import reward_title
from .config import RLConfig
from .learner import Learner
from .log import Metrics, rollout_rows, write_rollouts
from .training_monitor import TrainingMonitor


class RunOutput:
    """Writes one run's files into a folder, continuing after the step `done`. Only the main rank writes."""

    def __init__(
        self,
        config: RLConfig,
        seed: int,
        folder: Path,
        resume: ResumePoint,
        ranks: Ranks,
        done: int,
        total: int,
    ) -> None:
        self.config, self.seed, self.folder, self.resume, self.ranks = config, seed, folder, resume, ranks
        self.checkpoints = make_folder(folder / "checkpoints")
        self.monitor = TrainingMonitor(config)
        self._open, self._done, self._total = ExitStack(), done, total

    def __enter__(self) -> "RunOutput":
        main, done, enter = self.ranks.is_main, self._done, self._open.enter_context
        title = f"rl {self.config.algorithm} ({reward_title(self.config.reward)} reward)"
        self.metrics = enter(MetricsLog(self.folder if main else None, resume_after=done))
        rows = self.resume.folder / "rollouts.jsonl" if main else None
        self.rollouts = enter(StepLog(rows, resume_after=done))
        enter(self.resume.finish_step_on_interrupt())
        self.bar = enter(progress_bar(title, self._total, done, "steps"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._open.__exit__(kind, error, trace)

    def log(self, step: int, collection: Collection, metrics: Metrics) -> None:
        """Write the step's metrics and its sample of rollouts; say what looks wrong."""
        self.metrics.write(step, metrics)
        for row in rollout_rows(collection, self.config, self.seed, step):
            self.rollouts.write(step, row)
        for warning in self.monitor.warnings(step, metrics):
            say(warning)

    def save_checkpoint(self, step: int, learner: Learner, tokenizer: Tokenizer, dtype: torch.dtype) -> None:
        """Keep the policy as it is after `step`, its weights in `dtype`."""
        weights = learner.whole_policy()
        if self.ranks.is_main:
            save_model(self.checkpoints / f"step_{step}", learner.policy, tokenizer, weights, dtype)

    def save_if_due(self, step: int, learner: Learner) -> None:
        """Write the resume state where it is time, on all ranks together."""
        if not self.ranks.any(self.resume.due()):
            return
        if self.ranks.is_main:
            self.metrics.sync()
            self.rollouts.sync()
        save_resume(self.resume, step, learner.state(), self.ranks)
        self.resume.saved()

    def end_step(self, step: int, timing: dict[str, float], metrics: Metrics) -> None:
        """Write the step's timing and advance the progress bar."""
        self.metrics.write_timing(step, timing)
        self.bar.advance(note=_note(metrics))

    def finish(self) -> None:
        """Turn the sample of rollouts into Parquet; called after the output is closed."""
        if self.ranks.is_main:
            write_rollouts(self.resume.folder / "rollouts.jsonl", self.folder / "rollouts.parquet")


def _note(metrics: Metrics) -> str:
    shares = {name.split("/")[1]: value or 0.0 for name, value in metrics.items() if name.endswith("/share")}
    best = max(shares, key=lambda name: shares[name])
    reward = "unknown" if metrics["reward/mean"] is None else f"{metrics['reward/mean']:.3f}"
    return f"reward {reward}  {best} {shares[best]:.2f}"
