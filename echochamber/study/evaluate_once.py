"""One checkpoint on one problem set, outside a study, with the same records."""

import json
import time
from pathlib import Path
from typing import Any

from ..core.artifacts import Spec, Store, hash_file, make_folder
from ..core.errors import UserError
from ..core.types import Problem
from ..data.problem_sets import load_problems
from ..data.world import WorldConfig, problem_set
from ..model.checkpoint import load_checkpoint
from ..model.runtime import RuntimeConfig, start_runtime
from ..stages import evaluate as evaluating
from .graph import last_checkpoint
from .status import end_sittings, start_sitting

WORLD_SETS = ("all", "easy", "medium", "hard")
WORLD_COUNT = 256


def evaluate_once(
    checkpoint: Path, problems: str, out: Path | None, settings: dict[str, Any], limit: int | None, seed: int
) -> tuple[Path, list[dict[str, Any]], int]:
    """Returns (artifact folder, summary rows, problems left out because they are too long)."""
    config = evaluating.EvaluateConfig.parse(settings, "evaluate")
    folder = find_checkpoint(checkpoint)
    name = Path(problems).stem.split(".")[0] or problems
    chosen = _problems(problems, limit)
    kept = _that_fit(folder, chosen, config)
    if not kept:
        raise UserError(f"{problems}: none of {len(chosen)} problems fits the model's positions with max_new_tokens {config.max_new_tokens}")
    store = Store(make_folder(out or Path("runs") / f"evaluate-{name}"))
    runtime = RuntimeConfig()
    inputs = {"weights": hash_file(folder / "model.safetensors") if (folder / "model.safetensors").is_file() else str(folder.name)}
    ids = [[p.id, p.question, p.reference] for p in kept]
    spec = Spec("evaluate", {"evaluate": config.resolved(), "problems": ids, "seed": seed, "runtime": runtime.resolved()}, evaluating.VERSION, {}, inputs)
    with store.build(spec, {"seed": seed}) as partial:
        start_sitting(partial, time.time())
        target = evaluating.Target(_step(folder), folder, config.samples)
        evaluating.evaluate(config, [target], {name: kept}, partial, start_runtime(runtime), evaluating.Labels("checkpoint", seed))
        end_sittings(partial, time.time())
    artifact = store.path(spec)
    return artifact, json.loads((artifact / "summary.json").read_text(encoding="utf-8")), len(chosen) - len(kept)


def find_checkpoint(path: Path) -> Path:
    """A checkpoint folder from a folder that is one, has some, or is a study with exactly one kind of end."""
    if not path.is_dir():
        raise UserError(f"{path}: no such folder")
    trained = sorted((path / "artifacts").glob("rl-*")) or sorted((path / "artifacts").glob("pretrain-*"))
    if len(trained) > 1:
        found = ", ".join(folder.name for folder in trained)
        raise UserError(f"{path}: this study has several trained models ({found}); give one of these folders under {path / 'artifacts'}")
    return last_checkpoint(trained[0] if trained else path)


def _problems(name: str, limit: int | None) -> list[Problem]:
    if name in WORLD_SETS:
        return problem_set(WorldConfig(), name, "test", limit or WORLD_COUNT, 0)
    problems = load_problems(name, limit)
    if not problems:
        raise UserError(f"{name}: holds no problems")
    return problems


def _that_fit(folder: Path, problems: list[Problem], config: evaluating.EvaluateConfig) -> list[Problem]:
    """Problems whose prompt leaves room for a whole completion."""
    model, tokenizer = load_checkpoint(folder)
    room = model.config.max_positions - config.max_new_tokens
    prompts = tokenizer.encode_batch([p.question + config.prompt_suffix for p in problems])
    return [p for p, ids in zip(problems, prompts, strict=True) if len(ids) <= room]


def _step(folder: Path) -> int:
    """The step in a checkpoint folder's name, 0 where it has none."""
    digits = folder.name.removeprefix("step_")
    return int(digits) if digits.isdigit() else 0
