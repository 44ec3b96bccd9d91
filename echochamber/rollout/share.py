"""A step's rollouts, collected by several ranks: each does its part of the problems, all get the whole."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from ..core.types import Completion, Problem, Verdict
from ..model.ranks import Ranks
from .collect import Collection, Rollout

T = TypeVar("T")


def over_ranks(
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
    rows = [[r.sample, r.prompt_ids, asdict(r.completion), asdict(r.verdict), r.reward] for r in own.rollouts]
    seconds = [own.sample_seconds, own.grade_seconds, own.grade_wait_seconds]
    return {"group": own.samples_per_prompt, "seconds": seconds, "rollouts": rows}


def _unpacked(row: tuple[int, list[Any]], problems: Sequence[Problem], first: int, group: int) -> Rollout:
    """The rollout at a place within its rank's part, whose first problem is `problems[first]`."""
    place, (sample, prompt_ids, completion, verdict, reward) = row
    ids, logprobs = tuple(completion["token_ids"]), tuple(completion["logprobs"])
    whole = Completion(**completion | {"token_ids": ids, "logprobs": logprobs})
    return Rollout(
        problems[first + place // group], sample, tuple(prompt_ids), whole, Verdict(**verdict), reward
    )
