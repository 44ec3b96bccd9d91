"""Sample and grade: the policy's completions of some problems, with verdicts and rewards."""

import time
from collections.abc import Sequence
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
    sample_seconds: float
    grade_seconds: float

    def joined(self, other: "Collection") -> "Collection":
        """Both, one after the other."""
        seconds = self.sample_seconds + other.sample_seconds, self.grade_seconds + other.grade_seconds
        return Collection(self.rollouts + other.rollouts, self.samples_per_prompt, *seconds)


def stream_keys(problems: Sequence[Problem], samples: Sequence[int], seed: int, step: int) -> np.ndarray:
    """(P, G) keys of the random streams: functions of (seed, step, problem, sample) alone."""
    return np.array([[key("sample", seed, step, p.id, g) for g in samples] for p in problems], dtype=np.uint64)


def collect(
    engine: Engine, grader: Grader, reward: Reward, problems: Sequence[Problem],
    samples_per_prompt: int, seed: int, step: int, described: int | None = None,
) -> Collection:  # fmt: skip
    """Sample G completions of each problem, grade them, pay the reward.

    Style and steps are judged for the first `described` rollouts only (None: for all).
    """
    started = time.perf_counter()
    keys = stream_keys(problems, range(samples_per_prompt), seed, step)
    prompts = engine.encode_prompts([problem.question for problem in problems])
    groups = list(engine.sample(prompts, keys))
    sampled = time.perf_counter()
    items = [(p, c.text) for p, group in zip(problems, groups, strict=True) for c in group]
    verdicts = grader.grade_batch(items, described)
    # A stream of its own for rewards, so that paying at random does not touch what is sampled.
    draws = uniforms(keys.reshape(-1) ^ np.uint64(key("reward")), 0, 1)[:, 0]
    rollouts = []
    for row, verdict in enumerate(verdicts):
        p, g = divmod(row, samples_per_prompt)
        paid = reward.function(verdict, float(draws[row]))
        rollouts.append(Rollout(problems[p], g, tuple(prompts[p]), groups[p][g], verdict, paid))
    return Collection(rollouts, samples_per_prompt, sampled - started, time.perf_counter() - sampled)
