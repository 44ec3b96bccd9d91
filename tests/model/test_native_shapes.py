"""The engine in C on odd shapes, against plain loops in double precision.

Also under sanitizers (memory, undefined behaviour, data races), with other compilers, and for AArch64.
`native_shapes/main.c` calls every entry: widths that are no multiple of 64, head sizes 16 to 256, eight
query heads to a key-value head, a vocabulary of 2, no rows, one token.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from echochamber.model.native import library

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "native_shapes" / "main.c"
FLOAT32, OPENMP = "-DECHO_FLOAT32", "-fopenmp"
ARCHER = Path("/usr/lib/llvm-14/lib/libarcher.so")
"""Tells the thread sanitizer about OpenMP's barriers; without it every parallel loop looks like a race."""
THREADS_OBSERVED = {
    "OMP_TOOL_LIBRARIES": str(ARCHER),
    "TSAN_OPTIONS": "ignore_noninstrumented_modules=1 exitcode=66",
}
RACE = """
int main(void) {
    long sum = 0;
    #pragma omp parallel for num_threads(2)
    for (int i = 0; i < 100000; i++) sum += i;
    return sum == 0;
}
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(library.cell_dtype() is None, reason="the engine does not run on this CPU"),
]


def _needed(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def _agree(folder: Path, compiler: str, *flags: str, runner: tuple[str, ...] = (), shapes: int = 7) -> None:
    """Compile, run, and see that the program found no difference and a sanitizer no fault."""
    program = folder / "shapes"
    sources = ["-I", str(ROOT / "echochamber/model/native"), str(PROGRAM), "-lm"]
    built = subprocess.run(
        [compiler, "-ffp-contract=off", *flags, "-o", str(program), *sources],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-2000:]
    options = {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"} | THREADS_OBSERVED
    done = subprocess.run(
        [*runner, str(program), str(shapes)],
        env=os.environ | options,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "all shapes agree" in done.stdout


@pytest.mark.parametrize("compiler", ["gcc", "gcc-11", "clang", "clang-14"])
def test_every_compiler(tmp_path, compiler):
    _needed(compiler)
    _agree(tmp_path, compiler, "-O3", "-march=native", OPENMP, FLOAT32)


def test_bf16_cells(tmp_path):
    """The arithmetic of AVX-512-BF16, on AVX2 where there is no such unit."""
    _needed("gcc")
    _agree(tmp_path, "gcc", "-O2", "-march=native", OPENMP, shapes=3)


@pytest.mark.parametrize("cells", [(FLOAT32,), ()])
def test_no_fault_of_memory_or_undefined_behaviour(tmp_path, cells):
    _needed("gcc")
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    _agree(tmp_path, "gcc", "-O1", "-g", "-march=native", OPENMP, *cells, *sanitize, shapes=4 if cells else 3)


@pytest.mark.parametrize("cells", [(FLOAT32,), ()])
def test_no_data_race(tmp_path, cells):
    """Threads that share a batch pass barriers of our own (`team.h`)."""
    _needed("clang-14")
    if not ARCHER.exists():
        pytest.skip("libarcher is not installed")
    flags = ("-O1", "-g", "-march=native", OPENMP, *cells, "-fsanitize=thread")
    _agree(tmp_path, "clang-14", *flags, shapes=7 if cells else 3)


def test_a_data_race_would_be_found(tmp_path):
    _needed("clang-14")
    if not ARCHER.exists():
        pytest.skip("libarcher is not installed")
    source, program = tmp_path / "race.c", tmp_path / "race"
    source.write_text(RACE)
    subprocess.run(
        ["clang-14", "-O1", OPENMP, "-fsanitize=thread", "-o", str(program), str(source)], check=True
    )
    done = subprocess.run(
        [str(program)], env=os.environ | THREADS_OBSERVED, capture_output=True, text=True, check=False
    )
    assert done.returncode == 66
    assert "data race" in done.stderr


def test_neon(tmp_path):
    """Under an emulator: numbers, not speed."""
    _needed("aarch64-linux-gnu-gcc", "qemu-aarch64")
    flags = ("-O2", "-static", OPENMP, FLOAT32)
    _agree(tmp_path, "aarch64-linux-gnu-gcc", *flags, runner=("qemu-aarch64",), shapes=3)
