"""One checkpoint on one problem set, outside a study, with the same records."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from ..core.artifacts import Spec, Store, canonical_json, hash_file, make_folder, write_json
from ..core.errors import UserError
from ..core.types import Problem
from ..data.problem_sets import load_problems, set_label
from ..data.rows import OnBadRow
from ..data.world import WorldConfig, problem_set
from ..model.checkpoint import load_checkpoint
from ..model.hub import PREFIX, fetch_checkpoint
from ..model.runtime import RuntimeConfig, start_runtime
from ..rollout.sample_and_grade import Labels
from ..stages import evaluate as evaluating
from .graph import last_checkpoint
from .shortcut_baselines import surface_of
from .status import sitting

WORLD_SETS = ("all", "easy", "medium", "hard")
WORLD_COUNT = 256


class Scored(NamedTuple):
    """What an evaluation of one checkpoint gave."""

    folder: Path
    """The artifact."""
    rows: list[dict[str, Any]]
    """Of its summary."""
    left_out: int
    """Problems that are too long for the model."""
    surface: str
    """What surface cues answer of the set, as a line."""


def evaluate_once(
    checkpoint: str | Path,
    problems: str,
    out: Path | None,
    settings: dict[str, Any],
    limit: int | None,
    seed: int,
    on_bad_row: OnBadRow = "error",
) -> Scored:
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
    return Scored(artifact, rows, len(chosen) - len(kept), line)


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
        raise UserError(
            f"{path}: this study has several trained models ({found}); give one of these folders under {path / 'artifacts'}"
        )
    return last_checkpoint(trained[0] if trained else path)


def hash_checkpoint(folder: Path) -> str:
    """SHA-256 over configuration, tokenizer and all weight files."""
    files = [folder / "config.json", folder / "tokenizer.json", *sorted(folder.glob("*.safetensors"))]
    return hashlib.sha256(
        canonical_json([[file.name, hash_file(file)] for file in files if file.is_file()]).encode()
    ).hexdigest()


def named_problems(name: str, limit: int | None, on_bad_row: OnBadRow = "error") -> list[Problem]:
    """A world set by name (test split), or the problems of a file or of a set on the hub."""
    if name in WORLD_SETS:
        return problem_set(WorldConfig(), name, "test", limit or WORLD_COUNT, 0)
    return load_problems(name, limit, on_bad_row)


def short_name(problems: str) -> str:
    """What a problem set is called in tables and folders: a file's name without its ending."""
    return set_label(problems).split(".")[0] or problems


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
