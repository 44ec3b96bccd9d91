"""Grades completions in a thread of its own while sampling goes on."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ..core.types import Completion, Problem, Verdict
from ..verify.grade import Grader


class GradingQueue:
    """Grades groups in a thread of its own, some at a time, in the order in which they come."""

    def __init__(
        self, grader: Grader, problems: Sequence[Problem], described_problems: int, at_once: int = 64
    ) -> None:
        self.grader, self.problems, self.described_problems, self.at_once = (
            grader,
            problems,
            described_problems,
            at_once,
        )
        self.waiting: list[tuple[int, list[Completion]]] = []
        self.running: list[Future[dict[int, list[Verdict]]]] = []
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="grade")
        self.busy_seconds = 0.0

    def __enter__(self) -> "GradingQueue":
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.shutdown(cancel_futures=True)

    def put(self, index: int, group: list[Completion]) -> None:
        """Hand over one problem's completions."""
        self.waiting.append((index, group))
        if sum(len(g) for _, g in self.waiting) >= self.at_once:
            self._send()

    def results(self) -> dict[int, list[Verdict]]:
        """Verdicts of everything that was handed over, by problem."""
        self._send()
        return {index: verdicts for future in self.running for index, verdicts in future.result().items()}

    def _send(self) -> None:
        # Sorted, so that those to be described come first.
        batch, self.waiting = sorted(self.waiting, key=lambda entry: entry[0]), []
        if batch:
            self.running.append(self.thread.submit(self._grade, batch))

    def _grade(self, batch: list[tuple[int, list[Completion]]]) -> dict[int, list[Verdict]]:
        started = time.perf_counter()
        described = sum(len(group) for index, group in batch if index < self.described_problems)
        verdicts = iter(
            self.grader.grade_batch(
                [(self.problems[index], c.text) for index, group in batch for c in group], described
            )
        )
        result = {index: [next(verdicts) for _ in group] for index, group in batch}
        self.busy_seconds += time.perf_counter() - started
        return result
