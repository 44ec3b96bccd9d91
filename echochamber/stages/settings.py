"""What each stage is asked for, and its version, apart from the stages: a study is planned without torch.

A change that changes a stage's output raises its version in the same commit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from ..core.config import Config, Count
from ..core.errors import UserError
from ..core.formats import format_row, registered_formats
from ..data.styles import STYLES
from ..model.prompt import PromptConfig
from ..model.settings import OptimizerConfig, PastPositions, SamplingConfig
from ..verify.grader_config import GraderConfig

TOKENIZER_VERSION = 2
PROBLEMS_VERSION = 2
ENVIRONMENT_VERSION = 1
SHARDS_VERSION = 2
TOKENS_VERSION = 1
INDEX_VERSION = 1
"""Of mixtures of real sources alone, which are an index over token ids."""
CHECKED_VERSION = 1
"""Of what is written only where sources are compared with problem sets."""
OVERLAPS_VERSION = 1
CONTAMINATION_VERSION = 1
PRETRAIN_VERSION = 2
EVALUATE_VERSION = 3
PROBE_VERSION = 2
FORECAST_VERSION = 2


SOURCES = "sources"
"""Corpus of a tokenizer that is trained on the documents of the study's own mixtures."""


class TokenizerConfig(Config):
    """One tokenizer per study, trained on a fixed corpus, so that arms differ in data only."""

    vocab_size: int = Field(default=512, ge=258)
    corpus: str = "reference"
    """`reference` (world documents in every style), `sources` (the first documents of every source of the
    mixtures), or the path of an HF tokenizer folder."""
    documents: Count = Field(default=6000, gt=0)
    styles: tuple[str, ...] = tuple(STYLES)
    """Solution styles of the reference corpus."""

    @field_validator("styles")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in STYLES]
        if unknown or not value:
            raise ValueError(f"expected some of {', '.join(STYLES)}, got {', '.join(unknown) or 'none'}")
        return value


class ProblemSetConfig(Config):
    """One fixed set of world problems."""

    set: str
    split: str
    count: Count = Field(gt=0)
    seed: int = 0


class PretrainRecipe(Config):
    """Settings of pretraining at any size. One pass over the shards unless `tokens` says otherwise."""

    added: ClassVar[frozenset[str]] = frozenset({"warmup_steps", "residual_init"})

    sequence_length: int = Field(default=256, gt=0)
    max_positions: int = Field(default=1024, gt=0)
    """Most tokens, prompt and completion together, that the model can read."""
    batch_tokens: Count = Field(default=8192, gt=0)
    """Tokens of one optimizer step over all ranks."""
    microbatch_tokens: Count | None = Field(default=None, gt=0)
    """Tokens of one forward pass of a rank; affects memory, not the gradient. None: as many as fit."""
    tokens: Count | None = Field(default=None, gt=0)
    """Tokens to train on; None: one pass."""
    optimizer: OptimizerConfig = OptimizerConfig(name="muon", lr=3e-3)
    warmup_share: float = Field(default=0.02, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    warmup_steps: int | None = Field(default=None, ge=0)
    """The same as a number of steps, which then counts instead."""
    residual_init: Literal["scaled", "plain"] = "scaled"
    """Deviation of a block's output matrices at the start: over sqrt(2·L), or as that of all others."""
    lr_floor: float = Field(default=0.1, ge=0, le=1)
    """Last learning rate as a share of the peak."""
    mask_documents: bool = False
    """Keep attention inside each document and count positions from its start."""
    shard: bool = False
    """Split weights and optimizer state over the ranks (FSDP2), for models that one rank cannot hold."""
    checkpoints: int = Field(default=1, ge=1)
    """Number of log-spaced checkpoints; 1 keeps the last alone."""
    keep_steps: tuple[int, ...] = ()
    """Further steps to keep, for RL from the middle of pretraining. Steps beyond the last are ignored."""


class PretrainConfig(PretrainRecipe):
    """Settings of one pretraining run."""

    size: str
    """A named size of `model.presets`."""


class EvaluateConfig(Config):
    """Settings of an evaluation."""

    added: ClassVar[frozenset[str]] = frozenset({"prompt", "past_positions"})

    samples: int = Field(default=16, gt=0)
    """Completions per problem at `temperature`, besides the greedy one."""
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    stop: tuple[str, ...] = ()
    """Strings before which a completion's text ends."""
    max_new_tokens: int = Field(default=160, gt=0)
    past_positions: PastPositions = "error"
    max_rows: int = Field(default=1024, gt=0)
    chunk_completions: int = Field(default=4096, gt=0)
    """Completions between two saves; a kill loses at most these, and memory holds no more."""
    prompt_suffix: str = "\n\n"
    prompt: PromptConfig = PromptConfig()
    grader: GraderConfig = GraderConfig()

    def sampling(self, temperature: float) -> SamplingConfig:
        """Sampling settings at a temperature; 0 is greedy."""
        names = ("top_p", "top_k", "stop", "max_new_tokens", "max_rows", "past_positions")
        return SamplingConfig.parse(
            {name: getattr(self, name) for name in names} | {"temperature": temperature}, "evaluate"
        )


@dataclass(frozen=True)
class Target:
    """One checkpoint to score."""

    step: int
    folder: Path
    samples: int


class ProbeRecipe(Config):
    """What a study's probe measures; the keys of `probe:` in a recipe."""

    count: Count | None = Field(default=None, gt=0)
    """Number of problems of each set, the first ones; None: all."""
    samples: int = Field(default=4, gt=0)
    """Completions per problem, for each forced format and each temperature."""
    temperature: float = Field(default=1.0, gt=0)
    """Of forced decoding, and of every log-probability of the likelihood part."""
    temperatures: tuple[Annotated[float, Field(ge=0)], ...] = (0.0, 0.3, 0.6, 1.0)
    """Of the sweep; 0 is greedy, one completion a problem. Empty: no sweep."""
    formats: tuple[str, ...] | None = None
    """Formats to force; None: every registered one that has an opening text. Empty: no forcing."""
    openings: dict[str, str] = {}
    """Opening texts that replace the registered ones."""
    likelihood_samples: int = Field(default=2, ge=0)
    """Completions per problem of the checkpoint and of its reference that both score; 0: none."""


class ProbeConfig(ProbeRecipe):
    """All settings of the stage."""

    added: ClassVar[frozenset[str]] = frozenset({"prompt"})

    max_new_tokens: int = Field(default=160, gt=0)
    """Of the whole completion, a forced opening included."""
    max_rows: int = Field(default=1024, gt=0)
    chunk_completions: int = Field(default=4096, gt=0)
    prompt_suffix: str = "\n\n"
    prompt: PromptConfig = PromptConfig()
    grader: GraderConfig = GraderConfig()

    def forced(self) -> dict[str, str]:
        """Format -> opening text; a format that is asked for and has none is a `UserError`."""
        known = {name: row.opening for name, row in registered_formats().items()} | self.openings
        unknown = [
            name for name in (*(self.formats or ()), *self.openings) if name not in registered_formats()
        ]
        if unknown:
            format_row(unknown[0])
        silent = [name for name in self.formats or () if not known[name]]
        if silent:
            raise UserError(
                f"format {silent[0]!r} has no opening text that commits a completion to it; "
                f"give one as openings.{silent[0]}"
            )
        # Without whitespace at the end (see `Format.opening`).
        return {
            name: known[name].rstrip()
            for name in (known if self.formats is None else self.formats)
            if known[name].strip()
        }
