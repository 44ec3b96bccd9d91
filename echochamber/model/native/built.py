"""The C library as this machine's compiler makes it, kept in a cache that this user alone may write."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from filelock import FileLock

from ...core.checksums import hash_file
from . import prebuilt

_SOURCES = Path(__file__).parent


class Unavailable(Exception):
    """Why the library cannot be had here, in one line."""


def load_built(cells: torch.dtype) -> ctypes.CDLL:
    """The library that this machine's compiler made of these sources for this CPU; raises Unavailable."""
    compiler = next(
        (path for name in (os.environ.get("CC", "cc"), "gcc", "clang") if (path := shutil.which(name))), None
    )
    if compiler is None:
        raise Unavailable("no C compiler (cc, gcc or clang) is on the path")
    target = private_folder() / f"kernels-{_fingerprint(compiler, cells)}.so"
    if not is_trusted(target):
        try:
            with FileLock(target.with_suffix(".lock")):
                if not is_trusted(target):
                    _build(compiler, target, cells)
        except OSError as error:
            raise Unavailable(f"{target.parent} cannot be locked: {error}") from None
    if not is_trusted(target):
        raise Unavailable(f"{target} is not the library that was built here")
    # torch is imported, so its OpenMP library is the one that the loader finds: one pool of threads, not two.
    return ctypes.CDLL(str(target))


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


def _fingerprint(compiler: str, cells: torch.dtype) -> str:
    """Of everything the machine code depends on; -march=native makes that the CPU's flags too."""
    parts = [path.read_bytes() for path in sorted(_SOURCES.glob("*.[hc]"))]
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    return hashlib.sha256(
        b"\0".join([*parts, version, cpu_description("flags"), *map(str.encode, flags_of(cells))])
    ).hexdigest()[:16]


def cpu_description(*fields: str) -> bytes:
    """The first lines of /proc/cpuinfo that begin with the fields; empty where there is no such file."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_bytes().splitlines() if cpu.is_file() else []
    return b"\n".join(
        next((line for line in lines if line.startswith(field.encode())), b"") for field in fields
    )


def flags_of(cells: torch.dtype) -> list[str]:
    """The compiler's, for a library of bf16 or float32 cells."""
    return [
        *prebuilt.FLAGS,
        "-mprefer-vector-width=512" if cells == torch.bfloat16 else "-DECHO_FLOAT32",
    ]


def _build(compiler: str, target: Path, cells: torch.dtype) -> None:
    """Compile beside the target and rename, the digest first; the caller holds the lock."""
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            built = Path(folder) / target.name
            command = [compiler, *flags_of(cells), "-o", str(built), str(_SOURCES / "kernels.c"), "-lm"]
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
