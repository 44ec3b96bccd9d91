"""One checkpoint on one problem set, outside a study, with the same records."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from ..core.artifacts import Spec, Store, canonical_json, make_folder, write_json
from ..core.errors import UserError
from ..data.rows import OnBadRow
from ..data.world import WorldConfig
from ..model.runtime import RuntimeConfig, start_runtime
from ..rollout.sample_and_grade import Labels
from ..stages import evaluate as evaluating
from .checkpoints import find_checkpoint, hash_checkpoint, step_of
from .named_problems import WORLD_SETS, named_problems, short_name, that_fit
from .shortcut_baselines import surface_of
from .status import sitting


class CheckpointEvaluation(NamedTuple):
    """What an evaluation of one checkpoint gave."""

    folder: Path
    """The artifact."""
    rows: list[dict[str, Any]]
    """Of its summary."""
    left_out: int
    """Problems that are too long for the model."""
    surface: str
    """What surface cues answer of the set, as a line."""


def evaluate_checkpoint(
    checkpoint: str | Path,
    problems: str,
    out: Path | None,
    settings: dict[str, Any],
    limit: int | None,
    seed: int,
    on_bad_row: OnBadRow = "error",
) -> CheckpointEvaluation:
    """Score one checkpoint; what was done before is read, not done again."""
    config = evaluating.EvaluateConfig.parse(settings, "evaluate")
    folder = find_checkpoint(checkpoint)
    name = short_name(problems)
    chosen = named_problems(problems, limit, on_bad_row)
    kept = that_fit(folder, chosen, config.prompt_suffix, config.max_new_tokens)
    if not kept:
        raise UserError(
            f"{problems}: none of {len(chosen)} problems fits the model's positions with max_new_tokens {config.max_new_tokens}"
        )
    store = Store(make_folder(out or Path("runs") / f"evaluate-{name}"))
    surface, line = surface_of(folder, name, kept, WorldConfig() if problems in WORLD_SETS else None, seed)
    runtime = RuntimeConfig()
    ids = [[p.id, p.question, p.reference] for p in kept]
    inputs = {
        "checkpoint": hash_checkpoint(folder),
        "surface": hashlib.sha256(canonical_json(surface).encode()).hexdigest(),
    }
    spec = Spec(
        "evaluate",
        {"evaluate": config.identity(), "problems": ids, "seed": seed, "runtime": runtime.identity()},
        evaluating.VERSION,
        {},
        inputs,
    )

    def write(partial: Path) -> None:
        target = evaluating.Target(step_of(folder), folder, config.samples)
        with sitting(partial):
            evaluating.evaluate(
                config, [target], {name: kept}, partial, start_runtime(runtime), Labels("checkpoint", seed)
            )
            write_json(partial / "surface.json", surface)

    artifact = store.build(spec, write, {"seed": seed})
    rows = json.loads((artifact / "summary.json").read_text(encoding="utf-8"))
    return CheckpointEvaluation(artifact, rows, len(chosen) - len(kept), line)
