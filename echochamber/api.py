"""The functions that `import echochamber` offers, and that the command line calls.

Each takes plain values, checks them as a recipe's are checked, and raises `UserError` with one line
that names what was wrong. Examples: docs/api.md.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from .core.errors import UserError
from .core.types import Problem, Verdict
from .data.columns import problem_columns
from .data.rows import OnBadRow
from .model.decoder import Decoder
from .model.load_model import load_model_on
from .model.prompt import prompt_settings
from .model.settings import RuntimeConfig
from .model.tokenizer import Tokenizer
from .study.checkpoints import find_checkpoint
from .study.evaluate_checkpoint import CheckpointEvaluation, evaluate_checkpoint
from .study.executors import ExecutorName
from .study.forecast_checkpoint import CheckpointForecast, forecast_checkpoint
from .study.forecast_files import write_forecast
from .study.recipe import Recipe, load_recipe
from .study.run import run_recipe
from .study.sample_checkpoint import SampledCompletion, sample_checkpoint
from .study.study_results import Study
from .study.train_from_checkpoint import TrainedArm, train_from_checkpoint
from .verify.grade import Grader
from .verify.grader_config import GraderConfig

__all__ = [
    "CheckpointEvaluation",
    "CheckpointForecast",
    "SampledCompletion",
    "Study",
    "TrainedArm",
    "evaluate",
    "forecast",
    "grade",
    "load_checkpoint",
    "run_study",
    "sample",
    "train_rl",
]


def run_study(
    recipe: str | Recipe,
    out: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    workers: int = 1,
    executor: ExecutorName = "local",
) -> Study:
    """Run a study, or continue it: what is done already is not done again.

    `recipe`: a shipped name, a path ending in .yaml, or what `load_recipe` returned. `overrides`:
    dotted settings, such as "rl.grpo.steps=20"; only with a name or path. `out`: output folder,
    runs/RECIPE by default. `workers`: stages that run at once. `executor`: "local",
    "ray" or "slurm".
    Raises `UserError` for bad settings, and where a stage failed; finished stages stay.
    """
    if isinstance(recipe, Recipe):
        if overrides:
            raise UserError("overrides need a recipe's name or path; give them to load_recipe")
        loaded = recipe
    else:
        loaded = load_recipe(recipe, overrides)
    done = run_recipe(loaded, Path(out) if out is not None else None, workers, executor)
    if done is None:
        raise UserError("run_study is for one process; under torchrun use the command `echochamber study`")
    if done.failed:
        raise UserError(f"{done.folder}: {len(done.failed)} stages failed; the first is {done.failed[0]}")
    return Study(done.folder)


def load_checkpoint(
    checkpoint: str | Path,
    device: str | torch.device = "cpu",
    *,
    engine: str = "auto",
    trust_remote_code: bool = False,
) -> tuple[Decoder, Tokenizer]:
    """(model in float32, tokenizer) of a checkpoint.

    `checkpoint`: a checkpoint folder, an artifact with checkpoints (the last is taken), a study with one
    trained model, or "hub:OWNER/NAME[@REVISION]". `engine`: `native`, `transformers`, or `auto`, which
    takes the native one where it computes the model. `trust_remote_code`: let transformers run Python
    files of the folder.
    """
    return load_model_on(find_checkpoint(checkpoint), torch.device(device), engine, trust_remote_code)


def sample(
    checkpoint: str | Path,
    question: str,
    number: int = 4,
    *,
    format_name: str | None = None,
    reference: str = "",
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    stop: Sequence[str] | None = None,
    max_new_tokens: int | None = None,
    prompt_suffix: str | None = None,
    template: str | None = None,
    system: str | None = None,
    few_shot: int | None = None,
    examples: str | None = None,
    seed: int = 0,
    engine: str = "auto",
    trust_remote_code: bool = False,
) -> list[SampledCompletion]:
    """`number` completions of one question, each with the grader's verdict on it.

    `format_name`: commit the completions to this format by its opening text. `reference`: the right
    answer; without one the outcome in the verdict means nothing. `top_p`: draw from the likeliest
    tokens that together hold this share. `top_k`: draw from the K likeliest tokens, 0 from all.
    `template`: `chat` asks in the tokenizer's own chat template, after the message `system` where there
    is one. `few_shot`: show so many of `examples`, a file of JSON Lines with question and completion.
    What is None, and the formats, are as in the study that the checkpoint lies in. `engine` and
    `trust_remote_code`: as for `load_checkpoint`.
    """
    settings = {
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "stop": None if stop is None else list(stop),
        "max_new_tokens": max_new_tokens,
        "prompt_suffix": prompt_suffix,
        "prompt": prompt_settings(template, system, few_shot, examples),
    }
    runtime = RuntimeConfig(engine=engine, trust_remote_code=trust_remote_code)
    return sample_checkpoint(checkpoint, question, number, format_name, reference, settings, seed, runtime)


def evaluate(
    checkpoint: str | Path,
    problems: str,
    out: str | Path | None = None,
    *,
    samples: int = 4,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    stop: Sequence[str] | None = None,
    max_new_tokens: int | None = None,
    prompt_suffix: str | None = None,
    template: str | None = None,
    system: str | None = None,
    few_shot: int | None = None,
    examples: str | None = None,
    world: str | None = None,
    tier2: bool = False,
    limit: int | None = None,
    on_bad_row: OnBadRow = "error",
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
    engine: str = "auto",
    trust_remote_code: bool = False,
) -> CheckpointEvaluation:
    """Score a checkpoint on a problem set: one greedy and `samples` sampled completions per problem, graded.

    `problems`: a world set (all, easy, medium, hard), a file of problems, or "hub:NAME[@COMMIT]".
    `template`, `system`, `few_shot` and `examples`: as for `sample`.
    What is None is as in the study that the checkpoint lies in; so are the world, the formats and the
    user's modules. `world`: `default` or a recipe, whose world is used instead.
    `limit`: only the first so many. `columns`: what holds question, answer, solution and id in a file of
    another layout, as in `{"question": "prompt"}`.
    `tier2`: run programs that need sympy in a locked-down process. `engine` and `trust_remote_code`: as for
    `load_checkpoint`. What was scored before into `out` is read, not scored again.
    """
    settings = {
        "samples": samples,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "stop": None if stop is None else list(stop),
        "max_new_tokens": max_new_tokens,
        "prompt_suffix": prompt_suffix,
        "prompt": prompt_settings(template, system, few_shot, examples),
        "grader": {"tier2": tier2},
    }
    folder = Path(out) if out is not None else None
    runtime = RuntimeConfig(engine=engine, trust_remote_code=trust_remote_code)
    return evaluate_checkpoint(
        checkpoint,
        problems,
        folder,
        settings,
        limit,
        seed,
        on_bad_row,
        world,
        runtime,
        problem_columns(columns),
    )


def forecast(
    model: str | Path,
    problems: str,
    out: str | Path | None = None,
    *,
    algorithm: str = "grpo",
    overrides: Sequence[str] = (),
    samples: int = 16,
    runs: int = 24,
    further_runs: int = 6,
    workers: int = 1,
    world: str | None = None,
    limit: int | None = None,
    on_bad_row: OnBadRow = "error",
    columns: Mapping[str, str] | None = None,
    seed: int = 0,
    prompt_suffix: str | None = None,
    template: str | None = None,
    system: str | None = None,
    few_shot: int | None = None,
    examples: str | None = None,
    engine: str = "auto",
    trust_remote_code: bool = False,
    modules: Sequence[str] = (),
) -> CheckpointForecast:
    """Which behaviours RL would amplify in `model`, simulated from what it samples on `problems`.

    `model`: as for `load_checkpoint`; of a study the pretrained model. `algorithm`: one of the rows of
    `rl.algorithms`, or a preset; `overrides`: settings of the arm, such as "steps=100". `samples`:
    completions per problem. `runs`: simulations of the arm, `further_runs` of each changed arm, `workers`
    of them at once. `modules`: files of the user's own, imported in every process. Other arguments: as for
    `evaluate`. Writes forecast.json, forecast.parquet and forecast.html into `out` (runs/forecast-PROBLEMS
    by default).
    """
    found = forecast_checkpoint(
        model,
        problems,
        Path(out) if out is not None else None,
        algorithm,
        overrides,
        samples,
        limit,
        runs,
        further_runs,
        seed,
        workers,
        world,
        on_bad_row,
        problem_columns(columns),
        RuntimeConfig(engine=engine, trust_remote_code=trust_remote_code),
        modules,
        prompt_suffix,
        prompt_settings(template, system, few_shot, examples),
    )
    write_forecast(found)
    return found


def grade(completion: str, reference: str, *, tier2: bool = False) -> Verdict:
    """Format, answer and outcome of one completion, judged against the right answer `reference`.

    A program in the completion runs in a sandbox, which never sees `reference`. Files of completions
    are graded faster by the command `echochamber grade`.
    """
    with Grader(GraderConfig(tier2=tier2), workers=1) as grader:
        return grader.grade(Problem("completion", "", reference), completion)


def train_rl(
    recipe: str | Recipe, base: str | Path, out: str | Path | None = None, *, overrides: Sequence[str] = ()
) -> list[TrainedArm]:
    """Train the RL arms of a recipe, for each of its seeds, from the checkpoint `base`.

    `base`: as for `load_checkpoint`. What the recipe says of pretraining is not used. Arms that are
    finished in `out` (runs/rl-RECIPE by default) are read, not trained again. `echochamber rl --base` adds
    evaluations and a report to the same folder.
    """
    if isinstance(recipe, Recipe) and overrides:
        raise UserError("overrides need a recipe's name or path; give them to load_recipe")
    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, overrides)
    return train_from_checkpoint(loaded, base, Path(out) if out is not None else None)
