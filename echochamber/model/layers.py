"""The parts of the decoder: norms, rotary positions, attention, feed-forward, block.

Axes: B sequences, T tokens, D width, H heads, K key-value heads, C head size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ModelConfig
from .kv_cache import LayerCache


def rope_tables(config: ModelConfig, length: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles, each (length, C), float32 (Su et al. 2021, eq. 34).

    Halves are paired (i, i + C/2) as in Hugging Face's Llama and OLMo, not interleaved.
    """
    half = torch.arange(0, config.head_size, 2, dtype=torch.float64) / config.head_size
    angles = torch.outer(torch.arange(length, dtype=torch.float64), config.rope_theta**-half)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos().float(), angles.sin().float()


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary embeddings to (..., T, C) with tables that broadcast against it."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat([-second, first], dim=-1) * sin


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) · weight, computed in float32 (Zhang and Sennrich 2019)."""

    out_dtype: torch.dtype | None = None
    """Precision of the result; None: the input's."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight.float(), self.eps).to(
            self.out_dtype or x.dtype
        )


class PlainLayerNorm(nn.Module):
    """LayerNorm without weights or bias, computed in float32 (OLMo; Groeneveld et al. 2024)."""

    out_dtype: torch.dtype | None = None
    """Precision of the result; None: the input's."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.float(), (x.shape[-1],), eps=self.eps).to(self.out_dtype or x.dtype)


Norm = RMSNorm | PlainLayerNorm


def norm_layer(config: ModelConfig) -> Norm:
    """The architecture's norm: RMSNorm for Llama, LayerNorm without weights for OLMo."""
    return (RMSNorm if config.architecture == "llama" else PlainLayerNorm)(
        config.hidden_size, config.norm_eps
    )


class Attention(nn.Module):
    """Causal self-attention with grouped key-value heads."""

    joined: Tensor | None = None
    """The weights of q, k and v in one, for sampling."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        kv_width = config.num_kv_heads * config.head_size
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, kv_width, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, kv_width, bias=False)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        mask: Tensor | None,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """Mix x (B, T, D). With a cache: a `mask` means prompts, to be stored; none means one more token."""
        batch, length, _ = x.shape
        shape = (batch, length, -1, self.config.head_size)
        if self.joined is None:
            q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        else:
            kv_width = self.config.num_kv_heads * self.config.head_size
            q, k, v = F.linear(x, self.joined).split([self.config.hidden_size, kv_width, kv_width], dim=-1)
        q = rotate(q.view(shape).transpose(1, 2), cos, sin)
        k = rotate(k.view(shape).transpose(1, 2), cos, sin)
        v = v.view(shape).transpose(1, 2)
        if cache is not None:
            v = v.float()  # sampling attends in float32 whatever the matrices' precision
            if mask is None:
                return self.o_proj(cache.attend(q, k, v).to(x.dtype))
            cache.store_prompts(k, v)
        groups = self.config.num_heads // self.config.num_kv_heads
        if groups > 1:
            k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        mixed = F.scaled_dot_product_attention(
            q.to(v.dtype), k.to(v.dtype), v, attn_mask=mask, is_causal=mask is None
        )
        mixed = mixed.transpose(1, 2).reshape(batch, length, -1)
        return self.o_proj(mixed if cache is None else mixed.to(x.dtype))


class MLP(nn.Module):
    """SwiGLU: down(silu(gate(x)) · up(x)) (Shazeer 2020)."""

    joined: Tensor | None = None
    """The weights of gate and up in one, for sampling."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.joined is None:
            return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        gate, up = F.linear(x, self.joined).chunk(2, dim=-1)
        return self.down_proj(F.silu(gate) * up)


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each with a residual connection."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = norm_layer(config)
        self.post_attention_layernorm = norm_layer(config)

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        mask: Tensor | None,
        cache: LayerCache | None = None,
    ) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))
