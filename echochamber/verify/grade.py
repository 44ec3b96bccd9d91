"""The one grader: (problem, completion) -> verdict, for training rewards and for test scores alike.

It sees the completion, never the prompt, and the gold answer never enters a sandbox: a program is
run first and compared here. Order of a verdict: format by structure, answer by the format's rule,
comparison by exact rules. Code counts only if it ran. What failed on our side is `infrastructure`,
never a zero reward.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from ..core.config import Config
from ..core.formats import format_row
from ..core.numbers import format_number
from ..core.types import Outcome, Problem, Verdict
from .answers import ANSWER_RULES, Reading
from .classify import classify
from .compare import equal_float, equal_number, equal_text
from .programs import Program
from .sandbox.monty import MontyPool
from .sandbox.result import Limits, RunResult
from .values import canonical, from_float, parse_value

MAX_COMPLETION = 200_000
"""Characters of a completion that are looked at."""


class GraderConfig(Config):
    """How answers are decided; picklable, so that a process can build its own grader."""

    omi1_answer: Literal["program", "box"] = "program"
    """Where an `<llm-code>` program and its box disagree, which one is the answer."""
    limits: Limits = Limits()


class Grader:
    """Owns the sandbox workers; reusable, safe to call from several threads, a context manager."""

    def __init__(self, config: GraderConfig | None = None, workers: int | None = None) -> None:
        """`workers`: sandbox processes; by default one per core, at most four."""
        self.config = config or GraderConfig()
        self.workers = workers or min(os.cpu_count() or 1, 4)
        self._sandbox: MontyPool | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._owner = os.getpid()

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all worker processes and threads; the grader may be used again and starts new ones."""
        if self._threads is not None:
            self._threads.shutdown()
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox = self._threads = None

    def grade(self, problem: Problem, completion: str) -> Verdict:
        """The verdict on one completion; never raises for any text."""
        return self.grade_batch([(problem, completion)])[0]

    def grade_batch(self, items: Sequence[tuple[Problem, str]]) -> list[Verdict]:
        """Verdicts in order; identical programs run once, in parallel over the workers."""
        readings = [self._read(completion) for _, completion in items]
        programs = dict.fromkeys(reading.program for _, reading in readings if reading.program)
        results = self._run_all(list(programs))
        return [
            self._judge(problem.reference, form, reading, results.get(reading.program) if reading.program else None)
            for (problem, _), (form, reading) in zip(items, readings, strict=True)
        ]

    def _read(self, completion: str) -> tuple[str, Reading]:
        """Format, and what its answer rule finds."""
        text = completion[:MAX_COMPLETION]
        form = classify(text)
        rule = format_row(form).answer_rule
        if rule == "llm_code" and self.config.omi1_answer == "box":
            rule = "box"
        return form, ANSWER_RULES[rule](text)

    def _run_all(self, programs: list[Program]) -> dict[Program, RunResult]:
        """Each program once; what timed out or broke down is tried once more, alone."""
        if not programs:
            return {}
        pool, threads = self._workers()
        if len(programs) == 1:
            results = [pool.run(programs[0])]
        else:
            results = list(threads.map(pool.run, programs))
        for place, result in enumerate(results):
            if result.status in ("timeout", "infrastructure"):
                results[place] = pool.run(programs[place])
        return dict(zip(programs, results, strict=True))

    def _workers(self) -> tuple[MontyPool, ThreadPoolExecutor]:
        """Started at first use, and anew in a forked child, which does not own its parent's workers."""
        if self._owner != os.getpid():
            self._sandbox = self._threads = None
            self._owner = os.getpid()
        if self._sandbox is None or self._threads is None:
            self._sandbox = MontyPool(self.config.limits, self.workers)
            self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="grade")
        return self._sandbox, self._threads

    def _judge(self, reference: str, form: str, reading: Reading, result: RunResult | None) -> Verdict:
        if reading.answer is not None:
            right = equal_text(reading.answer, reference)
            return Verdict(form, canonical(reading.answer), "correct" if right else "wrong", reading.detail)
        if result is None:
            refused = reading.detail.startswith(("program", "NUL", "brackets"))
            return Verdict(form, None, "error" if refused else "no_answer", reading.detail)
        return self._judge_run(reference, form, reading, result)

    def _judge_run(self, reference: str, form: str, reading: Reading, result: RunResult) -> Verdict:
        """A program's verdict: its value, or why it has none."""
        if result.status == "none" and form == "omi1" and result.text:
            result = RunResult("value", "text", result.text)
        if result.status == "none":
            return Verdict(form, None, "no_answer", "program has no value")
        if result.status != "value":
            outcome: Outcome = result.status
            return Verdict(form, None, outcome, result.detail)
        answer, right = _value(result, reference)
        return Verdict(form, answer, "correct" if right else "wrong", _disagreement(answer, reading.boxed))


def _value(result: RunResult, reference: str) -> tuple[str, bool | None]:
    """Canonical text of a program's value, and whether it is the reference."""
    if result.kind == "int":
        return result.text, equal_number(parse_value(result.text), reference)
    if result.kind == "float":
        number = from_float(float(result.text))
        return (result.text if number is None else format_number(number)), equal_float(result.text, reference)
    return canonical(result.text), equal_text(result.text, reference)


def _disagreement(answer: str, boxed: str | None) -> str:
    """Recorded where the box behind a program says something else."""
    if boxed is None or equal_text(boxed, answer) is not False:
        return ""
    return f"box says {canonical(boxed)[:40]}, program {answer[:40]}"
