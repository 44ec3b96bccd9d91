"""Completions of a checkpoint as graded records: what evaluation and probe have in common."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..core.records import record
from ..core.types import Completion, Problem
from ..verify.grade import Grader
from ..verify.legacy import LegacyGrader
from .collect import stream_keys
from .engines import Engine

EVALUATION_STREAM = 0
"""The step whose random streams evaluation uses; training steps count from 1."""


@dataclass(frozen=True)
class Labels:
    """Columns that say which run the records are of."""

    arm: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Graders:
    """Ours, and the paper's released rules beside it."""

    ours: Grader
    legacy: LegacyGrader


def graded_rows(
    engine: Engine,
    graders: Graders,
    problems: list[Problem],
    samples: Sequence[int],
    labels: Labels,
    step: int,
    opening: str = "",
) -> Iterator[dict[str, object]]:
    """Records of the completions numbered `samples` of each problem; `opening` is given and part of the text.

    `num_tokens` and `logprob` are those of the tokens that the model chose, without the opening's.
    """
    items = drawn(engine, problems, samples, labels.seed, opening)
    verdicts = graders.ours.grade_batch([(p, opening + c.text) for p, c in items])
    legacy = graders.legacy.grade_batch([(p.reference, opening + c.text) for p, c in items])
    for index, ((problem, completion), verdict, old) in enumerate(zip(items, verdicts, legacy, strict=True)):
        yield record(
            problem,
            verdict,
            opening + completion.text,
            arm=labels.arm,
            seed=labels.seed,
            step=step,
            sample=samples[index % len(samples)],
            temperature=engine.sampling.temperature,
            num_tokens=len(completion.token_ids),
            logprob=float(sum(completion.logprobs)),
            truncated=completion.truncated,
            legacy_format=old.label,
            legacy_correct=old.correct,
        )


def drawn(
    engine: Engine, problems: list[Problem], samples: Sequence[int], seed: int, opening: str = ""
) -> list[tuple[Problem, Completion]]:
    """Ungraded completions, problem by problem, under the random streams of evaluation.

    The streams do not depend on the checkpoint: checkpoints are compared under common random numbers.
    """
    keys = stream_keys(problems, samples, seed, EVALUATION_STREAM)
    given = engine.tokenizer.encode(opening) if opening else []
    prompts = [ids + given for ids in engine.encode([problem.question for problem in problems])]
    return [(p, c) for p, group in zip(problems, engine.sample(prompts, keys), strict=True) for c in group]
