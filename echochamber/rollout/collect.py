"""Sample and grade: the policy's completions of some problems, with verdicts and rewards."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np

from ..core.keys import key
from ..core.random import uniforms
from ..core.types import Completion, Problem, Verdict
from ..model.ranks import Ranks
from ..verify.grade import Grader
from .engines import Engine
from .grading_queue import GradingQueue
from .reward_value import Reward, WeightedReward

T = TypeVar("T")


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
    parts: dict[str, float] = field(default_factory=dict)
    """Name -> value before its weight, where the reward has more than one part."""

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Completion tokens up to and including EOS (T)."""
        return self.completion.token_ids


@dataclass(frozen=True)
class Collection:
    """All rollouts of one step, grouped: rollouts[p·G + g] is sample g of problem p."""

    rollouts: Sequence[Rollout]
    samples_per_prompt: int
    sample_seconds: float = 0.0
    grade_seconds: float = 0.0
    """Time that grading took, most of it while sampling went on."""
    grade_wait_seconds: float = 0.0
    """Time that grading took after sampling had ended."""

    def joined(self, other: "Collection") -> "Collection":
        """Both, one after the other."""
        return Collection(
            [*self.rollouts, *other.rollouts],
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
    reward: Reward | WeightedReward,
    problems: Sequence[Problem],
    samples_per_prompt: int,
    seed: int,
    step: int,
    described: int | None = None,
) -> Collection:
    """Sample G completions of each problem, grade them while sampling goes on, compute rewards.

    Style and steps are judged for the first `described` rollouts only (None: for all).
    """
    started = time.perf_counter()
    keys = stream_keys(problems, range(samples_per_prompt), seed, step)
    prompts = engine.encode([problem.question for problem in problems])
    groups: dict[int, list[Completion]] = {}
    whole = len(problems) if described is None else -(-described // samples_per_prompt)
    with GradingQueue(grader, problems, whole) as queue:
        for index, group in engine.sample_as_finished(prompts, keys):
            groups[index] = group
            queue.put(index, group)
        sampled = time.perf_counter()
        verdicts = queue.results()
    draws = reward_draws(keys, reward).tolist()
    rollouts = [
        Rollout(
            problem,
            g,
            tuple(prompts[p]),
            groups[p][g],
            verdicts[p][g],
            earned.total,
            earned.parts,
        )
        for p, problem in enumerate(problems)
        for g in range(samples_per_prompt)
        for earned in [reward.of(problem, groups[p][g], verdicts[p][g], draws[p][g])]
    ]
    return Collection(
        rollouts, samples_per_prompt, sampled - started, queue.busy_seconds, time.perf_counter() - sampled
    )


def reward_draws(keys: np.ndarray, reward: Reward | WeightedReward) -> np.ndarray:
    """(P, G) keys of rollouts -> (P, G, number of draws) uniforms, from streams of their own.

    Rewards do not draw from the sampling streams, so a random reward does not change what is sampled.
    """
    draws = uniforms(keys.reshape(-1) ^ np.uint64(key("reward")), 0, reward.num_draws)
    return draws.reshape(*keys.shape, reward.num_draws)


def collect_over_ranks(
    ranks: Ranks,
    items: list[T],
    problems: Sequence[Problem],
    collect_part: Callable[[list[T], int], Collection],
) -> Collection:
    """`collect_part(this rank's items, items before them)` of every rank, joined in the order of `items`.

    `problems[i]` is the problem of `items[i]`. What a completion is follows from its own random
    stream, so it does not matter which rank samples it. Seconds are the slowest rank's.
    """
    if ranks.world_size == 1:
        return collect_part(items, 0)
    part = ranks.part(len(items))
    own = collect_part(items[part], part.start) if items[part] else None
    parts = ranks.gather(None if own is None else _packed(own))
    joined = [
        (first, packed)
        for first, packed in zip(_starts(ranks, len(items)), parts, strict=True)
        if packed is not None
    ]
    rollouts = [
        _unpacked(row, problems, first, packed["group"])
        for first, packed in joined
        for row in enumerate(packed["rollouts"])
    ]
    seconds = [max(times) for times in zip(*(packed["seconds"] for _, packed in joined), strict=True)]
    return Collection(rollouts, joined[0][1]["group"], *seconds)


def _starts(ranks: Ranks, count: int) -> list[int]:
    return [Ranks(rank, ranks.world_size).part(count).start for rank in range(ranks.world_size)]


def _packed(own: Collection) -> dict[str, Any]:
    """A collection as JSON can carry it; problems are known to every rank and stay behind."""
    rows = [
        [r.sample, r.prompt_ids, asdict(r.completion), asdict(r.verdict), r.reward, r.parts]
        for r in own.rollouts
    ]
    seconds = [own.sample_seconds, own.grade_seconds, own.grade_wait_seconds]
    return {"group": own.samples_per_prompt, "seconds": seconds, "rollouts": rows}


def _unpacked(row: tuple[int, list[Any]], problems: Sequence[Problem], first: int, group: int) -> Rollout:
    """The rollout at an index within its rank's part, whose first problem is `problems[first]`."""
    index, (sample, prompt_ids, completion, verdict, reward, parts) = row
    ids, logprobs = tuple(completion["token_ids"]), tuple(completion["logprobs"])
    whole = Completion(**completion | {"token_ids": ids, "logprobs": logprobs})
    problem = problems[first + index // group]
    return Rollout(problem, sample, tuple(prompt_ids), whole, Verdict(**verdict), reward, parts)
