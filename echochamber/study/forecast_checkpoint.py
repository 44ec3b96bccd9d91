"""What RL would amplify in one checkpoint: sample it, then simulate the arm on what it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import torch

from ..core.config import apply_overrides
from ..core.errors import UserError
from ..core.files import make_folder
from ..core.formats import register_format
from ..core.progress import progress_bar
from ..core.suggest import did_you_mean
from ..data.columns import ProblemColumns
from ..data.rows import OnBadRow
from ..forecasting.arm_forecast import check_forecastable
from ..forecasting.baselines import Baseline, baselines
from ..forecasting.behaviour_table import BehaviourTable
from ..forecasting.calibration import calibration
from ..forecasting.changes import Tried
from ..forecasting.outcome import Outcome
from ..forecasting.run_scenarios import run_scenarios
from ..forecasting.scenarios import scenarios
from ..model.load_model import load_model_on
from ..model.prompt import PromptConfig
from ..model.runtime import RuntimeConfig
from ..rl.algorithms import registered_algorithms
from ..rl.config import RLConfig
from ..rl.presets import RL_PRESETS
from ..verify.behaviours import BehaviourConfig, behaviour_formats
from .checkpoints import find_base
from .evaluate_checkpoint import evaluate_checkpoint
from .named_problems import short_name
from .recipe import DEFAULT_SUFFIX
from .user_modules import load_user_modules


@dataclass(frozen=True)
class CheckpointForecast:
    """A forecast with what it rests on."""

    folder: Path
    """Where it was written."""
    problem_set: str
    table: BehaviourTable
    """Behaviours with enough completions."""
    left_out: dict[str, int]
    """Behaviour -> number of its completions, where they are too few to forecast from."""
    arm: RLConfig
    outcome: Outcome
    tried: list[Tried]
    """Changed arms with their outcomes, and the arm without one difference between behaviours."""
    baselines: list[Baseline]
    warnings: list[str]


def forecast_checkpoint(
    model: str | Path,
    problems: str,
    out: Path | None,
    algorithm: str,
    overrides: Sequence[str],
    samples: int = 16,
    limit: int | None = None,
    runs: int = 24,
    further_runs: int = 6,
    seed: int = 0,
    workers: int = 1,
    world: str | None = None,
    on_bad_row: OnBadRow = "error",
    columns: ProblemColumns | None = None,
    runtime: RuntimeConfig | None = None,
    modules: Sequence[str] = (),
    prompt_suffix: str | None = None,
    prompt: Mapping[str, object] | None = None,
) -> CheckpointForecast:
    """Sample `model` on `problems` at the arm's temperature and simulate RL on what it does.

    `overrides`: settings of the arm, such as "steps=100". `runs`: simulations of the arm; `further_runs`:
    of each changed one. `prompt_suffix` and `prompt`: what stands around a question; None: as in the
    checkpoint's study. `UserError` where the table does not allow a forecast: fewer than two behaviours
    with enough completions, or no right answer among them.
    """
    folder = find_base(model)
    arm = arm_settings(algorithm, overrides)
    name = short_name(problems)
    target = make_folder(out or Path("runs") / f"forecast-{name}")
    settings = _sampled_as(arm) | {"samples": samples, "prompt_suffix": prompt_suffix, "prompt": prompt}
    scored = evaluate_checkpoint(
        folder, problems, target, settings, limit, seed, on_bad_row, world, runtime, columns
    )
    whole = BehaviourTable.from_records(pl.read_parquet(scored.folder / "records.parquet"), name)
    table = whole.forecastable()
    check_forecastable(whole, table, name, arm)
    chosen = scenarios(table, arm)
    found = calibration()
    total = runs + further_runs * (len(chosen) - 1)
    used = scored.context
    prepare = partial(_prepare, (*used.modules, *modules), dict(used.behaviours))
    with progress_bar("simulate RL", total, unit="runs") as bar:
        outcomes = run_scenarios(
            chosen, found.gains, runs, further_runs, samples, workers, prepare, bar.advance
        )
    return CheckpointForecast(
        target,
        name,
        table,
        {
            behaviour: int(number)
            for behaviour, number in zip(whole.behaviours, whole.num.sum(0), strict=True)
            if behaviour not in table.behaviours
        },
        arm,
        outcomes[0],
        list(zip(chosen[1:], outcomes[1:], strict=True)),
        baselines(table, arm),
        found.warnings(num_parameters(folder, runtime), arm.algorithm, arm.optimizer.name),
    )


def _sampled_as(arm: RLConfig) -> dict[str, object]:
    """Settings of an evaluation that samples as the arm does."""
    return {
        "temperature": arm.temperature,
        "top_p": 1.0,
        "top_k": 0,
        "stop": list(arm.stop) or None,
        "max_new_tokens": arm.max_new_tokens,
    }


def arm_settings(algorithm: str, overrides: Sequence[str]) -> RLConfig:
    """The arm that is meant: a preset, or an algorithm with this project's small-model settings.

    `UserError` for unknown names and keys.
    """
    small = f"nano-{algorithm.replace('_', '-')}"
    names = [row.name for row in registered_algorithms() if not row.demonstrations]
    if algorithm in RL_PRESETS:
        settings = dict(RL_PRESETS[algorithm])
    elif algorithm in names:
        settings = dict(RL_PRESETS.get(small, {})) | {"algorithm": algorithm}
    else:
        raise UserError(
            f"--algorithm {algorithm!r} is not known{did_you_mean(algorithm, [*names, *RL_PRESETS])}; "
            f"there are {', '.join(names)}, and the presets {', '.join(RL_PRESETS)}"
        )
    arm = RLConfig.parse(apply_overrides(settings, list(overrides)), "arm")
    if (arm.prompt, arm.prompt_suffix) != (PromptConfig(), DEFAULT_SUFFIX):
        raise UserError(
            "prompt and prompt_suffix are no settings of a forecast's arm; "
            "give --template, --system, --few-shot with --examples, or --prompt-suffix"
        )
    return arm


def num_parameters(folder: Path, runtime: RuntimeConfig | None) -> int:
    runtime = runtime or RuntimeConfig()
    model, _ = load_model_on(folder, torch.device("cpu"), runtime.engine, runtime.trust_remote_code)
    return sum(parameter.numel() for parameter in model.parameters())


def _prepare(modules: Sequence[str], behaviours: Mapping[str, BehaviourConfig]) -> None:
    """Make a process know the user's formats, rewards and algorithms, which an arm may name."""
    load_user_modules(modules)
    for row in behaviour_formats(behaviours):
        register_format(row)
