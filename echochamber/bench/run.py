"""Runs the comparisons that are asked for and keeps the newest result of each in one JSON file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json
from ..core.progress import say
from .peer import Load
from .results import ComparisonName, Results, Workload
from .sessions import Contender, peer_pythons
from .workload import build_workload
from .works import GRPO, SAMPLING, TRAINING, comparison, growth

COMPARISONS: dict[ComparisonName, tuple[Contender, ...]] = {
    "sampling": SAMPLING,
    "training": TRAINING,
    "grpo": GRPO,
}
WORKS = (*COMPARISONS, "growth")
RESULTS = "bench.json"


def run_bench(out: Path, only: Sequence[str], pythons: Sequence[str], repeats: int, quick: bool) -> Results:
    """Measure the works named in `only` (none: all); returns all results in `out`, earlier ones included."""
    unknown = [name for name in only if name not in WORKS]
    if unknown:
        raise UserError(f"--only {unknown[0]!r} is not known; there are {', '.join(WORKS)}")
    interpreters = peer_pythons(pythons)
    workload, load = build_workload(make_folder(out), quick)
    logs, path = make_folder(out / "logs"), out / RESULTS
    results = cast(Results, read_json(path)) if path.is_file() else Results()
    results["model"] = describe_workload(load)
    for name in only or WORKS:
        say(name)
        if name == "growth":
            results["growth"] = growth(workload, logs, quick)
        for compared, contenders in COMPARISONS.items():
            if compared == name:
                results[compared] = comparison(contenders, interpreters, workload, logs, repeats, quick)
        write_json(path, results)
    return results


def describe_workload(load: Load) -> Workload:
    """What the figures are about, without a path of this machine."""
    config = json.loads((Path(load["checkpoint"]) / "config.json").read_text(encoding="utf-8"))
    return {
        "num_hidden_layers": config["num_hidden_layers"],
        "hidden_size": config["hidden_size"],
        "num_attention_heads": config["num_attention_heads"],
        "num_key_value_heads": config["num_key_value_heads"],
        "intermediate_size": config["intermediate_size"],
        "vocab_size": config["vocab_size"],
        "dtype": load["dtype"],
        "threads": load["threads"],
        "samples": load["samples"],
        "new_tokens": load["new_tokens"],
        "grpo_prompts": load["grpo_prompts"],
        "train_batch": load["train_batch"],
        "prompts": len(load["prompts"]),
    }
