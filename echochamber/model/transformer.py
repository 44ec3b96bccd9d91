"""The decoder: Llama, its relatives (Qwen2, Qwen3, Mistral, SmolLM3) and OLMo by config.

Parameter names are Hugging Face's, so a state dict is a checkpoint. Axes: B sequences, T tokens,
V vocabulary, D width, H heads, K key-value heads, C head size.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..formulas.chunked_logprobs import chunked_logprobs
from .attention_ranges import AttentionRanges
from .config import ModelConfig
from .decoder import Decoder
from .flex_attention import LEAST_HEAD_SIZE, block_mask
from .kv_cache import KVCache, PaddedPrompts
from .layers import Block, norm_layer
from .native.head import LogprobHead
from .native.library import cell_dtype
from .native.trunk import Trunk
from .rope import rope_tables

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask


class Backbone(nn.Module):
    """Embeddings, blocks and the final norm (Hugging Face's `model.` prefix)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.num_layers))
        self.norm = norm_layer(config)


class Transformer(Decoder):
    """Token ids in, logits out."""

    cos: Tensor
    sin: Tensor
    native: tuple[Trunk, LogprobHead] | None = None
    low_memory: bool = False
    """Whether `logprobs` goes through the tokens in chunks."""
    block_attention: bool = False
    """Whether packed rows attend by blocks (`flex_attention`) instead of by a mask of all pairs."""

    checkpoint_blocks: bool = False
    """Whether a training pass keeps the blocks' inputs alone and computes the rest again."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Backbone(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        cos, sin = rope_tables(config, config.max_positions)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def hidden(
        self, token_ids: Int[Tensor, "B T"], ranges: AttentionRanges | None = None
    ) -> Float[Tensor, "B T D"]:
        """States after the final norm.

        Plain sequences need token ids alone: positions count from 0, attention is causal, right
        padding is harmless. Packed rows say by `ranges` what each token sees.
        """
        length = token_ids.shape[1]
        assert ranges is not None or length <= self.config.max_positions, (
            f"{length} tokens, at most {self.config.max_positions} positions"
        )
        x = self.model.embed_tokens(token_ids)
        if x.dtype == torch.bfloat16 and torch.is_autocast_enabled(x.device.type):
            x = x.float()  # split weights may be gathered in bf16; what blocks add to is float32 all the same
        if (native := self.running_native) is not None:
            return native[0](x, ranges or AttentionRanges.causal(*token_ids.shape))
        cos, sin = self.cos[:length], self.sin[:length]
        mask: Tensor | BlockMask | None = None
        if ranges is not None:
            positions = ranges.positions.to(x.device)
            cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
            mask = self._mask(ranges, x.device)
        for block in self.blocks:
            if self.checkpoint_blocks and torch.is_grad_enabled():
                x = checkpoint(block, x, cos, sin, mask, use_reentrant=False, preserve_rng_state=False)
            else:
                x = block(x, cos, sin, mask)
        return self.model.norm(x)

    def _mask(self, ranges: AttentionRanges, device: torch.device) -> "Tensor | BlockMask | None":
        if not self.block_attention or self.config.head_size < LEAST_HEAD_SIZE:
            return ranges.mask().to(device)
        return None if ranges.is_causal else block_mask(ranges, device)

    def read_prompts(self, prompts: PaddedPrompts, cache: KVCache) -> Float[Tensor, "P D"]:
        """Fill the cache with the prompts; states after the final norm at each prompt's last token."""
        positions = prompts.positions
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        return self._cached(prompts.token_ids, cos, sin, prompts.bias(), cache)

    def read_token(self, token_ids: Int[Tensor, " B"], cache: KVCache) -> Float[Tensor, "B D"]:
        """Add one token to every row of the cache; states after the final norm there."""
        cos, sin = self.cos[cache.positions][:, None, None], self.sin[cache.positions][:, None, None]
        states = self._cached(token_ids[:, None], cos, sin, None, cache)
        cache.advance()
        return states

    def _cached(
        self, token_ids: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: KVCache
    ) -> Tensor:
        x = self.model.embed_tokens(token_ids)
        for block, layer in zip(self.blocks, cache.layers, strict=True):
            # Not through __call__: a compiled block would be compiled anew for every number of rows.
            x = block.forward(x, cos, sin, mask, layer)
        return self.model.norm(x[:, -1])

    def forward(
        self,
        token_ids: Int[Tensor, "B T"],
        ranges: AttentionRanges | None = None,
        targets: Int[Tensor, "B T"] | None = None,
    ) -> Tensor:
        """Logits (B, T, V) of the token after each position; with `targets` their log-probabilities (B, T).

        `ranges` as in `hidden`.
        """
        states = self.hidden(token_ids, ranges)
        if targets is None:
            return self.lm_head(states)
        return self.logprobs(states.flatten(0, 1), targets.flatten())[0].view(targets.shape)

    def logits(self, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
        """Logits of states after the final norm."""
        logits: Tensor = self.lm_head(hidden)
        return logits

    def weights(self) -> Mapping[str, Tensor]:
        """The state dict, whose names are Hugging Face's."""
        return self.state_dict()

    def freeze_head(self) -> None:
        """Take an untied head out of training: a critic's trunk is never asked for logits."""
        if not self.config.tie_embeddings:
            self.lm_head.requires_grad_(False)

    def logprobs(
        self,
        hidden: Float[Tensor, "N D"],
        targets: Int[Tensor, " N"],
        temperature: float = 1.0,
        with_entropy: bool = False,
    ) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"] | None]:
        """log softmax(logits / temperature)[target] in nats, and the entropy of that distribution or None.

        The entropy has no gradient.
        """
        if (native := self.running_native) is not None:
            return native[1](
                hidden, targets, temperature
            )  # its entropy comes with the sum that it needs anyway
        if self.low_memory:
            return chunked_logprobs(hidden, self.lm_head.weight, targets, temperature, with_entropy)
        return super().logprobs(hidden, targets, temperature, with_entropy)

    @property
    def running_native(self) -> tuple[Trunk, LogprobHead] | None:
        """The C engine where it is on; in bf16 only under autocast, as float32 is meant elsewhere."""
        if cell_dtype() == torch.float32 or torch.is_autocast_enabled("cpu"):
            return self.native
        return None

    def use_native(self, threads: int) -> None:
        """Run blocks and head in the C engine under bf16 autocast on the CPU; see `native`."""
        self.native = (Trunk(self, threads), LogprobHead(self.lm_head.weight, threads))

    @property
    def blocks(self) -> list[Block]:
        """The layers in order."""
        return cast(list[Block], list(self.model.layers))

    def compile_blocks(self, dynamic: bool | None = None, backend: str = "inductor") -> None:
        """Compile the block once for all layers: a fraction of the time of compiling the whole model.

        torch keeps at most eight graphs and runs what comes after them uncompiled. Varying shapes take up to
        four for each kind of pass (with and without gradient, causal and packed). With `dynamic` they take
        one, and one for a single row. None: fixed shapes first, which one width is fastest with.
        """
        for block in self.blocks:
            block.compile(dynamic=dynamic, backend=backend)

    def init_weights(self, generator: torch.Generator, scaled: bool = True) -> None:
        """Normal(0, init_std) cut off at three deviations; residual outputs scaled by 1/sqrt(2·L).

        `scaled=False`: those too have init_std, as in OLMo's `normal`. Biases are 0. Norm weights
        stay as they are.
        """
        for name, parameter in self.named_parameters():
            if name.endswith(".bias"):
                nn.init.zeros_(parameter)
            if parameter.dim() < 2:
                continue
            residual = scaled and name.endswith(("o_proj.weight", "down_proj.weight"))
            std = self.config.init_std / ((2 * self.config.num_layers) ** 0.5 if residual else 1.0)
            nn.init.trunc_normal_(parameter, std=std, a=-3 * std, b=3 * std, generator=generator)
