"""The one grader: (problem, completion) -> verdict, for training rewards and for test scores alike.

It sees the completion, never the prompt, and the gold answer never enters a sandbox: a program is
run first and compared here. Order of a verdict: format by structure, answer by the format's rule,
comparison by exact rules, then by algebra. Code counts only if it ran. What failed on our side is
`infrastructure`, never a zero reward.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from ..core.config import Config
from ..core.formats import format_row
from ..core.numbers import format_number
from ..core.types import Outcome, Problem, Verdict
from .answers import ANSWER_RULES, Reading
from .classify import classify
from .compare import equal_float, equal_number, equal_text, from_python_text
from .executor import Executor
from .process import check_process
from .programs import Program
from .sandbox.result import Limits, RunResult
from .style import style_features
from .symbolic import Algebra
from .values import canonical, from_float, parse_value

MAX_COMPLETION = 200_000
"""Characters of a completion that are looked at."""
_FAILURES: dict[str, Outcome] = {
    "error": "error", "timeout": "timeout", "unsupported": "unsupported", "infrastructure": "infrastructure",
}  # fmt: skip
_FLOAT_TEXT = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")


class GraderConfig(Config):
    """How answers are decided; picklable, so that a process can build its own grader."""

    omi1_answer: Literal["program", "box"] = "program"
    """Where an `<llm-code>` program and its box disagree, which one is the answer."""
    tier2: bool = False
    """Run what Monty does not support (sympy above all) in the locked-down process."""
    algebra: bool = True
    """Ask math-verify, out of process, where exact rules cannot decide."""
    algebra_seconds: float = Field(default=2.0, gt=0)
    """Wall-clock limit per question to the algebra worker; beyond it the answer is wrong."""
    style: bool = True
    """Record style features in the verdict."""
    process: bool = True
    """Judge the steps of problems that carry a solution graph."""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class _Decision:
    """An answer and whether it is right; None: our algebra worker failed."""

    answer: str
    right: bool | None
    detail: str = ""


class Grader:
    """Owns the worker processes; reusable, safe to call from several threads, a context manager."""

    def __init__(self, config: GraderConfig | None = None, workers: int | None = None) -> None:
        """`workers`: sandbox processes; by default one per core, at most four."""
        self.config = config or GraderConfig()
        self.workers = workers or min(os.cpu_count() or 1, 4)
        self._executor = Executor(self.config.limits, self.workers, self.config.tier2)
        self._algebra = Algebra(self.config.algebra_seconds) if self.config.algebra else None

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all worker processes and threads; the grader may be used again and starts new ones."""
        self._executor.close()
        if self._algebra:
            self._algebra.close()

    def grade(self, problem: Problem, completion: str) -> Verdict:
        """The verdict on one completion; never raises for any text."""
        return self.grade_batch([(problem, completion)])[0]

    def grade_batch(self, items: Sequence[tuple[Problem, str]]) -> list[Verdict]:
        """Verdicts in order; identical programs run once, in parallel over the workers."""
        readings = [self._read(completion) for _, completion in items]
        programs = dict.fromkeys(reading.program for _, reading in readings if reading.program)
        results = self._executor.run_all(list(programs))
        return [
            self._grade_read(problem, completion, form, reading, results)
            for (problem, completion), (form, reading) in zip(items, readings, strict=True)
        ]

    def _grade_read(
        self, problem: Problem, completion: str, form: str, reading: Reading, results: dict[Program, RunResult]
    ) -> Verdict:
        result = results[reading.program] if reading.program else None
        try:
            return self._finish(problem, completion, reading, self._judge(problem.reference, form, reading, result))
        except Exception as error:  # noqa: BLE001  (the grader's edge: one completion must not end a run)
            return Verdict(form, None, "infrastructure", f"grader: {type(error).__name__}: {error}"[:160])

    def _read(self, completion: str) -> tuple[str, Reading]:
        """Format, and what its answer rule finds."""
        text = completion[:MAX_COMPLETION]
        form = classify(text)
        rule = format_row(form).answer_rule
        if rule == "llm_code" and self.config.omi1_answer == "box":
            rule = "box"
        return form, ANSWER_RULES[rule](text)

    def _judge(self, reference: str, form: str, reading: Reading, result: RunResult | None) -> Verdict:
        if reading.answer is not None:
            return self._decided(form, self._decide_text(reading.answer, reference))
        if result is None:
            return Verdict(form, None, "error" if reading.refused else "no_answer", reading.detail)
        if result.status == "none" and not reading.program_prints:
            return Verdict(form, None, "no_answer", "program has no value")
        if result.status == "none":
            result = RunResult("value", "text", from_printed(result.text))
        if result.status != "value":
            return Verdict(form, None, _FAILURES[result.status], result.detail)
        if not result.text:
            return Verdict(form, None, "no_answer", "program has no value")
        decision = self._decide_value(result, reference, reading.program_prints)
        return self._decided(form, replace(decision, detail=_disagreement(decision.answer, reading.boxed) or decision.detail))

    @staticmethod
    def _decided(form: str, decision: _Decision) -> Verdict:
        if decision.right is None:
            return Verdict(form, decision.answer, "infrastructure", decision.detail)
        return Verdict(form, decision.answer, "correct" if decision.right else "wrong", decision.detail)

    def _decide_value(self, result: RunResult, reference: str, lenient: bool) -> _Decision:
        """Canonical text of a program's value, and whether it is the reference.

        `lenient`: a solver's list of one solution counts as that solution.
        """
        if result.kind == "int":
            right = equal_number(parse_value(result.text), reference)
            return _Decision(result.text, right) if right is not None else self._decide_text(result.text, reference)
        if result.kind == "float" or _FLOAT_TEXT.fullmatch(result.text):
            number = from_float(float(result.text))
            if number is None:
                return _Decision(result.text, False)
            right = equal_float(result.text, reference)
            answer = format_number(number)
            return _Decision(answer, right) if right is not None else self._decide_text(answer, reference)
        return self._decide_text(from_python_text(result.text, lenient), reference)

    def _decide_text(self, answer: str, reference: str) -> _Decision:
        """Exact rules first; algebra only where they cannot tell."""
        right, spelled = equal_text(answer, reference), canonical(answer)
        if right is not None or self._algebra is None:
            return _Decision(spelled, bool(right))
        try:
            same = self._algebra.means_same(reference, answer)
        except OSError as error:
            return _Decision(spelled, None, f"algebra worker: {error}"[:120])
        return _Decision(spelled, bool(same), "" if same is not None else "algebra cannot read one side")

    def _finish(self, problem: Problem, completion: str, reading: Reading, verdict: Verdict) -> Verdict:
        """Style features, and the process verdict where the problem's solution is known."""
        text = completion[:MAX_COMPLETION]
        if self.config.style:
            verdict = replace(verdict, style=style_features(verdict.format, text))
        if not self.config.process or problem.graph is None or verdict.outcome == "infrastructure":
            return verdict
        answered = verdict.answer is not None
        judged = check_process(problem.graph, verdict.format, text, reading.program, verdict.correct, answered)
        return replace(verdict, process=judged.process, first_error=judged.first_error)


def from_printed(line: str) -> str:
    """The value in a printed line: `Total: 18` says 18."""
    return re.split(r"(?:[:=]|\bis)\s+", line)[-1].strip().rstrip(".") if line else line


def _disagreement(answer: str, boxed: str | None) -> str:
    """Recorded where the box behind a program says something else."""
    if boxed is None or equal_text(boxed, answer) is not False:
        return ""
    return f"box says {canonical(boxed)[:40]}, program {answer[:40]}"
