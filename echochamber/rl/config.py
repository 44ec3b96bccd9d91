"""Settings of an RL arm and what follows from them before the first step."""

from collections.abc import Callable
from typing import Literal, Self

from pydantic import Field, model_validator

from ..core.config import Config, Count
from ..formulas.penalties import adapted_coefficient
from ..formulas.schedules import log_spaced_steps, paper_grid, warmup_cosine
from ..model.optimizer import OptimizerConfig
from ..model.sampling import SamplingConfig
from ..rollout.rewards import reward_row
from ..verify.grade import GraderConfig
from .algorithms import ALGORITHMS, Average, algorithm_row
from .kl_rules import KLConfig


class RLProblems(Config):
    """The fixed set of problems that RL trains on (train split)."""

    set: str = "all"
    """A world level, the path of a file of problems, or `hub:NAME[@COMMIT]`."""
    count: Count = Field(default=2048, gt=0)


class CheckpointConfig(Config):
    """Which steps are kept besides step 0 and the last."""

    grid: Literal["log", "paper"] = "log"
    count: int = Field(default=8, ge=1)


class CriticConfig(Config):
    """PPO's critic and its advantages; unused by rows without a critic."""

    trunk: Literal["own", "shared"] = "own"
    """`own`: a copy of the base with its own optimizer; `shared`: a head on the policy's states."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3, weight_decay=0.0)
    """Of the own trunk; a shared one is trained by the policy's optimizer."""
    coef: float = Field(default=0.5, ge=0)
    """Weight of the value loss on a shared trunk; an own trunk has nothing to weigh it against."""
    value_clip: float | None = Field(default=0.2, gt=0)
    """How far a value may move from the old one before its loss is clipped; null: not clipped."""
    gamma: float = Field(default=1.0, gt=0, le=1)
    lam: float = Field(default=0.95, ge=0, le=1)


class LossConfig(Config):
    """Departures from the algorithm's row; null keeps the row's own."""

    clip_low: float | None = Field(default=None, gt=0)
    clip_high: float | None = Field(default=None, gt=0)
    average: Average | None = None
    whiten: bool | None = None
    """Centre and scale advantages over all tokens of the step."""
    old_logprobs: Literal["sampler", "recomputed"] = "sampler"
    """What the ratio's denominator is: the sampler's own log-probabilities, or the trainer's before the update."""


class RLConfig(Config):
    """One RL arm."""

    algorithm: str = "grpo"
    reward: str = "correct"
    kl: KLConfig = KLConfig()
    loss: LossConfig = LossConfig()
    critic: CriticConfig = CriticConfig()
    problems: RLProblems = RLProblems()
    completions: str | None = None
    """JSON Lines with `question` and `completion` (algorithm `sft` only); they take the place of sampling."""
    epochs: float = Field(default=1.0, gt=0)
    """Passes over the problems; `steps` overrides it."""
    steps: int | None = Field(default=None, gt=0)
    prompts_per_step: int = Field(default=32, gt=0)
    samples_per_prompt: int = Field(default=8, gt=0)
    sampling_rounds: int = Field(default=1, gt=0)
    """Above 1: go on sampling until `prompts_per_step` groups carry signal, at most so often (DAPO)."""
    passes: int = Field(default=1, gt=0)
    """Passes over each step's completions."""
    minibatch_samples: int | None = Field(default=None, gt=0)
    """Completions of one optimizer update; null: all of the step's."""
    microbatch_tokens: Count = Field(default=4096, gt=0)
    """Padded tokens of one forward pass; changes memory, not results."""
    restart: bool = False
    """Start every step's fit from the base's weights, as the paper's Expert Iteration."""
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Below 1 only where no ratio is used (the NLL rows)."""
    stop: tuple[str, ...] = ()
    """Strings that end a completion; the token that completes one is trained on as EOS is."""
    max_new_tokens: int = Field(default=160, gt=0)
    overlong_buffer: int = Field(default=0, ge=0)
    """Tokens before the limit over which the reward falls by up to 1 (DAPO's soft punishment)."""
    prompt_suffix: str = "\n\n"
    optimizer: OptimizerConfig = OptimizerConfig(lr=3e-4, weight_decay=0.0)
    schedule: Literal["run", "step"] = "run"
    """Warm-up and cosine over the steps of the run, or anew over the updates of each step."""
    warmup_steps: int = Field(default=2, ge=0)
    """Steps (`schedule: run`) or updates (`schedule: step`) of linear warm-up."""
    lr_floor: float = Field(default=0.1, ge=0, le=1)
    checkpoints: CheckpointConfig = CheckpointConfig()
    rollouts_kept: int = Field(default=32, ge=0)
    """Completions of each step that are kept as text; shares count all of them."""
    grader: GraderConfig = GraderConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm {self.algorithm!r} is not known; there are {', '.join(ALGORITHMS)}")
        row = algorithm_row(self.algorithm)
        reward_row(self.reward)
        self.kl.check(row.name, row.ratio is not None)
        if row.ratio is not None and self.top_p < 1:
            raise ValueError(
                f"top_p {self.top_p}: {row.name} compares with the sampler's probabilities, which truncation would falsify; use top_p 1"
            )
        if row.ratio is not None and self.restart:
            raise ValueError(
                f"restart: {row.name} would compare the base with a later sampler; only expert_iteration, best_of_n and sft may restart"
            )
        if (row.name == "sft") != (self.completions is not None):
            raise ValueError(
                "completions: the file of algorithm 'sft', needed there and allowed nowhere else"
            )
        if row.ratio is not None and not row.critic and self.samples_per_prompt < 2:
            raise ValueError(
                f"samples_per_prompt {self.samples_per_prompt}: {row.name} compares within a group and needs at least 2"
            )
        if self.sampling_rounds > 1 and row.critic:
            raise ValueError(
                f"sampling_rounds {self.sampling_rounds}: {row.name} learns from every completion; use 1"
            )
        if self.overlong_buffer >= self.max_new_tokens:
            raise ValueError(
                f"overlong_buffer {self.overlong_buffer} must be below max_new_tokens {self.max_new_tokens}"
            )
        return self

    @property
    def clip(self) -> tuple[float, float]:
        """(low, high): the row's bounds where none are given."""
        low, high = algorithm_row(self.algorithm).clip
        return self.loss.clip_low or low, self.loss.clip_high or high

    @property
    def sampling(self) -> SamplingConfig:
        """How the policy samples during training."""
        rows = min(self.prompts_per_step * self.samples_per_prompt, 1024)
        return SamplingConfig(
            temperature=self.temperature,
            top_p=self.top_p,
            stop=self.stop,
            max_new_tokens=self.max_new_tokens,
            max_rows=rows,
        )


def num_steps(config: RLConfig, num_problems: int) -> int:
    """Steps of the run: `steps`, or `epochs` passes over the problems, at least one."""
    return config.steps or max(1, round(config.epochs * num_problems / config.prompts_per_step))


def checkpoint_steps(config: RLConfig, num_problems: int) -> set[int]:
    """Steps after which a checkpoint is kept, 0 and the last among them."""
    grid = log_spaced_steps if config.checkpoints.grid == "log" else paper_grid
    return set(grid(num_steps(config, num_problems), config.checkpoints.count))


def rate_of(config: RLConfig, step: int, total: int) -> Callable[[int, int], float]:
    """(update of this step from 0, updates of this step) -> factor on the peak learning rates."""
    if config.schedule == "run":
        factor = warmup_cosine(step - 1, total, config.warmup_steps, config.lr_floor)
        return lambda update, updates: factor
    return lambda update, updates: warmup_cosine(update, updates, config.warmup_steps, config.lr_floor)


def adapt_kl(config: RLConfig, coef: float, kl: float) -> float:
    """The next step's KL coefficient: fixed, or moved towards `kl.target` by what was measured (nats per token)."""
    return (
        coef if config.kl.target is None else adapted_coefficient(coef, kl, config.kl.target, config.kl.gain)
    )
