"""Settings of an RL arm and what follows from them before the first step."""

from typing import Literal

from pydantic import Field

from ..core.config import Config, Count
from ..formulas.schedules import log_spaced_steps, paper_grid
from ..model.generate import SamplingConfig
from ..model.optimizer import OptimizerConfig
from ..verify.grade import GraderConfig


class KLConfig(Config):
    """The penalty for leaving the base; measured and logged even at coefficient zero."""

    coef: float = Field(default=0.0, ge=0)
    estimator: Literal["k1", "k2", "k3"] = "k3"
    place: Literal["loss"] = "loss"


class RLProblems(Config):
    """The fixed set of problems that RL trains on (train split)."""

    set: str = "all"
    """A world level, or the path of a file of problems."""
    count: Count = Field(default=2048, gt=0)


class CheckpointConfig(Config):
    """Which steps are kept besides step 0 and the last."""

    grid: Literal["log", "paper"] = "log"
    count: int = Field(default=8, ge=1)


class RLConfig(Config):
    """One RL arm."""

    algorithm: str = "grpo"
    reward: str = "correct"
    kl: KLConfig = KLConfig()
    problems: RLProblems = RLProblems()
    epochs: float = Field(default=1.0, gt=0)
    """Passes over the problems; `steps` overrides it."""
    steps: int | None = Field(default=None, gt=0)
    prompts_per_step: int = Field(default=32, gt=0)
    samples_per_prompt: int = Field(default=8, gt=1)
    minibatch_samples: int | None = Field(default=None, gt=0)
    """Completions of one optimizer update; None: all of the step's."""
    microbatch_tokens: Count = Field(default=4096, gt=0)
    """Padded tokens of one forward pass; changes memory, not results."""
    temperature: float = Field(default=1.0, gt=0)
    max_new_tokens: int = Field(default=160, gt=0)
    prompt_suffix: str = "\n\n"
    clip_low: float = Field(default=0.2, gt=0)
    clip_high: float = Field(default=0.2, gt=0)
    optimizer: OptimizerConfig = OptimizerConfig(lr=3e-4, weight_decay=0.0)
    warmup_steps: int = Field(default=2, ge=0)
    lr_floor: float = Field(default=0.1, ge=0, le=1)
    checkpoints: CheckpointConfig = CheckpointConfig()
    rollouts_kept: int = Field(default=32, ge=0)
    """Completions of each step that are kept as text; shares count all of them."""
    grader: GraderConfig = GraderConfig()

    @property
    def sampling(self) -> SamplingConfig:
        """How the policy samples during training."""
        return SamplingConfig(
            temperature=self.temperature, max_new_tokens=self.max_new_tokens, max_rows=self.prompts_per_step * self.samples_per_prompt
        )


def num_steps(config: RLConfig, num_problems: int) -> int:
    """Steps of the run: `steps`, or `epochs` passes over the problems, at least one."""
    return config.steps or max(1, round(config.epochs * num_problems / config.prompts_per_step))


def checkpoint_steps(config: RLConfig, num_problems: int) -> set[int]:
    """Steps after which a checkpoint is kept, 0 and the last among them."""
    grid = log_spaced_steps if config.checkpoints.grid == "log" else paper_grid
    return set(grid(num_steps(config, num_problems), config.checkpoints.count))
