"""Sample and grade: the policy's completions of some problems, with verdicts and rewards."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..core.random import key, uniforms
from ..core.types import Completion, Problem, Verdict
from ..verify.grade import Grader
from .engines import Engine
from .rewards import Reward


@dataclass(frozen=True, slots=True)
class Rollout:
    """One graded completion."""

    problem: Problem
    sample: int
    prompt_ids: tuple[int, ...]
    completion: Completion
    verdict: Verdict
    reward: float | None
    """None: nothing is known (the grader failed), so the sample carries no signal."""


@dataclass(frozen=True)
class Collection:
    """All rollouts of one step, grouped: rollouts[p·G + g] is sample g of problem p."""

    rollouts: list[Rollout]
    samples_per_prompt: int
    sample_seconds: float = 0.0
    grade_seconds: float = 0.0
    """Time that grading took, most of it while sampling went on."""
    grade_wait_seconds: float = 0.0
    """Time that grading took after sampling had ended."""

    def joined(self, other: "Collection") -> "Collection":
        """Both, one after the other."""
        return Collection(
            self.rollouts + other.rollouts,
            self.samples_per_prompt,
            self.sample_seconds + other.sample_seconds,
            self.grade_seconds + other.grade_seconds,
            self.grade_wait_seconds + other.grade_wait_seconds,
        )


def stream_keys(problems: Sequence[Problem], samples: Sequence[int], seed: int, step: int) -> np.ndarray:
    """(P, G) keys of the random streams: functions of (seed, step, problem, sample) alone."""
    return np.array(
        [[key("sample", seed, step, p.id, g) for g in samples] for p in problems], dtype=np.uint64
    )


def collect(
    engine: Engine,
    grader: Grader,
    reward: Reward,
    problems: Sequence[Problem],
    samples_per_prompt: int,
    seed: int,
    step: int,
    described: int | None = None,
) -> Collection:
    """Sample G completions of each problem, grade them while sampling goes on, pay the reward.

    Style and steps are judged for the first `described` rollouts only (None: for all).
    """
    started = time.perf_counter()
    keys = stream_keys(problems, range(samples_per_prompt), seed, step)
    prompts = engine.encode_prompts([problem.question for problem in problems])
    groups: dict[int, list[Completion]] = {}
    whole = len(problems) if described is None else -(-described // samples_per_prompt)
    with _GradingQueue(grader, problems, whole) as queue:
        for index, group in engine.sample_as_finished(prompts, keys):
            groups[index] = group
            queue.put(index, group)
        sampled = time.perf_counter()
        verdicts = queue.results()
    # A stream of its own for rewards, so that paying at random does not touch what is sampled.
    draws = uniforms(keys.reshape(-1) ^ np.uint64(key("reward")), 0, 1)[:, 0].reshape(keys.shape)
    rollouts = [
        Rollout(
            problem,
            g,
            tuple(prompts[p]),
            groups[p][g],
            verdicts[p][g],
            reward.function(verdicts[p][g], float(draws[p, g])),
        )
        for p, problem in enumerate(problems)
        for g in range(samples_per_prompt)
    ]
    return Collection(
        rollouts, samples_per_prompt, sampled - started, queue.busy_seconds, time.perf_counter() - sampled
    )


class _GradingQueue:
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

    def __enter__(self) -> "_GradingQueue":
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
