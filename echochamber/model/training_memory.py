"""Peak memory of one training step: counted on tensors without data, and estimated from the shapes.

The count is that of PyTorch's MemTracker, which adds up every storage that is alive. What an allocator
needs on top (rounding, fragments) is not in it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ..formulas.chunked_logprobs import CHUNK
from .config import ModelConfig
from .critic import Critic
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
    with FakeTensorMode():
        model = _model(config, shape)
        optimizer = _adamw(model)
        token_ids = torch.zeros(shape.rows, shape.width, dtype=torch.long)

        def step() -> None:
            with _autocast(shape):
                loss = -model(token_ids, None, token_ids).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return _counted(step, model, optimizer, token_ids)


def rl_training_peak(config: ModelConfig, shape: TrainingShape) -> int:
    """The same for a PPO update: policy, its base, and a critic with a trunk of its own."""
    with FakeTensorMode():
        policy, base, trunk = (_model(config, shape) for _ in range(3))
        critic = Critic(config.hidden_size, trunk)
        optimizers = _adamw(policy), _adamw(critic)
        token_ids = torch.zeros(shape.rows, shape.width, dtype=torch.long)
        everywhere = torch.arange(token_ids.numel())

        def step() -> None:
            # Frozen weights, which the tracker cannot follow, would count alike: the base gets no gradient.
            with torch.no_grad(), _autocast(shape):
                base(token_ids, None, token_ids)
            with _autocast(shape):
                loss = -policy(token_ids, None, token_ids).mean()
            values = critic.row_values(token_ids, None, everywhere, _autocast(shape))
            (loss + values.pow(2).mean()).backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)

        return _counted(step, policy, base, critic, *optimizers, token_ids)


def _model(config: ModelConfig, shape: TrainingShape) -> Transformer:
    model = Transformer(config)
    model.low_memory, model.checkpoint_blocks = shape.low_memory, shape.checkpoint_blocks
    return model


def _adamw(model: nn.Module) -> torch.optim.AdamW:
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], foreach=False)


def _autocast(shape: TrainingShape) -> torch.autocast:
    return torch.autocast("cpu", dtype=shape.dtype, enabled=shape.dtype != torch.float32)


def _counted(step: Callable[[], None], *alive: nn.Module | torch.optim.Optimizer | Tensor) -> int:
    """Peak of two steps, on tensors without data; `alive` is there before."""
    from torch.distributed._tools.mem_tracker import MemTracker  # torch keeps it there so far

    tracker = MemTracker()
    tracker.track_external(*alive)
    with tracker:
        for _ in range(2):
            step()
            tracker.reset_mod_stats()
    return int(tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"])


def training_estimate(config: ModelConfig, shape: TrainingShape) -> float:
    """What `training_peak` counts, from the shapes alone, in bytes.

    With P parameters: 12·P of weights and AdamW's state and, in bf16, 2·P of converted weights; then either
    4·P of gradients, or what a token keeps until its gradient.
    """
    parameters = num_parameters(config)
    kept = _kept_bytes(config, shape) + _busy_bytes(config, shape)
    return (12 + _cast(shape)) * parameters + max(4 * parameters, kept)


def rl_training_estimate(config: ModelConfig, shape: TrainingShape) -> float:
    """What `rl_training_peak` counts: 4·P for the base, and policy and critic as above, alive together.

    The critic's output head is there and never trained: 4 bytes for each of its V·D weights.
    """
    parameters, head = num_parameters(config), config.vocab_size * config.hidden_size
    trained = 2 * parameters - head
    kept = 2 * _kept_bytes(config, shape) + _busy_bytes(config, shape)
    return 4 * parameters + 4 * head + (12 + _cast(shape)) * trained + max(4 * trained, kept)


def _cast(shape: TrainingShape) -> int:
    """Bytes of a weight's converted copy."""
    return 2 if shape.dtype == torch.bfloat16 else 0


def _kept_bytes(config: ModelConfig, shape: TrainingShape) -> float:
    """What the tokens keep in the layers until their gradient; with `checkpoint_blocks` a layer's input."""
    layer = 4 * config.hidden_size if shape.checkpoint_blocks else _block_bytes(config, shape)
    return shape.rows * shape.width * (config.num_layers * layer + 12 * config.hidden_size)


def _block_bytes(config: ModelConfig, shape: TrainingShape) -> int:
    """Of one token: 8 bytes of states per width, its converted norms, queries, keys, values, feed-forward."""
    cell, width = 2 if shape.dtype == torch.bfloat16 else 4, config.hidden_size
    block = 8 * width + cell * (5 * width + 2 * config.query_width + 4 * config.intermediate_size)
    return block + 2 * cell * config.query_width + 4 * config.num_heads


def _busy_bytes(config: ModelConfig, shape: TrainingShape) -> float:
    """What is alive in one place at a time: the head, or the block that is computed again.

    In the head 16·V a token. With `low_memory` a chunk of its logits in float32 and in bf16, and the weights
    converted and their gradient. A block that is computed again has its insides and their gradients.
    """
    logits = config.vocab_size * shape.rows * shape.width
    head = 16.0 * logits
    if shape.low_memory:
        head = (4 + _cast(shape)) * min(CHUNK, logits) + 8 * config.vocab_size * config.hidden_size
    again = 2 * shape.rows * shape.width * _block_bytes(config, shape) if shape.checkpoint_blocks else 0
    return max(head, again)
