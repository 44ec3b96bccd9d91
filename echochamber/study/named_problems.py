"""Problem sets by name, for commands that score one checkpoint outside a study."""

from pathlib import Path

import torch

from ..core.types import Problem
from ..data.columns import ProblemColumns
from ..data.environments import environment_problems, is_environment
from ..data.problem_sets import load_problems, set_label
from ..data.rows import OnBadRow
from ..data.world import PROBLEM_SETS, problem_set
from ..model.load_model import load_model_on
from ..model.prompt import PromptConfig
from ..model.settings import RuntimeConfig
from .checkpoint_context import CheckpointContext


def named_problems(
    name: str,
    limit: int | None,
    on_bad_row: OnBadRow = "error",
    context: CheckpointContext | None = None,
    columns: ProblemColumns | None = None,
) -> list[Problem]:
    """A set of the context's world by name, or the problems of a file or of a set on the hub.

    `columns`: of the file; None: as the context's study names them.
    """
    context = context or CheckpointContext()
    if name in PROBLEM_SETS:
        settings = context.evaluate
        count = limit or settings.count
        return problem_set(context.world, name, settings.split, count, context.data_seed)
    if is_environment(name):
        settings = context.evaluate
        return environment_problems(name, settings.split, limit or settings.count, context.data_seed)
    return load_problems(name, limit, on_bad_row, columns=columns or context.columns)


def short_name(problems: str) -> str:
    """What a problem set is called in tables and folders: a file's name without its ending."""
    return set_label(problems).split(".")[0] or problems


def that_fit(
    folder: Path,
    problems: list[Problem],
    prompt_suffix: str,
    prompt: PromptConfig,
    max_new_tokens: int,
    runtime: RuntimeConfig,
) -> list[Problem]:
    """Problems whose prompt leaves room for a whole completion."""
    model, tokenizer = load_model_on(folder, torch.device("cpu"), runtime.engine, runtime.trust_remote_code)
    room = model.config.max_positions - max_new_tokens
    prompts = tokenizer.prompting(prompt).encode_prompts([p.question for p in problems], prompt_suffix)
    return [p for p, ids in zip(problems, prompts, strict=True) if len(ids) <= room]
