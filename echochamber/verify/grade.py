"""The one grader: (problem, completion) -> verdict, for training rewards and for test scores alike.

It sees the completion, never the prompt, and the gold answer never enters a sandbox: a program is
run first and compared here. Order of a verdict: format by structure, answer by the format's rule,
comparison by exact rules, then by algebra. Code counts only if it ran. What failed on our side is
`infrastructure`, never a zero reward.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ..core.disagreement import BoxDisagreement
from ..core.environments import GYM
from ..core.formats import classify, format_row, registered_formats
from ..core.numbers import format_number
from ..core.types import Outcome, Problem, Verdict
from .answers import Reading, answer_rule, check_answer_rule
from .compare import equal_float, equal_number, equal_text, for_algebra, from_python_text
from .environment_scores import FULL, EnvironmentScores, tagged_answer
from .grader_config import GraderConfig
from .process import check_process
from .program_runner import ProgramRunner
from .sandbox.result import RunResult
from .style import style_features
from .symbolic import Algebra
from .values import canonical, from_float, parse_value
from .written_steps import Written, read_steps

MAX_COMPLETION = 200_000
"""Characters of a completion that are looked at."""
_FAILURES: dict[str, Outcome] = {
    "error": "error",
    "timeout": "timeout",
    "unsupported": "unsupported",
    "infrastructure": "infrastructure",
}
_FLOAT_TEXT = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class _Decision:
    """An answer and whether it is right; None: our algebra worker failed."""

    answer: str
    right: bool | None
    detail: str = ""


@dataclass(slots=True)
class _Item:
    """One distinct completion on its way to a verdict."""

    problem: Problem
    text: str
    described: bool = True
    """Whether style and steps are asked for."""
    format_name: str = "other"
    reading: Reading = field(default_factory=Reading)
    style: dict[str, str] = field(default_factory=dict)
    written: Written | None = None
    result: RunResult | None = None
    failure: str = ""
    verdict: Verdict = field(default_factory=lambda: Verdict("other", None, "infrastructure", "not graded"))


class Grader:
    """Owns the worker processes; reusable, safe to call from several threads, a context manager."""

    def __init__(self, config: GraderConfig | None = None, workers: int | None = None) -> None:
        """`workers`: sandbox processes; by default one per core, at most four."""
        for row in registered_formats().values():
            check_answer_rule(row)
        self.config = config or GraderConfig()
        self.workers = workers or min(os.cpu_count() or 1, 4)
        self.runner = ProgramRunner(self.config.limits, self.workers, self.config.tier2)
        self._algebra = Algebra(self.config.algebra_seconds) if self.config.algebra else None
        self._scores = EnvironmentScores()

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all worker processes and threads; the grader may be used again and starts new ones."""
        self.runner.close()
        self._scores.close()
        if self._algebra:
            self._algebra.close()

    def grade(self, problem: Problem, completion: str) -> Verdict:
        """The verdict on one completion; never raises for any text."""
        return self.grade_batch([(problem, completion)])[0]

    def grade_batch(
        self, items: Sequence[tuple[Problem, str]], described: int | None = None
    ) -> list[Verdict]:
        """Verdicts in order; identical programs run once, in parallel over the workers.

        Problems with one id and reference are taken to be one problem. Only the first `described`
        items need style features and process verdicts (None: all): they cost as much as the rest.
        """
        keys = [(problem.id, problem.reference, completion) for problem, completion in items]
        distinct = {
            key: _Item(problem, completion[:MAX_COMPLETION])
            for key, (problem, completion) in zip(keys, items, strict=True)
        }
        wanted = set(keys[:described])
        for key, item in distinct.items():
            item.described = key in wanted
            self._guard(item, self._read)
        wait = self.runner.start(
            list(dict.fromkeys(i.reading.program for i in distinct.values() if i.reading.program))
        )
        for item in distinct.values():
            self._guard(item, self._describe)
        results = wait()
        for item in distinct.values():
            item.result = results.get(item.reading.program) if item.reading.program else None
            self._guard(item, self._decide)
        return [distinct[key].verdict for key in keys]

    @staticmethod
    def _guard(item: _Item, stage: Callable[[_Item], None]) -> None:
        """The grader's edge: a fault of ours in one completion must not end a run, nor count as zero."""
        try:
            stage(item)
        except Exception as error:  # noqa: BLE001
            item.failure = f"grader: {type(error).__name__}: {error}"[:160]
            item.verdict = Verdict(item.format_name, None, "infrastructure", item.failure)

    def _read(self, item: _Item) -> None:
        """Format, and what its answer rule finds."""
        item.format_name = classify(item.text)
        rule = format_row(item.format_name).answer_rule
        if rule == "llm_code" and self.config.omi1_answer == "box":
            rule = "box"
        item.reading = answer_rule(rule)(item.text)

    def _describe(self, item: _Item) -> None:
        """What does not depend on the program's run: style features and written steps."""
        if not item.described:
            return
        format_name = format_row(item.format_name).twin_of or item.format_name
        if self.config.style:
            item.style = style_features(format_name, item.text)
        if self.config.process and item.problem.graph is not None:
            item.written = read_steps(format_name, item.text, item.reading.program)

    def _decide(self, item: _Item) -> None:
        """The verdict, with the process verdict where the problem's solution is known."""
        if item.failure:
            return
        if item.problem.environment:
            item.verdict = replace(self._score(item), style=item.style)
            return
        verdict = self._judge(item.problem.reference, item.format_name, item.reading, item.result)
        graph, written = item.problem.graph, item.written
        if graph is not None and written is not None and verdict.outcome != "infrastructure":
            judged = check_process(
                graph, item.format_name, written, verdict.correct, verdict.answer is not None
            )
            verdict = replace(verdict, process=judged.process, first_error=judged.first_error)
        item.verdict = replace(verdict, style=item.style)

    def _score(self, item: _Item) -> Verdict:
        """The environment's verdict on the answer in `<answer>` tags, or that which the format has."""
        answer, result = tagged_answer(item.text) or item.reading.answer, item.result
        if answer is None and result is not None and result.status == "value":
            answer = from_printed(result.text) if result.kind == "text" else canonical(result.text)
        elif answer is None and (result is not None or item.reading.refused):
            return self._judge(item.problem.reference, item.format_name, item.reading, result)
        try:
            score = self._scores.score(item.problem, answer, item.text)
        except OSError as error:
            return Verdict(item.format_name, answer, "infrastructure", f"scorer: {error}"[:120])
        unread = answer is None and item.problem.environment.startswith(GYM)  # others read for themselves
        right: Outcome = "correct" if score >= FULL else "no_answer" if unread else "wrong"
        return Verdict(item.format_name, answer, right, f"score {score:g}", score=score)

    def _judge(self, reference: str, format_name: str, reading: Reading, result: RunResult | None) -> Verdict:
        if reading.answer is not None:
            return self._decided(format_name, self._decide_text(reading.answer, reference))
        if result is None:
            return Verdict(format_name, None, "error" if reading.refused else "no_answer", reading.detail)
        if result.status == "none" and not reading.program_prints:
            return Verdict(format_name, None, "no_answer", "program has no value")
        if result.status == "none":
            result = RunResult("value", "text", from_printed(result.text))
        if result.status != "value":
            return Verdict(format_name, None, _FAILURES[result.status], result.detail)
        if not result.text:
            return Verdict(format_name, None, "no_answer", "program has no value")
        decision = self._decide_value(result, reference, reading.program_prints)
        return self._decided(
            format_name,
            replace(decision, detail=_disagreement(decision.answer, reading.boxed) or decision.detail),
        )

    @staticmethod
    def _decided(format_name: str, decision: _Decision) -> Verdict:
        if decision.right is None:
            return Verdict(format_name, decision.answer, "infrastructure", decision.detail)
        return Verdict(
            format_name, decision.answer, "correct" if decision.right else "wrong", decision.detail
        )

    def _decide_value(self, result: RunResult, reference: str, lenient: bool) -> _Decision:
        """Canonical text of a program's value, and whether it is the reference.

        `lenient`: a solver's list of one solution counts as that solution.
        """
        if result.kind == "int":
            right = equal_number(parse_value(result.text), reference)
            return (
                _Decision(result.text, right)
                if right is not None
                else self._decide_text(result.text, reference)
            )
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
            same = self._algebra.means_same(for_algebra(reference), for_algebra(answer))
        except OSError as error:
            return _Decision(spelled, None, f"algebra worker: {error}"[:120])
        return _Decision(spelled, bool(same), "" if same is not None else "algebra cannot read one side")


def from_printed(line: str) -> str:
    """The value in a printed line: `Total: 18` says 18."""
    return re.split(r"(?:[:=]|\bis)\s+", line)[-1].strip().rstrip(".") if line else line


def _disagreement(answer: str, boxed: str | None) -> str:
    """Recorded where the box behind a program says something else."""
    if boxed is None or equal_text(boxed, answer) is not False:
        return ""
    return BoxDisagreement(canonical(boxed), answer).note
