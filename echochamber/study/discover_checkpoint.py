"""The ways in which a checkpoint answers, found without being told."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..core.errors import UserError
from ..core.types import Problem
from ..data.columns import ProblemColumns
from ..data.rows import OnBadRow
from ..model.load_model import load_model, take_engine
from ..model.prompt import PromptConfig
from ..model.runtime import RuntimeConfig, start_runtime
from ..model.sampling import SamplingConfig
from ..rollout.engines import start_engine
from ..rollout.sample_and_grade import drawn
from ..verify.discovery.features import OfProblems
from ..verify.discovery.kinds import FEWEST_COMPLETIONS, find_kinds
from ..verify.discovery.rules import Rule, behaviours_block, labelled_by, rules_of
from .checkpoint_context import checkpoint_context
from .checkpoints import find_checkpoint
from .completion_files import read_completions
from .named_problems import named_problems, that_fit

FILES = (".parquet", ".jsonl")
"""Files of completions, in place of a model."""


class FoundKind(NamedTuple):
    """One stable kind."""

    name: str
    share: float
    """Of all completions, by the rule."""
    stability: float
    """Mean Jaccard similarity over resamples of problems."""
    rule: Rule
    example: str


class Discovery(NamedTuple):
    """What was found in the completions of a model."""

    completions: int
    problems: int
    kinds: list[FoundKind]
    """In the order in which their rules are asked; empty: there are no stable kinds."""
    left_over: float
    """Share of completions that no rule takes."""
    block: str
    """`behaviours:` to paste; empty without kinds."""
    candidates: list[float]
    """Stability of every cluster; fewer than two of at least `STABLE` mean that there are no kinds."""
    of_problems: list[OfProblems]
    """What varies with the problem more than within it, and makes no kinds."""


def discover_checkpoint(
    place: str,
    problems: str | None,
    settings: Mapping[str, object],
    limit: int,
    samples: int,
    seed: int,
    runtime: RuntimeConfig | None = None,
    on_bad_row: OnBadRow = "error",
    world: str | None = None,
    columns: ProblemColumns | None = None,
) -> Discovery:
    """Sample a model on problems, or read a file of completions, and find its kinds.

    Settings that are None have the value of the checkpoint's study; so has the world. `columns`: of a file
    of problems. `UserError` where there are too few completions.
    """
    if Path(place).suffix in FILES:
        texts, ids = read_completions(Path(place))
    elif problems is None:
        raise UserError(
            f"{place}: a model needs --problems; a file of completions ends in .parquet or .jsonl"
        )
    elif limit * samples < FEWEST_COMPLETIONS:
        raise UserError(
            f"--limit {limit} x --samples {samples} = {limit * samples} completions are too few; "
            f"at least {FEWEST_COMPLETIONS} are needed"
        )
    else:
        folder = find_checkpoint(place)
        context = checkpoint_context(folder, world, settings)
        chosen = named_problems(problems, limit, on_bad_row, context, columns)
        texts, ids = _sampled(folder, chosen, context.complete(settings), samples, seed, runtime)
    return discover_in(texts, ids, seed)


def discover_in(texts: list[str], problems: list[str], seed: int = 0) -> Discovery:
    """The kinds of given completions."""
    found = find_kinds(texts, problems, seed)
    count = len(set(problems))
    if not found.stability:
        return Discovery(len(texts), count, [], 1.0, "", found.candidates, found.of_problems)
    rules = rules_of(texts, found.labels)
    by_rule = labelled_by(rules, texts)
    kinds = [
        FoundKind(
            f"kind_{kind + 1}",
            float((by_rule == kind).mean()),
            found.stability[kind],
            rule,
            texts[int(np.flatnonzero(found.labels == kind)[0])],
        )
        for kind, rule in rules.items()
    ]
    left_over, block = float((by_rule < 0).mean()), behaviours_block(rules)
    return Discovery(len(texts), count, kinds, left_over, block, found.candidates, found.of_problems)


def _sampled(
    folder: Path,
    problems: list[Problem],
    given: dict[str, object],
    samples: int,
    seed: int,
    runtime: RuntimeConfig | None,
) -> tuple[list[str], list[str]]:
    """Completions of the problems that fit, and each one's problem; `given` are complete settings."""
    suffix, prompt = (
        str(given.pop("prompt_suffix")),
        PromptConfig.parse(dict(_block(given.pop("prompt"))), "prompt"),
    )
    sampling = SamplingConfig.parse(given, "discover")
    taken = take_engine(runtime or RuntimeConfig(), folder)
    kept = that_fit(folder, problems, suffix, prompt, sampling.max_new_tokens, taken)
    started = start_runtime(taken)
    model, tokenizer = load_model(folder, started)
    engine = start_engine(model, tokenizer.prompting(prompt), sampling, started, suffix)
    items = drawn(engine, kept, range(samples), seed)
    return [completion.text for _, completion in items], [problem.id for problem, _ in items]


def _block(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping), "the context completes it"
    return value
