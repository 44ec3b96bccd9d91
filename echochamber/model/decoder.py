"""What RL, evaluation and probing call a model: this project's own decoder, or one of transformers."""

from .transformer import Transformer
from .transformers_model import TransformersModel

Decoder = Transformer | TransformersModel
"""Both have `config`, `hidden`, `logits`, `logprobs`, `weights` and `freeze_head`."""
