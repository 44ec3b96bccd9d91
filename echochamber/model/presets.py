"""Named sizes: a nano ladder for CPUs, the paper's four OLMo shapes, and a small one like them.

`paper-*` are the configs RL-150M to RL-1B of its code. `olmo-10m` is for trying its recipes on a CPU.
"""

from ..core.errors import UserError
from .config import ModelConfig

_NANO = {
    #              width  feed-forward  layers  heads  kv heads
    "nano-0.2m": (64, 160, 4, 4, 2),
    "nano-0.8m": (128, 320, 4, 4, 2),
    "nano-3m": (256, 704, 4, 8, 4),
    "nano-10m": (384, 1024, 6, 12, 4),
}
_OLMO = {
    #              width  layers  heads  tied
    "olmo-10m": (256, 6, 8, False),
    "paper-150m": (768, 12, 12, False),
    "paper-300m": (1024, 14, 16, False),
    "paper-500m": (1536, 12, 12, False),
    "paper-1b": (2048, 16, 16, True),
}
PAPER_VOCAB_SIZE = 32_000
SIZES = (*_NANO, *_OLMO)


def preset(name: str, vocab_size: int, max_positions: int = 512) -> ModelConfig:
    """The config of a named size for a vocabulary; an unknown name lists what there is."""
    if name in _NANO:
        width, feed_forward, layers, heads, kv_heads = _NANO[name]
        return ModelConfig(
            architecture="llama",
            vocab_size=vocab_size,
            hidden_size=width,
            intermediate_size=feed_forward,
            num_layers=layers,
            num_heads=heads,
            num_kv_heads=kv_heads,
            max_positions=max_positions,
        )
    if name in _OLMO:
        width, layers, heads, tied = _OLMO[name]
        return ModelConfig(
            architecture="olmo",
            vocab_size=vocab_size,
            hidden_size=width,
            intermediate_size=4 * width,
            num_layers=layers,
            num_heads=heads,
            num_kv_heads=heads,
            max_positions=max_positions,
            tie_embeddings=tied,
        )
    raise UserError(f"size {name!r} is not known; there are {', '.join(SIZES)}")


def num_parameters(config: ModelConfig) -> int:
    """Trainable parameters: V·D (twice if untied) + L·(2·D·A + 2·D·D_kv + 3·D·F) + norm weights and biases.

    A = heads x head size (D but for an own head size), D_kv = kv heads x head size. RMSNorm has
    (2·L + 1)·D weights, and 2·C per layer with norms of queries and keys; OLMo's LayerNorm has none.
    """
    width, query_width, kv_width = config.hidden_size, config.query_width, config.kv_width
    embeddings = config.vocab_size * width * (1 if config.tie_embeddings else 2)
    block = 2 * width * query_width + 2 * width * kv_width + 3 * width * config.intermediate_size
    block += (query_width + 2 * kv_width) * config.qkv_bias + width * config.output_bias
    block += 2 * config.head_size * config.qk_norm
    norms = 0 if config.plain_norm else (2 * config.num_layers + 1) * width
    return embeddings + config.num_layers * block + norms


def flops_per_token(config: ModelConfig, context: int) -> int:
    """Floating-point operations of one training token: 6·N + 6·L·A·T, A = heads x head size.

    N counts every matrix a token is multiplied with (the embedding look-up is none, the output
    head is one). Attention adds 2·2·L·A·T/2 forward (causal half of a context of T) and twice that
    backward, as in Chowdhery et al. 2022 (PaLM), appendix B, with the causal half.
    """
    block = config.hidden_size * (2 * config.query_width + 2 * config.kv_width + 3 * config.intermediate_size)
    matrices = config.num_layers * block + config.vocab_size * config.hidden_size
    return 6 * matrices + 6 * config.num_layers * config.query_width * context
