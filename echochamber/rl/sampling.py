"""The rollouts of a step: its problems, and their completions, graded.

Completions are sampled from the policy, in one round or until enough groups carry signal, or they are
demonstrations from a file.
"""

from collections.abc import Callable
from functools import partial

from ..core.types import Problem
from ..model.ranks import Ranks
from ..rollout.collect import Collection, collect, collect_over_ranks
from ..rollout.demonstrations import Demonstration, collect_demonstrations
from ..rollout.engines import Engine
from ..rollout.rewards import reward_of
from ..verify.grade import Grader
from .config import RLConfig
from .problem_order import problems_of_step
from .stored_steps import RoundStore, is_stored, stored_step
from .targets import earned_rewards, has_signal

StepSampler = Callable[[int], Collection]
"""Step (from 1) -> its graded rollouts."""


def step_sampler(
    config: RLConfig,
    seed: int,
    problems: list[Problem],
    demonstrations: list[Demonstration],
    engine: Engine,
    grader: Grader,
    ranks: Ranks,
    store: RoundStore,
) -> StepSampler:
    """The function that samples and grades a step. Each rank does its part; all get the whole.

    `store`: where a step of many completions keeps them.
    """
    if demonstrations:
        return partial(_from_demonstrations, config, seed, demonstrations, engine, grader, ranks)
    if is_stored(config):
        return partial(stored_step, config, seed, problems, engine, grader, ranks, store)
    return partial(_sampled, config, seed, problems, engine, grader, ranks)


def _sampled(
    config: RLConfig,
    seed: int,
    problems: list[Problem],
    engine: Engine,
    grader: Grader,
    ranks: Ranks,
    step: int,
) -> Collection:
    """Sample from the policy as it is now, and grade.

    A step owns `sampling_rounds` consecutive draws of problems, used or not. So what it samples depends
    on the step and the weights alone.
    """
    reward, sampled = reward_of(config.reward), None
    for sampling_round in range(config.sampling_rounds):
        draw = (step - 1) * config.sampling_rounds + sampling_round + 1
        chosen = problems_of_step(problems, config.prompts_per_step, draw, seed)

        def collect_part(mine: list[Problem], before: int, draw: int = draw) -> Collection:
            described = max(0, config.rollouts_kept - before * config.samples_per_prompt)
            return collect(engine, grader, reward, mine, config.samples_per_prompt, seed, draw, described)

        part = collect_over_ranks(ranks, chosen, chosen, collect_part)
        sampled = part if sampled is None else sampled.joined(part)
        signal = has_signal(earned_rewards(sampled.rollouts), config.samples_per_prompt)
        if signal.sum() >= config.prompts_per_step:
            break
    assert sampled is not None
    return sampled


def _from_demonstrations(
    config: RLConfig,
    seed: int,
    demonstrations: list[Demonstration],
    engine: Engine,
    grader: Grader,
    ranks: Ranks,
    step: int,
) -> Collection:
    """The step's share of the file, in a fresh order each epoch."""
    chosen = {
        problem.id: problem
        for problem in problems_of_step(
            [row.problem for row in demonstrations], config.prompts_per_step, step, seed
        )
    }
    rows = [row for row in demonstrations if row.problem.id in chosen]
    return collect_over_ranks(
        ranks,
        rows,
        [row.problem for row in rows],
        lambda mine, _: collect_demonstrations(mine, engine, grader, config.max_new_tokens),
    )
