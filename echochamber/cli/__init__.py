"""One console script, `echochamber`; one small file per command."""

from .app import main

__all__ = ["main"]
