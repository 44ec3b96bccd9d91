"""The engine compiled ahead for wheels: one library for each kind of x86 CPU, chosen when it is loaded.

setup.py runs this file by its path, where neither torch nor this package is installed.
"""

import hashlib
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent
FOLDER = SOURCES / "prebuilt"
"""Holds the libraries in a wheel; a clone has none, and builds one for its own CPU."""
FLAGS = (
    "-O3",
    "-march=native",
    "-ffp-contract=off",
    "-fopenmp",
    "-fPIC",
    "-shared",
)
TARGETS = {
    "avx512bf16": ("-march=x86-64-v4", "-mavx512bf16", "-mprefer-vector-width=512"),
    "avx512": ("-march=x86-64-v4", "-DECHO_FLOAT32"),
    "avx2": ("-march=x86-64-v3", "-DECHO_FLOAT32"),
}
"""Kind of CPU -> flags in place of `-march=native`. The first multiplies in bf16, the others in float32."""


def flags_of(target: str) -> list[str]:
    """All flags of the compiler for a kind of CPU."""
    return [*(flag for flag in FLAGS if flag != "-march=native"), *TARGETS[target]]


def path_of(target: str, folder: Path = FOLDER) -> Path:
    """Where a library lies; the name holds a digest of sources and flags, so no old one is taken for it."""
    parts = [path.read_bytes() for path in sorted(SOURCES.glob("*.[hc]"))]
    digest = hashlib.sha256(b"\0".join([*parts, *map(str.encode, flags_of(target))])).hexdigest()
    return folder / f"kernels-{target}-{digest[:16]}.so"


def build(target: str, folder: Path, compiler: str = "cc") -> Path:
    """Compile one library; raises `CalledProcessError` where the compiler refuses."""
    folder.mkdir(parents=True, exist_ok=True)
    path = path_of(target, folder)
    command = [compiler, *flags_of(target), "-s", "-o", str(path), str(SOURCES / "kernels.c"), "-lm"]
    subprocess.run(command, check=True)
    return path
