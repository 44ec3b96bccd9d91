"""Score one checkpoint on one problem set, outside a study; the records are those of a study."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..core.artifacts import Spec, Store
from ..core.errors import UserError
from ..core.files import canonical_json, make_folder, write_json
from ..core.types import Problem
from ..data.columns import ProblemColumns
from ..data.rows import OnBadRow
from ..data.shortcut_baselines import shortcut_line, shortcut_scores
from ..data.training_questions import world_training_questions
from ..data.world import PROBLEM_SETS, WorldConfig
from ..model.load_model import take_engine
from ..model.runtime import start_runtime
from ..model.settings import RuntimeConfig
from ..rollout.engine_names import engine_remarks
from ..rollout.sample_and_grade import Labels
from ..stages import evaluate as evaluating
from ..stages.settings import EVALUATE_VERSION, EvaluateConfig, Target
from ..stages.shortcut_baselines import training_questions
from .checkpoint_context import CheckpointContext, checkpoint_context
from .checkpoints import find_checkpoint, hash_checkpoint, step_of
from .named_problems import named_problems, short_name, that_fit
from .sittings import sitting


class CheckpointEvaluation(NamedTuple):
    """What an evaluation of one checkpoint gave."""

    folder: Path
    """The artifact."""
    rows: list[dict[str, Any]]
    """Rows of its summary, one per problem set."""
    left_out: int
    """Problems that are too long for the model."""
    shortcuts: str
    """How many problems of the set the shortcut baselines solve, as a line."""
    shortcut_scores: dict[str, object]
    """The same by baseline; {} where they are not estimable."""
    context: CheckpointContext
    """What of the checkpoint's study was used."""


def evaluate_checkpoint(
    checkpoint: str | Path,
    problems: str,
    out: Path | None,
    settings: Mapping[str, object],
    limit: int | None,
    seed: int,
    on_bad_row: OnBadRow = "error",
    world: str | None = None,
    runtime: RuntimeConfig | None = None,
    columns: ProblemColumns | None = None,
) -> CheckpointEvaluation:
    """Score one checkpoint. A finished evaluation of the same settings is read, not repeated.

    Settings that are None have the value of the checkpoint's study; so have the world (unless `world` asks
    for another one), the formats and the user's modules.
    """
    folder = find_checkpoint(checkpoint)
    context = checkpoint_context(folder, world, settings)
    runtime = take_engine(runtime or RuntimeConfig(), folder)
    config = EvaluateConfig.parse(context.complete(settings), "evaluate")
    name = short_name(problems)
    chosen = named_problems(problems, limit, on_bad_row, context, columns)
    kept = that_fit(folder, chosen, config.prompt_suffix, config.prompt, config.max_new_tokens, runtime)
    if not kept:
        raise UserError(
            f"{problems}: none of {len(chosen)} problems fits the model's positions "
            f"with max_new_tokens {config.max_new_tokens}"
        )
    store = Store(make_folder(out or Path("runs") / f"evaluate-{name}"))
    drawn_from = context.world if problems in PROBLEM_SETS else None
    shortcuts, line = shortcuts_of(folder, name, kept, drawn_from, seed)
    ids = [[p.id, p.question, p.reference] for p in kept]
    inputs = {
        "checkpoint": hash_checkpoint(folder),
        "surface": hashlib.sha256(canonical_json(shortcuts).encode()).hexdigest(),
    }
    spec = Spec(
        "evaluate",
        {"evaluate": config.identity(), "problems": ids, "seed": seed, "runtime": runtime.identity()}
        | context.identity(),
        EVALUATE_VERSION,
        {},
        inputs | dict(context.modules),
    )

    def write(partial: Path) -> None:
        target = Target(step_of(folder), folder, config.samples)
        with sitting(partial), context.formats():
            evaluating.evaluate(
                config, [target], {name: kept}, partial, start_runtime(runtime), Labels("checkpoint", seed)
            )
            write_json(partial / "surface.json", shortcuts)

    artifact = store.build(spec, write, {"seed": seed}, remarks=engine_remarks(runtime))
    rows = json.loads((artifact / "summary.json").read_text(encoding="utf-8"))
    return CheckpointEvaluation(artifact, rows, len(chosen) - len(kept), line, shortcuts, context)


def shortcuts_of(
    checkpoint: Path, name: str, problems: list[Problem], world: WorldConfig | None, seed: int
) -> tuple[dict[str, object], str]:
    """Shortcut baselines of a problem set, or {}, and a line for the terminal.

    `world`: where the problems are a set of it, they are compared with training questions of their own
    level. Others are compared with the questions that the checkpoint was trained on, which only a
    checkpoint inside its study has.
    """
    train = world_training_questions(world, name, seed) if world else training_questions(checkpoint)
    if train is None:
        reason = "the checkpoint does not lie in a study with the questions it was trained on"
        return {}, f"shortcut baselines, {name}: not estimable, {reason}"
    scores = shortcut_scores(train, problems, seed)
    return scores, shortcut_line(name, scores)
