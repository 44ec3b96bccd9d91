"""Inside the locked-down child: run one program and reduce its value to a tag and short text.

This is the one place of the project where program text meets `exec`; it runs only after the
process has given up files, network, processes and signals (`lockdown.py`).
"""

import contextlib
import io
import sys
import types
import warnings
from collections.abc import Callable, Collection
from fractions import Fraction
from typing import TypeGuard

from ..programs import last_expression

_BY_ADDRESS = ("ctypes", "_ctypes", "cffi", "_cffi_backend")
_INTEGERS = tuple(str(number) for number in range(-5, 257))
"""What CPython's shared small integers look like, written before any program runs."""
_MAX_TEXT = 200
_MAX_ELEMENTS = 16


class _BoundedText(io.StringIO):
    """Standard output of the program; raises when it gets too long."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def write(self, text: str) -> int:
        if self.tell() + len(text) > self.limit:
            raise MemoryError("output limit exceeded")
        return super().write(text)


def encode_program(entry: str, blocks: tuple[str, ...]) -> bytes:
    """One request; program text holds no NUL."""
    return "\0".join([entry, *blocks]).encode()


def run_program(payload: bytes, output_limit: int) -> bytes:
    """The report on one program: `int 18`, `float 0.5`, `text 2/5`, `none LINE`, `error NAME: ...`."""
    entry, *blocks = payload.decode().split("\0")
    forget_memory_access()
    printed = _BoundedText(output_limit)
    try:
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            report = _report(_value_of(entry, blocks), unwrap=not entry)
    except BaseException as error:  # noqa: BLE001  (a program's own error, SystemExit too)
        report = f"error {type(error).__name__}: {_one_line(error)}"
    if not _integers_are_whole():
        return b"error SystemError: the program changed the value of a shared integer"
    if report == "none":
        lines = [line for line in printed.getvalue().split("\n") if line.strip()]
        report = f"none {lines[-1].strip()[:_MAX_TEXT]}" if lines else "none"
    return report.encode("utf-8", "replace")[:4000]


def forget_memory_access() -> None:
    """Take the modules away that read and write memory by address: with them a program could turn 3 into 18.

    The process is not trusted either way; this keeps such a program from being rewarded.
    """
    for name in [name for name in sys.modules if name.split(".")[0] in _BY_ADDRESS]:
        for holder in list(sys.modules.values()):
            for alias in [
                a for a, value in list(getattr(holder, "__dict__", {}).items()) if value is sys.modules[name]
            ]:
                with contextlib.suppress(Exception):
                    delattr(holder, alias)
        sys.modules[name] = None  # type: ignore[assignment]
    for name in _BY_ADDRESS:
        sys.modules[name] = None  # type: ignore[assignment]


def _integers_are_whole(read: Callable[[str], int] = int, write: Callable[[object], str] = repr) -> bool:
    """False where a program wrote over the small integers, which numpy's views of any address also can."""
    return all(write(read(text)) == text for text in _INTEGERS)


def _one_line(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:120]
    except BaseException:  # noqa: BLE001  (a program's own exception class may raise here)
        return ""


def _value_of(entry: str, blocks: list[str]) -> object:
    """Run all blocks in one namespace; errors in earlier blocks do not end the program."""
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    space = module.__dict__
    for block in blocks[:-1]:
        with contextlib.suppress(Exception):
            exec(compile(block, "program", "exec"), space)
    if entry:
        exec(compile(blocks[-1], "program", "exec"), space)
        return space[entry]()
    split = last_expression(blocks[-1])
    if split is None:
        exec(compile(blocks[-1], "program", "exec"), space)
        return None
    exec(compile(split[0], "program", "exec"), space)
    return eval(compile(f"(\n{split[1]}\n)", "program", "eval"), space)


def _report(value: object, unwrap: bool = False) -> str:
    """Tag and text of a value, by exact type; algebra becomes LaTeX."""
    import sympy

    value = _unwrap(value) if unwrap else _plain(value)
    kind = type(value)
    if value is None:
        return "none"
    if type(value) is int or isinstance(value, sympy.Integer):
        return f"int {int(value)}"
    if type(value) is float or isinstance(value, sympy.Float):
        return f"float {float(value)!r}"
    if kind in (Fraction, str) or isinstance(value, sympy.Rational):
        return f"text {' '.join(str(value)[:_MAX_TEXT].split())}"
    if isinstance(value, sympy.Basic | sympy.MatrixBase) and not isinstance(
        value, sympy.logic.boolalg.BooleanAtom
    ):
        return f"text {sympy.latex(value)[:_MAX_TEXT]}"
    if _is_collection(value) and 0 < len(value) <= _MAX_ELEMENTS:
        return _report_elements(value)
    return f"type {kind.__name__[:60]}"


def _report_elements(value: Collection[object]) -> str:
    """A short flat collection of numbers or algebra, in the brackets of its kind."""
    parts = [_report(element).partition(" ") for element in value]
    if any(tag not in ("int", "float", "text") for tag, _, _ in parts):
        return f"type {type(value).__name__}"
    brackets = "[]" if type(value) is list else "()" if type(value) is tuple else "{}"
    return f"text {brackets[0]}{', '.join(text for _, _, text in parts)}{brackets[1]}"[: _MAX_TEXT + 5]


def _plain(value: object) -> object:
    """numpy scalars as Python numbers."""
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "size", 1) == 1:
        return value.item()
    return value


def _is_collection(value: object) -> TypeGuard[Collection[object]]:
    """A list, tuple or set by exact type: a program's own subclass could lie about its elements."""
    return type(value) in (list, tuple, set)


def _unwrap(value: object) -> object:
    """A solver's list or mapping of one solution as that solution."""
    if _is_collection(value) and len(value) == 1:
        return _unwrap(next(iter(value)))
    if type(value) is dict and len(value) == 1:
        return _unwrap(next(iter(value.values())))
    return _plain(value)
