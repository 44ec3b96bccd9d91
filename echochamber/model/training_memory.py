"""Peak memory of one training step: counted on tensors without data, and estimated from the shapes.

The count is that of PyTorch's MemTracker, which adds up every storage that is alive. What an allocator
needs on top (rounding, fragments) is not in it.
"""

from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from ..formulas.chunked_logprobs import CHUNK
from .config import ModelConfig
from .presets import num_parameters
from .transformer import Transformer


@dataclass(frozen=True)
class TrainingShape:
    """One forward and backward pass of `rows` sequences of `width` tokens, and an AdamW step."""

    rows: int
    width: int
    dtype: torch.dtype = torch.bfloat16
    """Of autocast; weights, gradients and AdamW's state are float32."""
    low_memory: bool = False
    """log-probabilities in chunks (`runtime.low_memory`)."""
    checkpoint_blocks: bool = False
    """Blocks' insides computed again (`runtime.checkpoint_blocks`)."""


def training_peak(config: ModelConfig, shape: TrainingShape) -> int:
    """Most bytes alive at once over two optimizer steps on one device; the second has AdamW's state."""
    from torch.distributed._tools.mem_tracker import MemTracker  # torch keeps it there so far

    tracker = MemTracker()
    with FakeTensorMode():
        model = Transformer(config)
        model.low_memory, model.checkpoint_blocks = shape.low_memory, shape.checkpoint_blocks
        optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
        token_ids = torch.zeros(shape.rows, shape.width, dtype=torch.long)
        tracker.track_external(model, optimizer, token_ids)
        with tracker:
            for _ in range(2):
                with torch.autocast("cpu", dtype=shape.dtype, enabled=shape.dtype != torch.float32):
                    loss = -model(token_ids, None, token_ids).mean()
                loss.backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                tracker.reset_mod_stats()
        return int(tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"])


def training_estimate(config: ModelConfig, shape: TrainingShape) -> float:
    """What `training_peak` counts, from the shapes alone, in bytes.

    With P parameters: 12·P of weights and AdamW's state and, in bf16, 2·P of converted weights; then either
    4·P of gradients, or what a token keeps until its gradient. A token keeps, in each of L layers, 8 bytes of
    states per width, its converted norms, queries, keys, values and feed-forward, and in the head 16·V, or
    one chunk of it with `low_memory`. With `checkpoint_blocks` a layer keeps its input, and one has it all.
    """
    parameters, cell = num_parameters(config), 2 if shape.dtype == torch.bfloat16 else 4
    tokens, width = shape.rows * shape.width, config.hidden_size
    block = 8 * width + cell * (5 * width + 2 * config.query_width + 4 * config.intermediate_size)
    block += 2 * cell * config.query_width + 4 * config.num_heads
    layers = config.num_layers * block
    if shape.checkpoint_blocks:
        layers = 4 * width * config.num_layers + 2 * block
    head = 16 * config.vocab_size * tokens
    if shape.low_memory:
        head = 12 * min(CHUNK, config.vocab_size * tokens) + 8 * config.vocab_size * width
    fixed = 12 * parameters + (2 * parameters if cell == 2 else 0)
    return fixed + max(4 * parameters, tokens * (layers + 12 * width) + head)
