"""Panics of libraries written in Rust (tokenizers, Polars): made exceptions that the caller can name."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress


class LibraryPanicError(Exception):
    """A library panicked; the message is its own."""


def is_panic(error: BaseException) -> bool:
    """Whether an exception is a Rust panic. It derives from `BaseException`; its class cannot be imported."""
    return type(error).__name__ == "PanicException"


@contextmanager
def panics_as_errors(quiet: bool = False) -> Iterator[None]:
    """Turn a panic inside the block into `LibraryPanicError`.

    `quiet`: nothing reaches stderr meanwhile. Rust prints a panic with its stack there, before Python knows.
    """
    with ExitStack() as stack:
        if quiet:
            stack.enter_context(_without_stderr())
        try:
            yield
        except BaseException as error:
            if is_panic(error):
                raise LibraryPanicError(str(error)) from None
            raise


@contextmanager
def _without_stderr() -> Iterator[None]:
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # no descriptor left, or stderr is closed: the panic is printed after all
        yield
        return
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
