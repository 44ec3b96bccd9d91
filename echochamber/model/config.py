"""Architecture of a decoder as plain settings (`hf_config` translates them from and to Hugging Face's)."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ..core.config import Config

Architecture = Literal["llama", "olmo", "qwen2", "qwen3", "mistral", "smollm3"]


class RopeScaling(Config):
    """Lower rotary frequencies for longer contexts; `rope.rope_tables` has the formulas."""

    kind: Literal["linear", "llama3"]
    factor: float = Field(gt=0)
    low_freq_factor: float = Field(default=1.0, gt=0)
    """`llama3`: wavelengths above original_max_positions / this are stretched by `factor`."""
    high_freq_factor: float = Field(default=4.0, gt=0)
    """`llama3`: wavelengths below original_max_positions / this stay."""
    original_max_positions: int = Field(default=8192, gt=0)
    """`llama3`: positions of the pretraining."""

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.kind == "llama3" and self.high_freq_factor <= self.low_freq_factor:
            raise ValueError(
                f"high_freq_factor {self.high_freq_factor} must be above low_freq_factor "
                f"{self.low_freq_factor}"
            )
        return self


MOST_LAYERS, MOST_POSITIONS = 256, 2**20
"""A damaged `config.json` must not fill the memory: the table of angles has a row for every position."""


class ModelConfig(Config):
    """One pre-norm decoder with SwiGLU.

    `olmo` has LayerNorm without weights (the paper's models). All others have RMSNorm with weights and
    differ by the settings below; their name says which Hugging Face class they are saved for.
    """

    architecture: Architecture = "llama"
    vocab_size: int = Field(gt=0)
    hidden_size: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    num_layers: int = Field(gt=0, le=MOST_LAYERS)
    num_heads: int = Field(gt=0)
    num_kv_heads: int = Field(gt=0)
    head_dim: int | None = Field(default=None, gt=0)
    """Width of one attention head; None: hidden_size / num_heads."""
    max_positions: int = Field(default=512, gt=0, le=MOST_POSITIONS)
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    layers_without_rope: tuple[int, ...] = ()
    """Layers, from 0, whose queries and keys are not rotated (SmolLM3)."""
    qkv_bias: bool = False
    """Biases of the query, key and value projections (Qwen2)."""
    output_bias: bool = False
    """A bias of the attention's output projection."""
    qk_norm: bool = False
    """RMSNorm over each head of queries and keys before their rotation (Qwen3)."""
    norm_eps: float = 1e-5
    tie_embeddings: bool = True
    init_std: float = 0.02

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if self.head_dim is None and self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}"
            )
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} is not a multiple of num_kv_heads {self.num_kv_heads}"
            )
        if self.head_size % 2:
            raise ValueError(f"head size {self.head_size} is odd; rotary embeddings need an even one")
        return self

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.head_dim or self.hidden_size // self.num_heads

    @property
    def query_width(self) -> int:
        """Width of all query heads together."""
        return self.num_heads * self.head_size

    @property
    def kv_width(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self.num_kv_heads * self.head_size

    @property
    def plain_norm(self) -> bool:
        """Whether norms are LayerNorm without weights instead of RMSNorm with."""
        return self.architecture == "olmo"
