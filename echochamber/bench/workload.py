"""What all programs work on: one trained model, its prompts and problems, in a file for every environment."""

import json
from pathlib import Path

from ..core.errors import UserError
from ..core.files import make_folder, write_json
from ..data.world import problem_set
from ..model.checkpoint import load_checkpoint
from ..model.runtime import start_runtime
from ..model.settings import RuntimeConfig
from ..study.checkpoints import last_checkpoint
from ..study.execute import open_study, run_study
from ..study.recipe import Recipe, load_recipe
from .peer import Load

RECIPE = "bench"
QUICK = (
    "sizes=[nano-0.2m]",
    "tokenizer.documents=400",
    "mixtures.tg_omi1_omi2.budget_tokens=60K",
    "pretrain.batch_tokens=2048",
    "rl.grpo.prompts_per_step=4",
    "rl.grpo.samples_per_prompt=4",
    "rl.grpo.max_new_tokens=24",
    "runtime.threads=1",
)
"""Overrides under which everything runs in seconds and nothing means anything."""


def build_workload(out: Path, quick: bool) -> tuple[Path, Load]:
    """Train the model of recipe `bench` where `out` has none yet; write and return `workload.json`."""
    recipe = load_recipe(RECIPE, list(QUICK if quick else ()))
    checkpoint = _trained(recipe, out / "model")
    arm, runtime = recipe.rl["grpo"], start_runtime(RuntimeConfig(threads=recipe.runtime.threads))
    model, tokenizer = load_checkpoint(checkpoint)
    prompts = problem_set(recipe.world, "all", "test", 4 if quick else 64, 0)
    trained_on = problem_set(recipe.world, "all", "train", arm.problems.count, 0)
    load: Load = {
        "checkpoint": str(checkpoint.resolve()),
        "scratch": str(make_folder(out / "scratch").resolve()),
        "dtype": str(runtime.dtype).removeprefix("torch."),
        "threads": recipe.runtime.threads,
        "eos_id": tokenizer.eos_id,
        "vocab_size": model.config.vocab_size,
        "prompts": tokenizer.encode_batch([problem.question + recipe.prompt_suffix for problem in prompts]),
        "samples": arm.samples_per_prompt,
        "new_tokens": arm.max_new_tokens,
        "problems": [(problem.question + recipe.prompt_suffix, problem.reference) for problem in trained_on],
        "grpo": arm.resolved(),
        "grpo_prompts": arm.prompts_per_step,
        "train_batch": [2, 32] if quick else [32, 256],
        "train_steps": 2 if quick else 10,
    }
    path = out / "workload.json"
    write_json(path, load)
    return path, json.loads(path.read_text(encoding="utf-8"))


def _trained(recipe: Recipe, folder: Path) -> Path:
    graph, status = open_study(recipe, folder)
    if run_study(graph, status, {"pretrain"}):
        failed = next(node.error for node in status.nodes.values() if node.status == "failed")
        raise UserError(f"bench: the model to compare on could not be trained: {failed}")
    (node,) = [node for node in graph.nodes.values() if node.kind == "pretrain"]
    return last_checkpoint(graph.store.path(node.spec))
