"""Completions come in any order and leave in theirs, each graded once, described only where asked."""

import numpy as np

from echochamber.core.types import Completion, Problem, Verdict
from echochamber.rollout.collect import collect
from echochamber.rollout.engines import Engine
from echochamber.rollout.rewards import reward_row
from echochamber.verify.grade import Grader

PROBLEMS = [Problem(str(i), f"question {i}", str(i)) for i in range(20)]


class _Engine(Engine):
    """Finishes the last problem first; completion g of problem p says `p g`."""

    def encode(self, questions):
        return [[len(question)] for question in questions]

    def sample_as_finished(self, prompts, stream_keys):
        for index in reversed(range(len(prompts))):
            yield (
                index,
                [
                    Completion(f"{index} {g}", (g, 0), (-0.1, -0.2), False)
                    for g in range(stream_keys.shape[1])
                ],
            )


class _Grader(Grader):
    """Right are even samples; remembers whom it was asked about."""

    def __init__(self):
        self.asked, self.described = [], []

    def grade_batch(self, items, described):
        self.asked += [(problem.id, text) for problem, text in items]
        self.described += [text for _, text in items[:described]]
        return [
            Verdict("other", text, "correct" if int(text.split()[1]) % 2 == 0 else "wrong")
            for _, text in items
        ]


def test_every_rollout_has_its_own_verdict_and_reward():
    grader = _Grader()
    collection = collect(_Engine(), grader, reward_row("correct"), PROBLEMS, 6, seed=0, step=1, described=12)
    assert len(collection.rollouts) == len(grader.asked) == len(set(grader.asked)) == 120
    for row, rollout in enumerate(collection.rollouts):
        p, g = divmod(row, 6)
        assert (rollout.problem.id, rollout.sample) == (str(p), g)
        assert rollout.completion.text == rollout.verdict.answer == f"{p} {g}"
        assert rollout.reward == float(g % 2 == 0)
    assert sorted(grader.described) == sorted(f"{p} {g}" for p in (0, 1) for g in range(6))


def test_random_rewards_do_not_depend_on_the_order_in_which_groups_finish():
    class Forwards(_Engine):
        def sample_as_finished(self, prompts, stream_keys):
            yield from reversed(list(super().sample_as_finished(prompts, stream_keys)))

    rewards = [
        [
            r.reward
            for r in collect(
                engine, _Grader(), reward_row("random:0.3"), PROBLEMS, 6, seed=0, step=1
            ).rollouts
        ]
        for engine in (_Engine(), Forwards())
    ]
    assert rewards[0] == rewards[1]
    assert 0.15 < np.mean(rewards[0]) < 0.45
