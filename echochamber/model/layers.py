"""The parts of the decoder: norms, attention, feed-forward, block.

Axes: B sequences, T tokens, D width, H heads, K key-value heads, C head size.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ModelConfig
from .flex_attention import flex_attend
from .kv_cache import LayerCache
from .rope import rotate

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask


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
    """The architecture's norm: LayerNorm without weights for OLMo, else RMSNorm."""
    return (PlainLayerNorm if config.plain_norm else RMSNorm)(config.hidden_size, config.norm_eps)


class Attention(nn.Module):
    """Causal self-attention with grouped key-value heads; `layer` counts from 0."""

    joined: Tensor | None = None
    """The weights of q, k and v in one, for sampling."""
    joined_bias: Tensor | None = None

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.config = config
        self.rotates = layer not in config.layers_without_rope
        width, bias = config.hidden_size, config.qkv_bias
        self.q_proj = nn.Linear(width, config.query_width, bias=bias)
        self.k_proj = nn.Linear(width, config.kv_width, bias=bias)
        self.v_proj = nn.Linear(width, config.kv_width, bias=bias)
        self.o_proj = nn.Linear(config.query_width, width, bias=config.output_bias)
        self.q_norm = RMSNorm(config.head_size, config.norm_eps) if config.qk_norm else None
        self.k_norm = RMSNorm(config.head_size, config.norm_eps) if config.qk_norm else None

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        mask: "Tensor | BlockMask | None",
        cache: LayerCache | None = None,
    ) -> Tensor:
        """Mix x (B, T, D). With a cache: a `mask` means prompts, to be stored; none means one more token."""
        batch, length, _ = x.shape
        q, k, v = self._heads(x, cos, sin)
        if cache is not None:
            # Sampling attends in float32 whatever the matrices' precision.
            q, k, v = q.float(), k.float(), v.float()
            if mask is None:
                return self.o_proj(cache.attend(q, k, v).to(x.dtype))
            cache.store_prompts(k, v)
        groups = self.config.num_heads // self.config.num_kv_heads
        if groups > 1:
            k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        if mask is None or isinstance(mask, Tensor):
            mixed = F.scaled_dot_product_attention(
                q.to(v.dtype), k.to(v.dtype), v, attn_mask=mask, is_causal=mask is None
            )
        else:
            mixed = flex_attend(q.to(v.dtype), k.to(v.dtype), v, mask)
        mixed = mixed.transpose(1, 2).reshape(batch, length, -1)
        return self.o_proj(mixed if cache is None else mixed.to(x.dtype))

    def _heads(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, H, T, C), keys and values (B, K, T, C); queries and keys normed and rotated."""
        if self.joined is None:
            projected = (self.q_proj(x), self.k_proj(x), self.v_proj(x))
        else:
            widths = [self.config.query_width, self.config.kv_width, self.config.kv_width]
            projected = F.linear(x, self.joined, self.joined_bias).split(widths, dim=-1)
        q, k, v = (part.view(*x.shape[:2], -1, self.config.head_size) for part in projected)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        return (rotate(q, cos, sin), rotate(k, cos, sin), v) if self.rotates else (q, k, v)


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
    """Pre-norm attention and feed-forward, each with a residual connection; `layer` counts from 0."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.mlp = MLP(config)
        self.input_layernorm = norm_layer(config)
        self.post_attention_layernorm = norm_layer(config)

    def forward(
        self,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
        mask: "Tensor | BlockMask | None",
        cache: LayerCache | None = None,
    ) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))
