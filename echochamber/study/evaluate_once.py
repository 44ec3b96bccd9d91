"""One checkpoint on one problem set, outside a study, with the same records."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from ..core.artifacts import Spec, Store, canonical_json, hash_file, make_folder
from ..core.errors import UserError
from ..core.types import Problem
from ..data.problem_sets import load_problems
from ..data.world import WorldConfig, problem_set
from ..model.checkpoint import load_checkpoint
from ..model.hub import PREFIX, fetch_checkpoint
from ..model.runtime import RuntimeConfig, start_runtime
from ..stages import evaluate as evaluating
from ..stages.graded import Labels
from .graph import last_checkpoint
from .status import end_sittings, start_sitting

WORLD_SETS = ("all", "easy", "medium", "hard")
WORLD_COUNT = 256


def evaluate_once(
    checkpoint: str | Path, problems: str, out: Path | None, settings: dict[str, Any], limit: int | None, seed: int
) -> tuple[Path, list[dict[str, Any]], int]:
    """Returns (artifact folder, summary rows, problems left out because they are too long)."""
    config = evaluating.EvaluateConfig.parse(settings, "evaluate")
    folder = find_checkpoint(checkpoint)
    name = Path(problems).stem.split(".")[0] or problems
    chosen = named_problems(problems, limit)
    kept = that_fit(folder, chosen, config.prompt_suffix, config.max_new_tokens)
    if not kept:
        raise UserError(f"{problems}: none of {len(chosen)} problems fits the model's positions with max_new_tokens {config.max_new_tokens}")
    store = Store(make_folder(out or Path("runs") / f"evaluate-{name}"))
    runtime = RuntimeConfig()
    ids = [[p.id, p.question, p.reference] for p in kept]
    spec = Spec("evaluate", {"evaluate": config.resolved(), "problems": ids, "seed": seed, "runtime": runtime.resolved()}, evaluating.VERSION, {}, {"checkpoint": hash_checkpoint(folder)})
    if not store.has(spec):
        with store.build(spec, {"seed": seed}) as partial:
            start_sitting(partial, time.time())
            target = evaluating.Target(step_of(folder), folder, config.samples)
            evaluating.evaluate(config, [target], {name: kept}, partial, start_runtime(runtime), Labels("checkpoint", seed))
            end_sittings(partial, time.time())
    artifact = store.path(spec)
    return artifact, json.loads((artifact / "summary.json").read_text(encoding="utf-8")), len(chosen) - len(kept)


def find_checkpoint(place: str | Path) -> Path:
    """A checkpoint folder from a name on the hub, or from a folder that is one, has some, or is a study with exactly one kind of end."""
    if str(place).startswith(PREFIX):
        return fetch_checkpoint(str(place))
    path = Path(place)
    if not path.is_dir():
        raise UserError(f"{path}: no such folder")
    trained = sorted((path / "artifacts").glob("rl-*")) or sorted((path / "artifacts").glob("pretrain-*"))
    if len(trained) > 1:
        found = ", ".join(folder.name for folder in trained)
        raise UserError(f"{path}: this study has several trained models ({found}); give one of these folders under {path / 'artifacts'}")
    return last_checkpoint(trained[0] if trained else path)


def hash_checkpoint(folder: Path) -> str:
    """SHA-256 over configuration, tokenizer and all weight files."""
    files = [folder / "config.json", folder / "tokenizer.json", *sorted(folder.glob("*.safetensors"))]
    return hashlib.sha256(canonical_json([[file.name, hash_file(file)] for file in files if file.is_file()]).encode()).hexdigest()


def named_problems(name: str, limit: int | None) -> list[Problem]:
    """A world set by name (test split) or the problems of a file."""
    if name in WORLD_SETS:
        return problem_set(WorldConfig(), name, "test", limit or WORLD_COUNT, 0)
    problems = load_problems(name, limit)
    if not problems:
        raise UserError(f"{name}: holds no problems")
    return problems


def that_fit(folder: Path, problems: list[Problem], prompt_suffix: str, max_new_tokens: int) -> list[Problem]:
    """Problems whose prompt leaves room for a whole completion."""
    model, tokenizer = load_checkpoint(folder)
    room = model.config.max_positions - max_new_tokens
    prompts = tokenizer.encode_batch([p.question + prompt_suffix for p in problems])
    return [p for p, ids in zip(problems, prompts, strict=True) if len(ids) <= room]


def step_of(folder: Path) -> int:
    """The step in a checkpoint folder's name, 0 where it has none."""
    digits = folder.name.removeprefix("step_")
    return int(digits) if digits.isdigit() else 0
