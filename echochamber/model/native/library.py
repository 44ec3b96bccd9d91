"""Build, load and declare the C library.

The structures repeat those of model.h, head.h and decode.h, field by field.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import torch
from filelock import FileLock

from ...core.checksums import hash_file
from . import prebuilt

_SOURCES = Path(__file__).parent
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


def cell_dtype() -> torch.dtype | None:
    """What the engine multiplies in on this CPU: bf16 where it has units for it, else float32, else None.

    Float32 needs AVX2 with FMA; on a CPU with AVX2 alone the compiler refuses the sources.
    """
    if torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return torch.float32 if torch.cpu._is_avx2_supported() else None


def cells_per_word() -> int:
    """Operands along the contraction in one 32-bit word: 2 in bf16, 1 in float32."""
    return 2 if cell_dtype() == torch.bfloat16 else 1


class Unavailable(Exception):
    """Why the library cannot be had here, in one line."""


def address(tensor: torch.Tensor | None) -> int | None:
    """Where a contiguous CPU tensor's memory begins."""
    if tensor is None:
        return None
    assert tensor.is_contiguous(), (tensor.shape, tensor.stride())
    assert tensor.device.type == "cpu", tensor.device
    return tensor.data_ptr()


@lru_cache(maxsize=1)
def load() -> ctypes.CDLL:
    """The library: of the wheel where it has one, else built unless the cache has one for this CPU.

    Raises Unavailable.
    """
    if cell_dtype() is None:
        raise Unavailable("this CPU has neither AVX-512-BF16 units nor AVX2")
    if not hasattr(os, "geteuid"):
        raise Unavailable(
            "it needs Linux or macOS"
        )  # whose users own files, so that none loads another's code
    library = _load_prebuilt() or _load_built()
    _declare(library)
    return library


def _load_prebuilt() -> ctypes.CDLL | None:
    """The wheel's library for this CPU; None without one, or where this system cannot load it."""
    shipped = prebuilt.path_of(cpu_kind(), prebuilt.FOLDER)
    try:
        return ctypes.CDLL(str(shipped)) if shipped.is_file() else None
    except OSError:  # another C library than the wheel was made for
        return None


def cpu_kind() -> str:
    """Of `prebuilt.TARGETS`, for a CPU on which the engine runs."""
    if cell_dtype() == torch.bfloat16:
        return "avx512bf16"
    return "avx512" if torch.cpu._is_avx512_supported() else "avx2"


def _load_built() -> ctypes.CDLL:
    """The library that this machine's compiler made of these sources for this CPU."""
    compiler = next(
        (path for name in (os.environ.get("CC", "cc"), "gcc", "clang") if (path := shutil.which(name))), None
    )
    if compiler is None:
        raise Unavailable("no C compiler (cc, gcc or clang) is on the path")
    target = private_folder() / f"kernels-{_fingerprint(compiler)}.so"
    if not is_trusted(target):
        try:
            with FileLock(target.with_suffix(".lock")):
                if not is_trusted(target):
                    _build(compiler, target)
        except OSError as error:
            raise Unavailable(f"{target.parent} cannot be locked: {error}") from None
    if not is_trusted(target):
        raise Unavailable(f"{target} is not the library that was built here")
    # torch is imported, so its OpenMP library is the one that the loader finds: one pool of threads, not two.
    return ctypes.CDLL(str(target))


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


def private_folder() -> Path:
    """Where the library is kept: a folder that this user alone may write, else a fresh temporary one.

    A relative XDG_CACHE_HOME is not used: code would be loaded from wherever the command was started.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or "")
    try:
        folder = (home if home.is_absolute() else Path.home() / ".cache") / "echochamber"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_own(folder) and os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):  # no such folder can be had; no home is known
        pass
    return Path(tempfile.mkdtemp(prefix="echochamber-"))


def _is_own(path: Path) -> bool:
    """This user's, and writable by nobody else."""
    found = path.lstat()
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022 and not path.is_symlink()


def is_trusted(library: Path) -> bool:
    """Whether a library in the cache is this user's own, and has the digest that was written beside it."""
    digest = library.with_suffix(".sha256")
    try:
        return all(_is_own(path) for path in (library, digest)) and digest.read_text(
            encoding="ascii"
        ) == hash_file(library)
    except (OSError, ValueError):
        return False


def _fingerprint(compiler: str) -> str:
    """Of everything the machine code depends on; -march=native makes that the CPU's flags too."""
    parts = [path.read_bytes() for path in sorted(_SOURCES.glob("*.[hc]"))]
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    cpu = Path("/proc/cpuinfo")
    flags = (
        next((line for line in cpu.read_text().splitlines() if line.startswith("flags")), "")
        if cpu.is_file()
        else ""
    )
    return hashlib.sha256(
        b"\0".join([*parts, version, flags.encode(), *map(str.encode, _flags())])
    ).hexdigest()[:16]


def _flags() -> list[str]:
    return [
        *prebuilt.FLAGS,
        "-mprefer-vector-width=512" if cell_dtype() == torch.bfloat16 else "-DECHO_FLOAT32",
    ]


def _build(compiler: str, target: Path) -> None:
    """Compile beside the target and rename, the digest first; the caller holds the lock."""
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            built = Path(folder) / target.name
            command = [compiler, *_flags(), "-o", str(built), str(_SOURCES / "kernels.c"), "-lm"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                lines = (
                    [line for line in done.stderr.splitlines() if "error" in line]
                    or done.stderr.splitlines()
                    or ["no message"]
                )
                raise Unavailable(f"{Path(compiler).name} could not build the engine: {lines[0]}")
            built.chmod(0o600)
            with built.open("rb") as stream:
                os.fsync(stream.fileno())
            digest = built.with_suffix(".sha256")
            digest.touch(mode=0o600)
            digest.write_text(hash_file(built), encoding="ascii")
            digest.replace(target.with_suffix(".sha256"))
            built.replace(target)
    except OSError as error:
        raise Unavailable(f"the engine could not be built in {target.parent}: {error}") from None


def _declare(library: ctypes.CDLL) -> None:
    signatures: dict[str, tuple[type, ...]] = {
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
