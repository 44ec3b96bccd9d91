"""Pretraining steps at which models of several sizes are equally accurate, seed by seed (claim 13).

    python benchmarks/match_sizes.py runs/echo-chamber --small MIXTURE --large MIXTURE_fewer_tokens

Every kept step of each base is scored on dev. For each seed the target is the lowest final accuracy over the
sizes, and each size gets its nearest kept step. Printed: the rules to paste into `grid.from_step` of the
recipe, and the accuracies. Nothing of RL is read, so no step is chosen by a winner.
"""

import argparse
import json
import tempfile
from pathlib import Path

import yaml

from echochamber.core.artifacts import Store
from echochamber.data.world import problem_set
from echochamber.model.runtime import start_runtime
from echochamber.rollout.sample_and_grade import Labels
from echochamber.stages.evaluate import evaluate
from echochamber.stages.settings import EvaluateConfig, Target
from echochamber.study.checkpoints import checkpoints_of
from echochamber.study.graph import build_graph
from echochamber.study.recipe import Recipe, load_recipe
from echochamber.study.stage_graph import StageNode

Accuracies = dict[int, float]
"""Kept step -> accuracy of single samples on dev."""


def nearest_steps(by_size: dict[str, Accuracies]) -> tuple[float, dict[str, int]]:
    """(target, size -> kept step nearest to it): the target is the lowest of the sizes' last accuracies.

    >>> nearest_steps({"small": {1: 0.1, 2: 0.5}, "large": {1: 0.45, 2: 0.9}})
    (0.5, {'small': 2, 'large': 1})
    """
    target = min(of[max(of)] for of in by_size.values())
    return target, {
        size: min(sorted(of), key=lambda step: abs(of[step] - target)) for size, of in by_size.items()
    }


def kept_accuracies(recipe: Recipe, node: StageNode, folder: Path, count: int, samples: int) -> Accuracies:
    """Every kept checkpoint of a base, scored on dev problems of its own seed."""
    targets = [Target(step, place, samples) for step, place in sorted(checkpoints_of(folder).items())]
    seed = node.seed or 0
    name = recipe.evaluate.sets[0]
    config = EvaluateConfig(samples=samples, temperature=1.0, max_new_tokens=recipe.evaluate.max_new_tokens)
    labels = Labels("base", seed)
    with tempfile.TemporaryDirectory() as scratch:
        sets = {name: problem_set(recipe.world, name, "dev", count, seed)}
        evaluate(config, targets, sets, Path(scratch), start_runtime(recipe.runtime), labels)
        rows = json.loads((Path(scratch) / "summary.json").read_text(encoding="utf-8"))
    return {int(row["step"]): float(row["accuracy"]) for row in rows}


def main() -> None:
    """Score the bases and print the rules."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("--recipe", default="echo-chamber")
    parser.add_argument("--small", required=True, help="mixture of the smallest size")
    parser.add_argument("--large", required=True, help="mixture of the larger sizes")
    parser.add_argument("--arm", default="rloo_matched")
    parser.add_argument("--problems", type=int, default=128)
    parser.add_argument("--samples", type=int, default=8)
    chosen = parser.parse_args()
    recipe = load_recipe(chosen.recipe)
    graph = build_graph(recipe, Store(chosen.study / "artifacts"))
    found: dict[int, dict[str, Accuracies]] = {}
    for node in graph.nodes.values():
        mixture = chosen.small if node.size == recipe.sizes[0] else chosen.large
        if node.kind == "pretrain" and node.mixture == mixture and graph.store.has(node.spec):
            folder = graph.store.path(node.spec)
            accuracies = kept_accuracies(recipe, node, folder, chosen.problems, chosen.samples)
            found.setdefault(node.seed or 0, {})[node.size or ""] = accuracies
    rules = []
    for seed, by_size in sorted(found.items()):
        target, steps = nearest_steps(by_size)
        for size, step in steps.items():
            mixture = chosen.small if size == recipe.sizes[0] else chosen.large
            where = {"rl": chosen.arm, "size": size, "mixture": mixture, "seed": seed}
            rules.append({"where": where, "step": step})
            print(f"# seed {seed}, {size}: {by_size[size][step]:.3f} at step {step}, target {target:.3f}")
    print(yaml.safe_dump(rules, sort_keys=False, default_flow_style=None), end="")


if __name__ == "__main__":
    main()
