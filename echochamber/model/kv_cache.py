"""Keys and values of tokens already read, so that a new token costs one position; a prompt's are stored once.

All samples of a prompt (its group) share the prompt's keys and values; each row adds its own.
Axes: P prompts, G samples of one prompt, B = P·G rows, S prompt tokens, N new tokens so far,
H heads, K key-value heads, R = H / K query heads per key-value head, C head size, D width.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .config import ModelConfig


@dataclass
class LayerCache:
    """One layer's keys and values, float32 whatever the precision of the matrices."""

    shared: "KVCache"
    new_keys: Float[Tensor, "B K N C"]
    new_values: Float[Tensor, "B K N C"]
    prompt_keys: Float[Tensor, "P K S C"] | None = None
    """None until the prompts have been read."""
    prompt_values: Float[Tensor, "P K S C"] | None = None

    def store_prompts(self, keys: Float[Tensor, "P K S C"], values: Float[Tensor, "P K S C"]) -> None:
        """Keep what the prompts' pass has computed."""
        self.prompt_keys, self.prompt_values = keys.contiguous(), values.contiguous()

    def attend(
        self, q: Float[Tensor, "B H 1 C"], k: Float[Tensor, "B K 1 C"], v: Float[Tensor, "B K 1 C"]
    ) -> Float[Tensor, "B 1 D"]:
        """Add one token per row; attention of its query over the group's prompt and the row's own tokens."""
        assert self.prompt_keys is not None, "the prompts come first"
        assert self.prompt_values is not None, "the prompts come first"
        end = self.shared.length + 1
        self.new_keys[:, :, end - 1] = k[:, :, 0]
        self.new_values[:, :, end - 1] = v[:, :, 0]
        rows, heads, _, size = q.shape
        prompts, kv = self.prompt_keys.shape[:2]
        per_kv, group = heads // kv, rows // prompts
        q = q.reshape(rows, kv, per_kv, size) * size**-0.5
        # One product per prompt for all queries of its group, instead of one per row.
        shared_q = (
            q.view(prompts, group, kv, per_kv, size)
            .transpose(1, 2)
            .reshape(prompts, kv, group * per_kv, size)
        )
        keys, values = self.new_keys[:, :, :end], self.new_values[:, :, :end]
        to_prompt = shared_q @ self.prompt_keys.transpose(2, 3) + self.shared.prompt_bias
        width = to_prompt.shape[-1]
        to_prompt = (
            to_prompt.view(prompts, kv, group, per_kv, width).transpose(1, 2).reshape(rows, kv, per_kv, width)
        )
        shares = torch.softmax(torch.cat([to_prompt, q @ keys.transpose(2, 3)], dim=-1), dim=-1)
        own = shares[..., width:] @ values
        from_prompt = shares[..., :width].reshape(prompts, group, kv, per_kv, width).transpose(1, 2)
        mixed = from_prompt.reshape(prompts, kv, group * per_kv, width) @ self.prompt_values
        mixed = mixed.view(prompts, kv, group, per_kv, size).transpose(1, 2).reshape(own.shape)
        return (own + mixed).reshape(rows, 1, -1)

    def select(self, rows: Int[Tensor, " b"], prompts: Int[Tensor, " p"], length: int) -> None:
        """Keep these rows and prompts, in this order; of the rows only the columns in use."""
        assert self.prompt_keys is not None, "the prompts come first"
        assert self.prompt_values is not None, "the prompts come first"
        self.new_keys = _move_to_front(self.new_keys, rows, length)
        self.new_values = _move_to_front(self.new_values, rows, length)
        self.prompt_keys, self.prompt_values = self.prompt_keys[prompts], self.prompt_values[prompts]


@dataclass
class KVCache:
    """The caches of all layers, and where each row stands."""

    prompt_bias: Float[Tensor, "P 1 1 S"]
    """0 on prompt tokens, -inf on the padding left of a shorter prompt."""
    positions: Int[Tensor, " B"]
    """Position of the next token of each row."""
    length: int = 0
    """New tokens of each row, N."""
    layers: list[LayerCache] = field(default_factory=list)

    @classmethod
    def start(
        cls, config: ModelConfig, prompts: "PaddedPrompts", samples_per_prompt: int, max_new_tokens: int
    ) -> "KVCache":
        """Empty caches for G samples of each prompt."""
        real, device = prompts.real, prompts.real.device
        bias = torch.zeros(real.shape, device=device).masked_fill(~real, float("-inf"))[:, None, None]
        cache = cls(bias, prompts.lengths.repeat_interleave(samples_per_prompt))
        shape = (len(real) * samples_per_prompt, config.num_kv_heads, max_new_tokens, config.head_size)
        cache.layers = [
            LayerCache(cache, torch.zeros(shape, device=device), torch.zeros(shape, device=device))
            for _ in range(config.num_layers)
        ]
        return cache

    def advance(self) -> None:
        """Count the token that every layer has just added."""
        self.positions += 1
        self.length += 1

    def select(self, rows: Int[Tensor, " b"], prompts: Int[Tensor, " p"]) -> None:
        """Keep these rows and prompts, in this order: b / p rows share each prompt."""
        for layer in self.layers:
            layer.select(rows, prompts, self.length)
        self.prompt_bias, self.positions = self.prompt_bias[prompts], self.positions[rows]


@dataclass(frozen=True)
class PaddedPrompts:
    """Prompts padded on the left, so that all end in the same column."""

    token_ids: Int[Tensor, "P S"]
    lengths: Int[Tensor, " P"]
    real: Bool[Tensor, "P S"]
    """False on padding."""

    @classmethod
    def of(cls, prompts: list[list[int]], pad_id: int, device: torch.device) -> "PaddedPrompts":
        """Pad to the longest prompt."""
        lengths = torch.tensor([len(ids) for ids in prompts], device=device)
        width = int(lengths.max())
        token_ids = torch.tensor([[pad_id] * (width - len(ids)) + ids for ids in prompts], device=device)
        real = torch.arange(width, device=device) >= (width - lengths)[:, None]
        return cls(token_ids, lengths, real)

    @property
    def positions(self) -> Int[Tensor, "P S"]:
        """Of each token in its prompt; 0 on padding."""
        width = self.real.shape[1]
        columns = torch.arange(width, device=self.real.device)
        return (columns - (width - self.lengths)[:, None]).clamp(min=0)

    def bias(self) -> Float[Tensor, "P 1 S S"]:
        """Causal attention to real tokens as an additive mask; a padding token attends to itself.

        (Its softmax would otherwise be over nothing.)
        """
        width, device = self.real.shape[1], self.real.device
        causal = torch.ones(width, width, dtype=torch.bool, device=device).tril()
        mask = (causal & self.real[:, None, :]) | torch.eye(width, dtype=torch.bool, device=device)
        return torch.zeros(mask.shape, device=device).masked_fill(~mask, float("-inf"))[:, None]


def _move_to_front(cache: Tensor, rows: Tensor, length: int) -> Tensor:
    """Rows moved to the front of the same memory, only the columns in use."""
    cache[: len(rows), :, :length] = cache[rows, :, :length]
    return cache[: len(rows)]
