"""Build, load and declare the C library.

The structures repeat those of model.h, head.h and decode.h, field by field.
"""

import ctypes
import os
from functools import lru_cache
from pathlib import Path

import torch

from . import prebuilt
from .built import Unavailable, load_built
from .precision import faster_cells

_LONG, _VOID, _DOUBLE = ctypes.c_long, ctypes.c_void_p, ctypes.c_double
_VECTORS = ("norm1", "norm2", "qkv_bias", "out_bias", "q_norm", "k_norm")
POINTER_NAMES = ("qkv", "qkv_t", "out", "out_t", "gate_up", "gate_up_t", "down", "down_t", *_VECTORS)
GRAD_NAMES = ("qkv", "out", "gate_up", "down", *_VECTORS)


def _structure(name: str, **fields: type) -> type[ctypes.Structure]:
    return type(name, (ctypes.Structure,), {"_fields_": list(fields.items())})


Layer = _structure("Layer", **dict.fromkeys(POINTER_NAMES, _VOID), rotates=_LONG)
LayerGrad = _structure("LayerGrad", **dict.fromkeys(GRAD_NAMES, _VOID))
Model = _structure(
    "Model",
    **dict.fromkeys(("D", "F", "H", "K", "C", "L", "V", "plain_norm"), _LONG),
    eps=_DOUBLE,
    cosine=_VOID,
    sine=_VOID,
    norm=_VOID,
    layers=_VOID,
)
Layout = _structure(
    "Layout",
    num_tokens=_LONG,
    num_rows=_LONG,
    threads=_LONG,
    **dict.fromkeys(
        ("starts", "lengths", "thread", "positions", "shared_start", "shared_end", "own_start"), _VOID
    ),
)
Saved = _structure("Saved", **dict.fromkeys(("x", "x1", "lse", "qkv", "o", "gu"), _VOID), keep=_LONG)
Cache = _structure(
    "Cache",
    **dict.fromkeys(("prompt_slots", "prompt_capacity", "row_slots", "row_capacity", "limit"), _LONG),
    **dict.fromkeys(
        (
            "prompt_keys",
            "prompt_values",
            "row_keys",
            "row_values",
            "prompt_length",
            "row_prompt",
            "row_length",
            "row_token",
            "row_stream",
            "tokens",
            "logprobs",
            "embed",
        ),
        _VOID,
    ),
)
Head = _structure("Head", D=_LONG, V=_LONG, Vp=_LONG, packed=_VOID, packed_t=_VOID)


@lru_cache(maxsize=1)
def cell_dtype() -> torch.dtype | None:
    """What the engine multiplies in on this CPU: bf16 where that is faster than float32, else float32.

    None without AVX2; with AVX2 but no FMA the compiler refuses the sources. The rates are measured once for
    a machine (`precision`). Without a library to measure it is float32.
    """
    if not torch.cpu._is_avx2_supported():
        return None
    if not torch.cpu._is_avx512_bf16_supported():
        return torch.float32
    return faster_cells(load_cells)


def cells_per_word() -> int:
    """Operands along the contraction in one 32-bit word: 2 in bf16, 1 in float32."""
    return 2 if cell_dtype() == torch.bfloat16 else 1


def address(tensor: torch.Tensor | None) -> int | None:
    """Where a contiguous CPU tensor's memory begins."""
    if tensor is None:
        return None
    assert tensor.is_contiguous(), (tensor.shape, tensor.stride())
    assert tensor.device.type == "cpu", tensor.device
    return tensor.data_ptr()


@lru_cache(maxsize=1)
def load() -> ctypes.CDLL:
    """The library that computes in `cell_dtype`. Raises Unavailable."""
    cells = cell_dtype()
    if cells is None:
        raise Unavailable("this CPU has neither AVX-512-BF16 units nor AVX2")
    return load_cells(cells)


def load_cells(cells: torch.dtype) -> ctypes.CDLL:
    """One for bf16 or float32: of the wheel where it has one, else built unless the cache has it.

    Raises Unavailable.
    """
    if not hasattr(os, "geteuid"):
        raise Unavailable(
            "it needs Linux or macOS"
        )  # whose users own files, so that none loads another's code
    library = load_prebuilt(cells) or load_built(cells)
    _declare(library)
    return library


def load_prebuilt(cells: torch.dtype) -> ctypes.CDLL | None:
    """The wheel's library for this CPU; None without one, or where this system cannot load it."""
    shipped = prebuilt.path_of(cpu_kind(cells), prebuilt.FOLDER)
    try:
        return ctypes.CDLL(str(shipped)) if shipped.is_file() else None
    except OSError:  # another C library than the wheel was made for
        return None


def cpu_kind(cells: torch.dtype) -> str:
    """Of `prebuilt.TARGETS`, for a CPU on which the engine runs."""
    if cells == torch.bfloat16:
        return "avx512bf16"
    return "avx512" if torch.cpu._is_avx512_supported() else "avx2"


def origin() -> str:
    """Where the loaded library is from: `prebuilt` in the wheel, or `built` on this machine."""
    return "prebuilt" if Path(load()._name).parent == prebuilt.FOLDER else "built"


def why_not() -> str | None:
    """None where the library runs, else the reason that it does not."""
    try:
        load()
    except Unavailable as reason:
        return str(reason)
    return None


def _declare(library: ctypes.CDLL) -> None:
    signatures: dict[str, tuple[type, ...]] = {
        "echo_multiply": (_LONG, _LONG, _LONG, _VOID, _VOID, _VOID),
        "echo_pack": (_VOID, _LONG, _LONG, _VOID, _LONG, _LONG),
        "echo_pack_transposed": (_VOID, _LONG, _LONG, _VOID, _LONG, _LONG),
        "echo_trunk_forward": (_VOID,) * 4,
        "echo_trunk_backward": (_VOID,) * 7,
        "echo_head_forward": (_VOID, _VOID, _VOID, _LONG, _DOUBLE, _VOID, _VOID, _VOID, _LONG),
        "echo_head_backward": (_VOID, _VOID, _VOID, _VOID, _VOID, _LONG, _DOUBLE, _VOID, _VOID, _LONG),
    }
    signatures |= {
        "echo_store_prompts": (_VOID,) * 5,
        "echo_orthogonalise": (_VOID, _VOID, _LONG, _LONG, _DOUBLE, _DOUBLE, _DOUBLE, _DOUBLE, _LONG),
        "echo_decode_logits": (_VOID, _VOID, _VOID, _VOID, _LONG, _VOID, _LONG),
        "echo_decode": (_VOID, _VOID, _VOID, _VOID, _LONG, _LONG, _LONG, _DOUBLE, ctypes.c_int64, _LONG),
    }
    for name, arguments in signatures.items():
        function = getattr(library, name)
        function.argtypes, function.restype = list(arguments), _LONG if name == "echo_decode" else None
