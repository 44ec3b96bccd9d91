"""A decoder's weights in the layout of the C engine, renewed when an optimizer has changed them.

Axes: D width, F feed-forward, W = (H + 2K)·C joint projection, V vocabulary, Vp = V rounded up to 16.
"""

import ctypes
from typing import Any

import torch
from torch import Tensor

from ..config import ModelConfig
from . import library as c


def fits(config: ModelConfig) -> bool:
    """Whether the kernels can run this model."""
    return why_unfit(config) is None


def why_unfit(config: ModelConfig) -> str | None:
    """None where the kernels can run this model, else what they do not compute."""
    widths = (config.hidden_size, config.intermediate_size, config.head_size)
    wrong = {
        f"widths {', '.join(map(str, widths))} are not all multiples of 16": any(w % 16 for w in widths),
        "a key-value head serves over 64 query heads": config.num_heads > 64 * config.num_kv_heads,
    }
    return next((reason for reason, applies in wrong.items() if applies), None)


def pack(parts: list[Tensor], transposed: bool, width: int | None = None) -> Tensor:
    """Weights (n_i, n_in), joined along their first axis, in the words of products.

    The result is (n_in / p, width), or transposed (width / p, n_in), with p = `cells_per_word()`. Its
    columns are a multiple of 16; on CPUs without AVX-512 each 16 of them lie in a block (`gemm.h`).
    """
    total, n_in = sum(len(part) for part in parts), parts[0].shape[1]
    width = width or total
    per = c.cells_per_word()
    assert (n_in if transposed else width) % 16 == 0, (n_in, width)
    packed = torch.zeros((width // per, n_in) if transposed else (n_in // per, width), dtype=torch.int32)
    at = 0
    for part in parts:
        values = part.detach().float().contiguous()
        if transposed:
            c.load().echo_pack_transposed(c.address(values), len(values), n_in, packed.data_ptr(), width, at)
        else:
            c.load().echo_pack(c.address(values), len(values), n_in, packed.data_ptr(), width, at)
        at += len(part)
    return packed


class Packed:
    """Packed copies of one set of parameters; `renew` packs again if any of them has changed.

    Values are compared, not version counters: torch's fused optimizers change a tensor without counting.
    """

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters = parameters
        self.seen: list[Tensor] = []
        self.times_packed = 0

    def stale(self) -> bool:
        """True once after every change of a parameter."""
        if self.seen and all(
            torch.equal(old, now) for old, now in zip(self.seen, self.parameters, strict=True)
        ):
            return False
        self.seen = [p.detach().clone() for p in self.parameters]
        self.times_packed += 1
        return True


class TrunkWeights(Packed):
    """Everything between the embeddings and the head of a `Transformer`."""

    def __init__(self, model: Any) -> None:
        self.blocks, self.final = model.blocks, getattr(model.model.norm, "weight", None)
        super().__init__(
            [p for block in self.blocks for p in layer_parameters(block)]
            + ([] if self.final is None else [self.final])
        )
        config = model.config
        self.tables = (model.cos, model.sin)
        self.struct = c.Model(
            D=config.hidden_size,
            F=config.intermediate_size,
            H=config.num_heads,
            K=config.num_kv_heads,
            C=config.head_size,
            L=config.num_layers,
            V=config.vocab_size,
            plain_norm=int(config.plain_norm),
            eps=config.norm_eps,
        )
        self.layers = (c.Layer * config.num_layers)()
        self.keep: list[dict[str, Tensor | None]] = []

    def renew(self) -> "TrunkWeights":
        """Make the C structures point to the weights as they are now."""
        if not self.stale():
            return self
        self.keep = []
        for struct, block in zip(self.layers, self.blocks, strict=True):
            attention, mlp = block.self_attn, block.mlp
            groups = {
                "qkv": [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight],
                "out": [attention.o_proj.weight],
                "gate_up": [mlp.gate_proj.weight, mlp.up_proj.weight],
                "down": [mlp.down_proj.weight],
            }
            tensors: dict[str, Tensor | None] = {name: pack(parts, False) for name, parts in groups.items()}
            tensors |= {f"{name}_t": pack(parts, True) for name, parts in groups.items()}
            tensors |= vectors(block)
            for name, tensor in tensors.items():
                setattr(struct, name, c.address(None if tensor is None else tensor.detach()))
            struct.rotates = int(attention.rotates)
            self.keep.append(tensors)
        self.struct.cosine, self.struct.sine = (c.address(table) for table in self.tables)
        self.struct.norm = c.address(None if self.final is None else self.final.detach())
        self.struct.layers = ctypes.addressof(self.layers)
        return self


class HeadWeights(Packed):
    """The output head (V, D)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__([weight])
        vocabulary, width = weight.shape
        self.padded = -(-vocabulary // 16) * 16
        self.struct = c.Head(D=width, V=vocabulary, Vp=self.padded)
        self.keep: tuple[Tensor, ...] = ()

    def renew(self) -> "HeadWeights":
        """Make the C structure point to the weights as they are now."""
        if self.stale():
            weight = self.parameters[0]
            self.keep = pack([weight], False, self.padded), pack([weight], True, self.padded)
            self.struct.packed, self.struct.packed_t = (c.address(part) for part in self.keep)
        return self


def layer_parameters(block: Any) -> list[Tensor]:
    """A block's parameters in the order of their gradients (`trunk`)."""
    attention, mlp = block.self_attn, block.mlp
    matrices = (
        attention.q_proj,
        attention.k_proj,
        attention.v_proj,
        attention.o_proj,
        mlp.gate_proj,
        mlp.up_proj,
        mlp.down_proj,
    )
    inputs = (attention.q_proj, attention.k_proj, attention.v_proj)
    biases = [linear.bias for linear in (*inputs, attention.o_proj)]
    norms = (block.input_layernorm, block.post_attention_layernorm)
    # q, k and v lie side by side in each, as in the joint projection.
    found = [
        *(linear.weight for linear in matrices),
        *(getattr(norm, "weight", None) for norm in norms),
        *biases,
        *(getattr(norm, "weight", None) for norm in (attention.q_norm, attention.k_norm)),
    ]
    return [parameter for parameter in found if parameter is not None]


def vectors(block: Any) -> dict[str, Tensor | None]:
    """A block's norms and biases by their names in the C structure; None for those it lacks."""
    attention = block.self_attn
    joint = [linear.bias for linear in (attention.q_proj, attention.k_proj, attention.v_proj)]
    norms = {
        "norm1": block.input_layernorm,
        "norm2": block.post_attention_layernorm,
        "q_norm": attention.q_norm,
        "k_norm": attention.k_norm,
    }
    return {name: getattr(norm, "weight", None) for name, norm in norms.items()} | {
        "qkv_bias": None if joint[0] is None else torch.cat([bias.detach() for bias in joint]),
        "out_bias": attention.o_proj.bias,
    }
