"""One decoding step with key-value caches: the prompt's is shared by all samples of its group.

Axes: P prompts, G samples of one prompt, B = P·G rows, S prompt tokens, N new tokens so far,
K key-value heads, R query heads per key-value head, C head size, D width, V vocabulary.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import ModelConfig
from .transformer import Transformer, rotate


@dataclass(frozen=True)
class LayerWeights:
    """One block's matrices, joined where they share an input, in compute precision."""

    qkv: Tensor
    out: Tensor
    gate_up: Tensor
    down: Tensor
    norm_attention: Tensor | None
    norm_mlp: Tensor | None


@dataclass(frozen=True)
class DecodeWeights:
    """A read-only copy of a model's weights laid out for sampling."""

    config: ModelConfig
    dtype: torch.dtype
    embed: Tensor
    head: Tensor
    layers: tuple[LayerWeights, ...]
    norm: Tensor | None
    cos: Tensor
    sin: Tensor

    @classmethod
    def of(cls, model: Transformer, dtype: torch.dtype) -> "DecodeWeights":
        """Copy the weights as they are now."""

        def cast(*parts: Tensor) -> Tensor:
            return torch.cat([part.detach() for part in parts]).to(dtype).contiguous()

        def norm_weight(norm: torch.nn.Module) -> Tensor | None:
            weight = getattr(norm, "weight", None)
            return None if weight is None else weight.detach().float()

        layers = tuple(
            LayerWeights(
                qkv=cast(b.self_attn.q_proj.weight, b.self_attn.k_proj.weight, b.self_attn.v_proj.weight),
                out=cast(b.self_attn.o_proj.weight),
                gate_up=cast(b.mlp.gate_proj.weight, b.mlp.up_proj.weight),
                down=cast(b.mlp.down_proj.weight),
                norm_attention=norm_weight(b.input_layernorm),
                norm_mlp=norm_weight(b.post_attention_layernorm),
            )
            for b in model.blocks
        )
        return cls(
            model.config,
            dtype,
            model.model.embed_tokens.weight.detach().float(),
            cast(model.lm_head.weight),
            layers,
            norm_weight(model.model.norm),
            model.cos,
            model.sin,
        )

    def normed(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """Norm in float32, result in compute precision."""
        shape, eps = (x.shape[-1],), self.config.norm_eps
        out = F.layer_norm(x, shape, eps=eps) if weight is None else F.rms_norm(x, shape, weight, eps)
        return out.to(self.dtype)

    def feed_forward(self, x: Tensor, layer: LayerWeights) -> Tensor:
        """The residual branch of SwiGLU for states x (rows, D)."""
        gate, up = F.linear(self.normed(x, layer.norm_mlp), layer.gate_up).chunk(2, dim=-1)
        return F.linear(F.silu(gate) * up, layer.down)


@dataclass
class Cache:
    """Keys and values in float32, one pair per layer."""

    prompt_keys: list[Tensor]
    """(P, K, S, C); positions left of a short prompt are masked by `prompt_bias`."""
    prompt_values: list[Tensor]
    new_keys: list[Tensor]
    """(B, K, N_max, C)."""
    new_values: list[Tensor]
    prompt_bias: Tensor
    """(P, 1, 1, S): 0 on prompt tokens, -inf on padding."""
    positions: Tensor
    """(B,) position of the next token of each row."""


def prefill(
    weights: DecodeWeights, prompts: list[list[int]], pad_id: int
) -> tuple[Tensor, list[Tensor], list[Tensor], Tensor, Tensor]:
    """Run all prompts once, left-padded; returns last states (P, D), keys, values, bias, lengths (P,)."""
    config, device = weights.config, weights.embed.device
    lengths = torch.tensor([len(ids) for ids in prompts], device=device)
    width = int(lengths.max())
    tokens = torch.tensor([[pad_id] * (width - len(ids)) + ids for ids in prompts], device=device)
    positions = (torch.arange(width, device=device) - (width - lengths)[:, None]).clamp(min=0)
    real = torch.arange(width, device=device) >= (width - lengths)[:, None]
    causal = torch.ones(width, width, dtype=torch.bool, device=device).tril()
    # A padding row may see itself, or its softmax would be over nothing.
    mask = (causal & real[:, None, :]) | torch.eye(width, dtype=torch.bool, device=device)
    bias = torch.zeros(mask.shape, device=device).masked_fill(~mask, float("-inf"))[:, None]
    cos, sin = weights.cos[positions][:, None], weights.sin[positions][:, None]
    x, keys, values = weights.embed[tokens], [], []
    for layer in weights.layers:
        q, k, v = _project(weights, x, layer, cos, sin)
        keys.append(k.contiguous())
        values.append(v.contiguous())
        repeat = config.num_heads // config.num_kv_heads
        mixed = F.scaled_dot_product_attention(
            q, k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1), attn_mask=bias
        )
        x = x + F.linear(mixed.transpose(1, 2).reshape(x.shape).to(weights.dtype), layer.out)
        x = x + weights.feed_forward(x, layer)
    prompt_bias = torch.zeros(real.shape, device=device).masked_fill(~real, float("-inf"))[:, None, None]
    return x[:, -1], keys, values, prompt_bias, lengths


def _project(
    weights: DecodeWeights, x: Tensor, layer: LayerWeights, cos: Tensor, sin: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (rows, H, T, C), keys and values (rows, K, T, C), rotated, float32, of x (rows, T, D)."""
    config = weights.config
    rows, length, _ = x.shape
    joined = F.linear(weights.normed(x, layer.norm_attention), layer.qkv).float()
    heads = joined.view(rows, length, -1, config.head_size).transpose(1, 2)
    turned, v = heads.split([config.num_heads + config.num_kv_heads, config.num_kv_heads], dim=1)
    q, k = rotate(turned, cos, sin).split([config.num_heads, config.num_kv_heads], dim=1)
    return q, k, v


def decode_step(weights: DecodeWeights, cache: Cache, token_ids: Tensor, column: int) -> Tensor:
    """States (B, D) after one more token per row, which becomes cache column `column`."""
    x = weights.embed[token_ids][:, None]
    cos, sin = weights.cos[cache.positions][:, None, None], weights.sin[cache.positions][:, None, None]
    for index, layer in enumerate(weights.layers):
        q, k, v = _project(weights, x, layer, cos, sin)
        cache.new_keys[index][:, :, column] = k[:, :, 0]
        cache.new_values[index][:, :, column] = v[:, :, 0]
        mixed = _attend(weights.config, q, cache, index, column + 1)
        x = x + F.linear(mixed.to(weights.dtype), layer.out)
        x = x + weights.feed_forward(x, layer)
    cache.positions += 1
    return x[:, 0]


def _attend(config: ModelConfig, q: Tensor, cache: Cache, index: int, length: int) -> Tensor:
    """Attention of one query per row over its group's prompt and its own new tokens: (B, 1, D)."""
    kv, size = config.num_kv_heads, config.head_size
    per_kv = config.num_heads // kv
    rows, prompts = q.shape[0], cache.prompt_keys[index].shape[0]
    group = rows // prompts
    q = q.reshape(rows, kv, per_kv, size) * size**-0.5
    shared_q = (
        q.view(prompts, group, kv, per_kv, size).transpose(1, 2).reshape(prompts, kv, group * per_kv, size)
    )
    keys, values = cache.new_keys[index][:, :, :length], cache.new_values[index][:, :, :length]
    to_prompt = shared_q @ cache.prompt_keys[index].transpose(2, 3) + cache.prompt_bias
    width = to_prompt.shape[-1]
    to_prompt = (
        to_prompt.view(prompts, kv, group, per_kv, width).transpose(1, 2).reshape(rows, kv, per_kv, width)
    )
    shares = torch.softmax(torch.cat([to_prompt, q @ keys.transpose(2, 3)], dim=-1), dim=-1)
    own = shares[..., width:] @ values
    from_prompt = shares[..., :width].reshape(prompts, group, kv, per_kv, width).transpose(1, 2)
    shared = from_prompt.reshape(prompts, kv, group * per_kv, width) @ cache.prompt_values[index]
    shared = shared.view(prompts, kv, group, per_kv, size).transpose(1, 2).reshape(own.shape)
    return (own + shared).reshape(rows, 1, -1)
