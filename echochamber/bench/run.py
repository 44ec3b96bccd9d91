"""Runs the comparisons that are asked for and keeps the newest result of each in one JSON file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.artifacts import make_folder, read_json, write_json
from ..core.errors import UserError
from ..core.progress import say
from .sessions import peer_pythons
from .workload import build_workload
from .works import GRPO, SAMPLING, TRAINING, comparison, growth

COMPARISONS = {"sampling": SAMPLING, "training": TRAINING, "grpo": GRPO}
WORKS = (*COMPARISONS, "growth")
RESULTS = "bench.json"


def run_bench(
    out: Path, only: Sequence[str], pythons: Sequence[str], repeats: int, quick: bool
) -> dict[str, Any]:
    """Measure the works named in `only` (none: all); returns all results in `out`, earlier ones included."""
    unknown = [name for name in only if name not in WORKS]
    if unknown:
        raise UserError(f"--only {unknown[0]!r} is not known; there are {', '.join(WORKS)}")
    interpreters = peer_pythons(pythons)
    workload, load = build_workload(make_folder(out), quick)
    logs, path = make_folder(out / "logs"), out / RESULTS
    results = read_json(path) if path.is_file() else {}
    results["model"] = describe_workload(load)
    for name in only or WORKS:
        say(name)
        if name == "growth":
            results[name] = growth(workload, logs, quick)
        else:
            results[name] = comparison(COMPARISONS[name], interpreters, workload, logs, repeats, quick)
        write_json(path, results)
    return results


def describe_workload(load: dict[str, Any]) -> dict[str, Any]:
    """What the figures are about, without a path of this machine."""
    config = json.loads((Path(load["checkpoint"]) / "config.json").read_text(encoding="utf-8"))
    shape = {
        name: config[name]
        for name in (
            "num_hidden_layers",
            "hidden_size",
            "num_attention_heads",
            "num_key_value_heads",
            "intermediate_size",
            "vocab_size",
        )
    }
    kept = ("dtype", "threads", "samples", "new_tokens", "grpo_prompts", "train_batch")
    return shape | {name: load[name] for name in kept} | {"prompts": len(load["prompts"])}
