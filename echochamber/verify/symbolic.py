"""Algebra behind the exact rules: do two LaTeX answers mean the same? Out of process, hard limit."""

import re
from collections import OrderedDict
from threading import Lock

from .sandbox.lockdown import REQUIRED
from .sandbox.worker import WorkerProcess

MAX_LENGTH = 300
_SELECTS = re.compile(r"\\(?:boxed|fbox|text|mbox|\(|\[|begin\{(?!.?matrix|cases))|[$\x00\n]")
"""What could make the library read a part of the answer in place of the whole."""
_MODULE = "echochamber.verify.symbolic_worker"
_CACHE_SIZE = 20_000


class Algebra:
    """A lazily started worker with a cache of its verdicts; safe from any thread."""

    def __init__(self, seconds: float = 3.0) -> None:
        self.seconds = seconds
        self._worker = WorkerProcess(_MODULE)
        self._known: OrderedDict[tuple[str, str], bool | None] = OrderedDict()
        self._lock = Lock()

    def means_same(self, gold: str, answer: str) -> bool | None:
        """True or False by math-verify with the gold first; None where it cannot read or finish.

        Raises `OSError` when the worker fails twice to start or answer.
        """
        if max(len(gold), len(answer)) > MAX_LENGTH or _SELECTS.search(answer):
            return None
        key = (gold, answer)
        with self._lock:
            if key in self._known:
                return self._known[key]
        verdict = self._ask(gold, answer)
        with self._lock:
            self._known[key] = verdict
            if len(self._known) > _CACHE_SIZE:
                self._known.popitem(last=False)
        return verdict

    def _ask(self, gold: str, answer: str) -> bool | None:
        payload = f"{gold}\0{answer}".encode("utf-8", "replace")
        self._check_lockdown()
        try:
            reply = self._worker.request(payload, self.seconds, processor_time=True)
        except OSError:
            reply = self._worker.request(payload, self.seconds, processor_time=True)
        return {b"1": True, b"0": False}.get(reply or b"")

    def _check_lockdown(self) -> None:
        """`OSError` where a layer is missing: without it no text of a model is read."""
        layers = self._worker.start().split()
        if missing := [name for name in REQUIRED if name not in layers]:
            raise OSError(f"cannot be locked down: no {', '.join(missing)}")

    def close(self) -> None:
        """End the worker."""
        self._worker.close()
