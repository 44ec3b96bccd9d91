"""Settings of an RL arm, and the schedules that follow from them."""

from collections.abc import Callable, Iterator
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from ..core.config import Config, Count
from ..core.environments import GYM, with_options
from ..core.errors import UserError
from ..core.keys import key
from ..formulas.schedules import adapted_coefficient, log_spaced_steps, paper_grid, warmup_cosine
from ..model.prompt import PromptConfig
from ..model.settings import AdapterConfig, OptimizerConfig, PastPositions, SamplingConfig
from ..rollout.rewards import reward_of
from ..verify.grader_config import GraderConfig
from .algorithms import Algorithm, Average, algorithm_row, registered_algorithms
from .kl import KLConfig

RL_VERSION = 5
"""Of RL stages: a change that changes their output raises it in the same commit."""


class RLProblems(Config):
    """The fixed set of problems that RL trains on (train split)."""

    added: ClassVar[frozenset[str]] = frozenset({"max_overlap"})
    _OWN: ClassVar[tuple[str, ...]] = ("set", "count", "max_overlap")
    # The schema for editors lets options of a `gym:` set pass; parsing moves them into the name first.
    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    set: str = "all"
    """A world level, the path of a file of problems, `hub:NAME[@COMMIT]`, `gym:NAME[?OPTIONS]` or `env:NAME`.

    Further keys beside a `gym:` set are options of it: `{set: "gym:chain_sum", max_terms: 3}`.
    """
    count: Count = Field(default=2048, gt=0)
    max_overlap: float = Field(default=0.01, ge=0, le=1)
    """Share of an evaluated set whose questions may be among these. Sets of the world never share one."""

    @model_validator(mode="before")
    @classmethod
    def _options(cls, data: object) -> object:
        """Options of a set of reasoning-gym become part of its name."""
        name = data.get("set") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(name, str) or not name.startswith(GYM):
            return data
        options = {str(key): value for key, value in data.items() if key not in cls._OWN}
        try:
            kept = {key: value for key, value in data.items() if key in cls._OWN}
            return kept | {"set": with_options(name, options)}
        except UserError as error:
            raise ValueError(str(error)) from None


class CheckpointConfig(Config):
    """Which steps are kept besides step 0 and the last."""

    grid: Literal["log", "paper"] = "log"
    count: int = Field(default=8, ge=1)


class CriticConfig(Config):
    """The critic and its advantages; unused by algorithms without one."""

    trunk: Literal["own", "shared"] = "own"
    """`own`: a copy of the base with its own optimizer; `shared`: a head on the policy's states."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3, weight_decay=0.0)
    """For `trunk: own`; the policy's optimizer trains a shared trunk."""
    coef: float = Field(default=0.5, ge=0)
    """Weight of the value loss on a shared trunk; unused with `trunk: own`."""
    value_clip: float | None = Field(default=0.2, gt=0)
    """Distance from the old value beyond which the value loss is clipped; null: no clipping."""
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
    """The ratio's denominator: the sampler's log-probabilities, or the trainer's before the update."""


class RLConfig(Config):
    """One RL arm."""

    added: ClassVar[frozenset[str]] = frozenset(
        {"adapter", "prompt", "shard", "past_positions", "stream", "keep_duplicates"}
    )

    algorithm: str = "grpo"
    reward: str | dict[str, float] = "correct"
    """A reward's name, or NAME: WEIGHT for each part of a weighted sum."""
    kl: KLConfig = KLConfig()
    loss: LossConfig = LossConfig()
    critic: CriticConfig = CriticConfig()
    adapter: AdapterConfig | None = None
    """Train a low-rank adapter instead of the weights, through transformers and peft."""
    problems: RLProblems = RLProblems()
    completions: str | None = None
    """JSON Lines with `question` and `completion`, for algorithms that learn from demonstrations (`sft`)."""
    epochs: float = Field(default=1.0, gt=0)
    """Passes over the problems; `steps` overrides it."""
    steps: int | None = Field(default=None, gt=0)
    prompts_per_step: int = Field(default=32, gt=0)
    samples_per_prompt: int = Field(default=8, gt=0)
    sampling_rounds: int = Field(default=1, gt=0)
    """Most rounds of sampling in a step. A step ends once `prompts_per_step` groups carry signal (DAPO)."""
    passes: int = Field(default=1, gt=0)
    """Passes over the completions of each step."""
    minibatch_samples: int | None = Field(default=None, gt=0)
    """Completions of one optimizer update; null: all of the step's."""
    microbatch_tokens: Count = Field(default=4096, gt=0)
    """Padded tokens of one forward pass; affects memory only."""
    shard: bool = False
    """Split policy, reference and critic over the ranks (FSDP2); every rank keeps a whole copy to sample."""
    restart: bool = False
    """Start the fit of every step from the base, as the paper's Expert Iteration does."""
    keep_duplicates: bool = False
    """Fit all of a problem's equal rewarded completions, for algorithms that else keep the first alone."""
    stream: int = Field(default=0, ge=0)
    """Another number draws other problems' order, samples and minibatches from the same base."""
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Below 1 only for algorithms without a ratio."""
    stop: tuple[str, ...] = ()
    """Strings that end a completion. The token that completes one is trained on, as EOS is."""
    max_new_tokens: int = Field(default=160, gt=0)
    past_positions: PastPositions = "error"
    """What becomes of prompts that leave no room for `max_new_tokens`: an error, or shorter completions."""
    overlong_buffer: int = Field(default=0, ge=0)
    """Length before the limit over which the reward falls linearly by up to 1 (DAPO), in tokens."""
    prompt_suffix: str = "\n\n"
    prompt: PromptConfig = PromptConfig()
    optimizer: OptimizerConfig = OptimizerConfig(lr=3e-4, weight_decay=0.0)
    schedule: Literal["run", "step"] = "run"
    """Warm-up and cosine decay over the run's steps, or over the updates of each step."""
    warmup_steps: int = Field(default=2, ge=0)
    """Steps (`schedule: run`) or updates (`schedule: step`) of linear warm-up."""
    lr_floor: float = Field(default=0.1, ge=0, le=1)
    checkpoints: CheckpointConfig = CheckpointConfig()
    rollouts_kept: int = Field(default=32, ge=0)
    """Completions of each step that are kept as text; the metrics count all of them."""
    grader: GraderConfig = GraderConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        row = algorithm_row(self.algorithm)
        reward_of(self.reward)
        self.kl.check(row, self.whitened)
        for wrong, reason in _conflicts(self, row):
            if wrong:
                raise ValueError(reason)
        return self

    def random_seed(self, seed: int) -> int:
        """The seed of all that this run draws, from that of its base."""
        return key("rl stream", seed, self.stream) >> 1 if self.stream else seed

    @property
    def clip(self) -> tuple[float, float]:
        """(low, high): the algorithm's bounds where the arm gives none."""
        low, high = algorithm_row(self.algorithm).clip
        return self.loss.clip_low or low, self.loss.clip_high or high

    @property
    def whitened(self) -> bool:
        """Whether advantages are centred and scaled over the step."""
        return algorithm_row(self.algorithm).whiten if self.loss.whiten is None else self.loss.whiten

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
            past_positions=self.past_positions,
        )


def _conflicts(config: RLConfig, row: Algorithm) -> Iterator[tuple[bool, str]]:
    """(whether settings and algorithm contradict each other, what to say then)."""
    fits = ", ".join(other.name for other in registered_algorithms() if not other.policy_gradient)
    yield (
        row.policy_gradient and config.top_p < 1,
        f"top_p {config.top_p}: {row.name} compares with the sampler's probabilities, "
        "which truncation would falsify; use top_p 1",
    )
    yield (
        row.policy_gradient and config.restart,
        f"restart: {row.name} would compare the base with a later sampler; only {fits} may restart",
    )
    yield (
        config.restart and config.adapter is not None,
        "restart: an adapter has no base weights to go back to; leave out one of both",
    )
    yield (
        config.shard and config.adapter is not None,
        "shard: an adapter trains in transformers, which is not split; leave out one of both",
    )
    yield (
        config.shard and row.critic and config.critic.trunk == "shared",
        "shard: a shared trunk is not split; use critic.trunk own",
    )
    yield (
        config.shard and (bool(row.loss_terms) or (config.kl.coef > 0 and config.kl.estimator == "exact")),
        f"shard: {row.name} needs whole logits here (loss terms or kl.estimator exact); split weights are "
        "gathered for log-probabilities alone",
    )
    yield (
        config.keep_duplicates and not row.keep_rewarded,
        f"keep_duplicates: {row.name} fits every completion anyway; only rows that drop repetitions take it",
    )
    yield (
        row.demonstrations != (config.completions is not None),
        "completions: the file that algorithm 'sft' and others on demonstrations learn from; "
        "needed there and allowed nowhere else",
    )
    yield (
        row.policy_gradient and not row.critic and config.samples_per_prompt < 2,
        f"samples_per_prompt {config.samples_per_prompt}: {row.name} compares within a group "
        "and needs at least 2",
    )
    yield (
        config.sampling_rounds > 1 and row.critic,
        f"sampling_rounds {config.sampling_rounds}: {row.name} learns from every completion; use 1",
    )
    yield (
        config.overlong_buffer >= config.max_new_tokens,
        f"overlong_buffer {config.overlong_buffer} must be below max_new_tokens {config.max_new_tokens}",
    )


def num_steps(config: RLConfig, num_problems: int) -> int:
    """Steps of the run: `steps`, or `epochs` passes over the problems, at least one."""
    return config.steps or max(1, round(config.epochs * num_problems / config.prompts_per_step))


def checkpoint_steps(config: RLConfig, num_problems: int) -> set[int]:
    """Steps after which a checkpoint is kept, 0 and the last among them."""
    grid = log_spaced_steps if config.checkpoints.grid == "log" else paper_grid
    return set(grid(num_steps(config, num_problems), config.checkpoints.count))


LRSchedule = Callable[[int, int], float]
"""(update of a step from 0, number of updates in it) -> factor on the peak learning rates."""


def lr_schedule(config: RLConfig, step: int, total: int) -> LRSchedule:
    """The learning rates of `step` (from 1) of `total`, as a factor on their peaks."""
    if config.schedule == "run":
        factor = warmup_cosine(step - 1, total, config.warmup_steps, config.lr_floor)
        return lambda update, updates: factor
    return lambda update, updates: warmup_cosine(update, updates, config.warmup_steps, config.lr_floor)


def adapt_kl(config: RLConfig, coef: float, kl: float) -> float:
    """The next step's KL coefficient, given this step's and the KL measured in it (nats per token)."""
    if config.kl.target is None:
        return coef
    return adapted_coefficient(coef, kl, config.kl.target, config.kl.gain)
