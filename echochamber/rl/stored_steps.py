"""Steps with more completions than should be in memory, as rounds of Expert Iteration have them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..core.types import Problem
from ..model.ranks import Ranks
from ..rollout.collect import Collection, collect
from ..rollout.collect_stored import chunk_spans, collect_stored, remove_chunks, weights_digest
from ..rollout.engines import Engine
from ..rollout.rewards import reward_of
from ..verify.grade import Grader
from .algorithms import algorithm_row
from .config import RLConfig
from .problem_order import problems_of_step


@dataclass(frozen=True)
class RoundStore:
    """Where a round's completions are kept, and the weights that they are sampled with."""

    folder: Path
    weights: Callable[[], Mapping[str, Tensor]]


def is_stored(config: RLConfig) -> bool:
    """Whether a step's completions are kept in files: there are many, and few numbers of each are needed.

    True of large rounds of Expert Iteration. Other algorithms need log-probabilities of every completion.
    """
    row = algorithm_row(config.algorithm)
    needs_all = config.kl.coef > 0 or config.loss.old_logprobs == "recomputed" or config.whitened
    large = len(chunk_spans(config.prompts_per_step, config.samples_per_prompt)) > 1
    return large and row.keep_rewarded and not needs_all and config.sampling_rounds == 1


def stored_step(
    config: RLConfig,
    seed: int,
    problems: list[Problem],
    engine: Engine,
    grader: Grader,
    ranks: Ranks,
    store: RoundStore,
    step: int,
) -> Collection:
    """Sample from the policy as it is now in chunks, and grade.

    Chunks that an earlier sitting wrote with these weights are not sampled again.
    """
    reward, group = reward_of(config.reward), config.samples_per_prompt
    chosen = problems_of_step(problems, config.prompts_per_step, step, seed)
    prompts = engine.encode([problem.question for problem in chosen])
    name = f"rollouts_{step}_{weights_digest(store.weights())}"
    if ranks.is_main:
        remove_chunks(store.folder, "rollouts_", but=name)

    def collect_part(part: Sequence[Problem], before: int) -> Collection:
        described = max(0, config.rollouts_kept - before * group)
        return collect(engine, grader, reward, part, group, seed, step, described)

    return collect_stored(ranks, store.folder, name, chosen, prompts, group, collect_part)
