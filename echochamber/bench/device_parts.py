"""What the parts of `doctor --gpu` share: sizes, findings, and models of random weights."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from ..core.errors import UserError
from ..model.presets import preset
from ..model.runtime import Runtime
from ..model.tokenizer import Tokenizer, train_tokenizer
from ..model.transformer import Transformer

VOCABULARY = 300
"""Of the models that comparisons run on."""
_FAULTS = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    ImportError,
    OSError,
    UserError,
)
"""What a device without memory or a missing kernel raises, and what libraries make of it."""


@dataclass(frozen=True)
class Sizes:
    """How large the self-check is."""

    correctness: str
    """Named size of the model that the comparisons run on."""
    tokens: int
    """Of a sequence there."""
    training: tuple[tuple[str, int, int], ...]
    """(named size, rows, tokens of a row) of the timed training steps."""
    vocabulary: int
    """Of the timed models."""
    prompts: int
    """Prompts of 64 tokens, 8 completions each, for the timed sampler."""
    new_tokens: int
    products: tuple[int, ...]
    """Widths of the square products that give the peak."""


FULL = Sizes(
    "nano-10m",
    256,
    (("paper-150m", 16, 2048), ("paper-1b", 4, 2048), ("paper-1b", 8, 2048)),
    32_000,
    64,
    256,
    (2048, 4096, 8192),
)
TINY = Sizes("nano-0.2m", 48, (("nano-0.2m", 2, 64),), 512, 4, 8, (128, 256))
"""What a CPU runs in seconds: it shows that the script runs, not how fast anything is."""


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    name: str
    state: str
    """`ok` or `FAILED` of a comparison, `measured`, or `skipped`."""
    detail: str


Check = Callable[[], Iterator[Finding]]


def run_checks(checks: Sequence[tuple[str, Check]]) -> Iterator[Finding]:
    """The findings of each; one that raises is a finding as well, and the next one runs."""
    for name, check in checks:
        try:
            yield from check()
        except _FAULTS as error:
            reason = " ".join(str(error).split())[:200]
            yield Finding(name, "FAILED", f"{type(error).__name__}: {reason}")


def runtime_on(device: torch.device, dtype: torch.dtype = torch.float32, compiled: bool = False) -> Runtime:
    """As `auto` would choose on that device, in PyTorch."""
    on_cuda = device.type == "cuda"
    return Runtime(device, dtype, 2, compiled, low_memory=on_cuda, block_attention=on_cuda)


def random_model(size: str, vocabulary: int, max_positions: int, device: torch.device) -> Transformer:
    """The same weights on every device."""
    model = Transformer(preset(size, vocabulary, max_positions))
    model.init_weights(torch.Generator().manual_seed(0))
    return model.to(device)


def tiny_tokenizer(vocabulary: int = VOCABULARY) -> Tokenizer:
    """A tokenizer of any corpus: texts do not matter here."""
    return train_tokenizer([chr(code) * 3 for code in range(33, 127)], vocabulary)


@contextmanager
def exact_products() -> Iterator[None]:
    """Float32 products in float32: TF32 has ten bits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
