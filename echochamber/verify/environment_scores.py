"""Scores of environments: reasoning-gym's out of process, those of a user's module here."""

import json
import math
import re

from ..core.environments import GYM, environment, parse_gym_name, unpacked
from ..core.errors import UserError
from ..core.types import Problem
from .sandbox.lockdown import REQUIRED
from .sandbox.worker import WorkerProcess

FULL = 1.0 - 1e-9
"""Score from which a completion is correct."""
MAX_ANSWER = 4000
"""Characters of an answer that are scored; a longer one scores 0."""
_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_MODULE = "echochamber.verify.gym_worker"


def tagged_answer(text: str) -> str | None:
    """What stands in the last `<answer>...</answer>`; None without one."""
    found = _TAGGED.findall(text)
    return found[-1].strip() if found else None


class EnvironmentScores:
    """Owns the worker, which starts with the first task of reasoning-gym; safe from any thread."""

    def __init__(self, seconds: float = 5.0) -> None:
        """`seconds`: processor time of one score; beyond it the answer scores 0."""
        self.seconds = seconds
        self._worker = WorkerProcess(_MODULE, start_seconds=180.0)

    def __enter__(self) -> "EnvironmentScores":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def score(self, problem: Problem, answer: str | None, completion: str) -> float:
        """The environment's score. `OSError` where the worker cannot be locked down or fails twice.

        reasoning-gym sees the answer; a user's environment sees the completion.
        """
        row = unpacked(problem.entry)
        if not problem.environment.startswith(GYM):
            return _checked(environment(problem.environment).score(completion, row), problem.environment)
        if answer is None or len(answer) > MAX_ANSWER:
            return 0.0
        name = parse_gym_name(problem.environment)
        asked = {"dataset": name.dataset, "options": name.options, "row": row, "answer": answer}
        return self._ask(json.dumps(asked).encode())

    def _ask(self, payload: bytes) -> float:
        layers = self._worker.start().split()
        if missing := [name for name in REQUIRED if name not in layers]:
            raise OSError(f"cannot be locked down: no {', '.join(missing)}")
        for _ in range(2):
            try:
                reply = self._worker.request(payload, self.seconds, processor_time=True)
            except OSError as error:
                failure = error
            else:
                return 0.0 if reply in (None, b"", b"?") else float(reply or b"0")
        # Twice without a reply: the answer's doing (a forbidden call ends the process), or the machine's?
        if self._worker.request(b"{}", self.seconds, processor_time=True) == b"?":
            return 0.0
        raise failure


def _checked(score: object, name: str) -> float:
    if not isinstance(score, int | float) or not math.isfinite(score):
        raise UserError(f"{name}: a score must be a finite number, got {score!r:.60}")
    return float(score)
