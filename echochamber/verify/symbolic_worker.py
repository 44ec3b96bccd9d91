"""The algebra worker's side: reads LaTeX pairs, answers whether they mean the same.

Runs in a process of its own that is locked down, or not at all: LaTeX of a model is no program, but parsers
of it have had holes. Only the LaTeX grammar is used, never the library's plain-expression
reader, which evaluates text as Python. No signals here: the caller kills what is late.
"""

import logging

from .sandbox import lockdown
from .sandbox.worker import serve, take_streams

_MEMORY_MB = 2048


def main() -> None:
    """Import the libraries, lock down, serve."""
    import math_verify  # noqa: F401  (read before the file system is closed)

    logging.disable(logging.CRITICAL)
    _means_same("x", "x")
    streams = take_streams()
    serve(streams, handle, " ".join(lock()))


def lock() -> list[str]:
    """Layers that are on; the caller asks nothing where one that is required is missing."""
    if not lockdown.supported():
        return []
    lockdown.leave_network()
    lockdown.set_limits(7 * 24 * 3600, _MEMORY_MB)
    done = ["limits"]
    done += ["no_new_privs"] if lockdown.forbid_new_privileges() else []
    done += ["landlock"] if lockdown.restrict_files(lockdown.library_folders()) else []
    return [*done, "seccomp"] if lockdown.restrict_calls() else done


def handle(payload: bytes) -> bytes:
    """`gold NUL answer` -> `1`, `0`, or `?` where the library cannot read one of them."""
    gold, _, answer = payload.decode("utf-8", "replace").partition("\0")
    try:
        return _means_same(gold, answer)
    except (Exception, RecursionError):  # noqa: BLE001  (untrusted text; any failure is "cannot say")
        return b"?"


def _means_same(gold: str, answer: str) -> bytes:
    """math-verify with the gold first: its verdict is not symmetric."""
    from math_verify import LatexExtractionConfig, parse, verify

    reader = [LatexExtractionConfig()]
    sides = [
        parse(f"${text}$", extraction_config=reader, fallback_mode="no_fallback", parsing_timeout=None)
        for text in (gold, answer)
    ]
    if not all(sides):
        return b"?"
    return b"1" if verify(sides[0], sides[1], timeout_seconds=None) else b"0"


if __name__ == "__main__":
    main()
