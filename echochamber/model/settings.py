"""Settings of runtime, optimizer, adapter and sampling, apart from what uses them.

A recipe is read, checked and printed from these alone, without torch.
"""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from ..core.config import Config

AUTO_ENGINE, NATIVE_ENGINE, TRANSFORMERS_ENGINE, VLLM_ENGINE = "auto", "native", "transformers", "vllm"
"""Values of `runtime.engine`; the first is the default. Modules of the user add others."""


class VllmConfig(Config):
    """Memory of the engine vllm; unused by others."""

    gpu_memory: float = Field(default=0.4, gt=0, lt=1)
    """Share of a CUDA device that vLLM may take while it samples; it gives it back while training runs."""
    cache_gb: float = Field(default=1.0, gt=0)
    """Keys and values on a CPU, in GB."""


class RuntimeConfig(Config):
    """Settings that can change the last bits of a result; they are part of every fingerprint."""

    added: ClassVar[frozenset[str]] = frozenset(
        {
            "engine",
            "trust_remote_code",
            "low_memory",
            "attention",
            "checkpoint_blocks",
            "checkpoint_dtype",
            "repeatable",
            "vllm",
        }
    )

    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Compute precision; weights and optimizer state stay float32.

    `auto`: bf16 where there are units for it, but float32 on a CPU that cannot run the engine in C.
    """
    threads: int = 2
    """CPU threads of one stage; a setting and not the machine's core count, so that results repeat."""
    native: Literal["auto", "on", "off"] = "auto"
    """The engine in C (`model.native`); PyTorch agrees up to rounding.

    `auto`: wherever it runs, in bf16 on CPUs whose units for it are faster than those for float32, as
    measured once on each machine, in float32 on other x86 CPUs with AVX2. `on`: the same, and an error where
    it does not run.
    """
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile; with `auto` only where the engine in C does not run."""
    engine: str = AUTO_ENGINE
    """Who computes and samples: a registered engine (see `rollout.engines`).

    `auto`: `native`, this project's own decoder, where it computes the model, else `transformers`.
    `vllm` samples through that library; the rest is computed as with `auto`.
    """
    trust_remote_code: bool = False
    """Let transformers run Python files of a checkpoint's folder."""
    low_memory: Literal["auto", "on", "off"] = "auto"
    """log-probabilities in chunks, without logits of a whole batch, where PyTorch computes them.

    RL's comparison with sampler and base then keeps to `microbatch_tokens` too. Results agree up to
    rounding. `auto`: on CUDA.
    """
    attention: Literal["auto", "mask", "blocks"] = "auto"
    """Attention of packed rows in PyTorch: with a mask of all pairs of tokens, or by blocks.

    `blocks`: FlexAttention, or plain causal attention where that gives the same. It trains on CUDA alone;
    on a CPU it can only sample and score. `auto`: blocks on CUDA.
    """
    checkpoint_blocks: bool = False
    """Keep the input of each block alone and compute the rest again for the gradient, where PyTorch trains.

    A third more time for a fraction of the memory (Chen et al. 2016). Results agree up to rounding.
    """
    checkpoint_dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights in checkpoints; training goes on in float32, and its resume state keeps that.

    `bfloat16` halves them and rounds to 8 bits, so RL starts from the rounded base, and changes below a
    256th of a weight may be lost in what is evaluated.
    """
    repeatable: bool = False
    """Refuse an engine whose completions do not repeat to the byte, such as vllm."""
    vllm: VllmConfig = VllmConfig()


class OptimizerConfig(Config):
    """Step sizes and decay; the schedule multiplies both learning rates by the same factor."""

    name: Literal["adamw", "muon"] = "adamw"
    lr: float = Field(default=1e-3, ge=0)
    """Peak learning rate of AdamW."""
    muon_lr: float = Field(default=0.02, ge=0)
    """Peak learning rate of Muon (Jordan et al. 2024); unused with `adamw`."""
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    """Largest global gradient norm."""


class AdapterConfig(Config):
    """Train W + alpha / rank · B·A with A and B of this rank instead of W."""

    rank: int = Field(gt=0)
    alpha: float | None = Field(default=None, gt=0)
    """None: 2 · rank."""
    targets: tuple[str, ...] = ()
    """Ends of the names of layers that get an adapter; empty: all linear layers but the head."""


PastPositions = Literal["error", "cut"]
"""Where a prompt leaves the model no room for `max_new_tokens`.

`error` ends the run. `cut` samples what fits and counts the completion as truncated if it has not ended.
"""


class SamplingConfig(Config):
    """How completions are drawn. RL refuses top-p and top-k wherever a ratio to the sampler is used."""

    temperature: float = Field(default=1.0, ge=0)
    """0 is greedy."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Draw from the likeliest tokens that together hold this share (nucleus; Holtzman et al. 2020)."""
    top_k: int = Field(default=0, ge=0)
    """Draw from the k likeliest tokens; 0: from all."""
    stop: tuple[str, ...] = ()
    """A completion ends with the token that completes one of these; its text ends before the string.

    That token and its log-probability are kept as EOS is, so a trainer sees what was sampled.
    """
    max_new_tokens: int = Field(default=160, gt=0)
    max_rows: int = Field(default=512, gt=0)
    """Completions that run at once; bounds memory."""
    past_positions: PastPositions = "error"

    @field_validator("stop")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "" in value:
            raise ValueError("an empty string would end every completion at once")
        return value

    @property
    def python_choice(self) -> bool:
        """Whether tokens are chosen in Python: what needs a sorted distribution, or the text so far."""
        return self.top_p < 1 or self.top_k > 0 or bool(self.stop)
