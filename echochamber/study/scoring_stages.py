"""Stages that score checkpoints: evaluations and probes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.artifacts import Spec
from ..stages.settings import EVALUATE_VERSION, PROBE_VERSION, EvaluateConfig, ProbeConfig, Target
from .checkpoints import checkpoint_at, checkpoints_of
from .data_stages import outside_sets
from .recipe_sections import EvaluateRecipe
from .stage_graph import GridPoint, StageGraph
from .stage_inputs import tracked

if TYPE_CHECKING:
    from ..model.runtime import Runtime

SAMPLING_KEYS = ("temperature", "top_p", "top_k", "stop", "max_new_tokens", "past_positions")
FindTargets = Callable[[], list[Target]]
"""Finds the checkpoints to score, once they exist."""


def add_base_evaluation(
    graph: StageGraph, point: GridPoint, base: str, settings: EvaluateRecipe, tests: dict[str, str]
) -> str:
    """Score a base at the point's pretraining step; returns the stage's id.

    `tests`: problem set -> id of its stage.
    """
    ends = settings.samples.ends

    def targets() -> list[Target]:
        return [Target(0, checkpoint_at(graph.folder(base), point.from_step), ends)]

    return _add_evaluation(graph, point, base, settings, tests, targets, {"ends": ends})


def add_rl_evaluation(
    graph: StageGraph, point: GridPoint, trained: str, settings: EvaluateRecipe, tests: dict[str, str]
) -> None:
    """Score the checkpoints of an RL arm, the last with more samples than those before it."""
    samples = settings.samples

    def targets() -> list[Target]:
        # Step 0 is the base, scored once for all arms.
        found = {step: path for step, path in checkpoints_of(graph.folder(trained)).items() if step > 0}
        counts = {step: samples.ends if step == max(found) else samples.between for step in sorted(found)}
        return [Target(step, found[step], count) for step, count in counts.items() if count]

    _add_evaluation(graph, point, trained, settings, tests, targets, samples.identity())


def scored_once(graph: StageGraph, point: GridPoint) -> GridPoint:
    """The point of a score; seeds of a study on a given base are those of RL, so that base has one for all.

    With `data_seed: seed` every seed has its own problems, and its own score.
    """
    if graph.recipe.base is None or point.arm is not None or graph.data_label:
        return point
    return replace(point, seed=graph.recipe.fixed_data_seed, of_all_seeds=True)


def _add_evaluation(
    graph: StageGraph,
    point: GridPoint,
    checkpoint: str,
    how: EvaluateRecipe,
    tests: dict[str, str],
    targets: FindTargets,
    samples: Mapping[str, object],
) -> str:
    recipe, point = graph.recipe, scored_once(graph, point)
    sampling = {name: getattr(how, name) for name in SAMPLING_KEYS}
    config = EvaluateConfig(**sampling, prompt_suffix=recipe.prompt_suffix, prompt=recipe.prompt)
    settings: dict[str, object] = {
        "evaluate": config.identity(),
        "samples": samples,
        "arm": point.arm,
        "seed": point.seed,
        "runtime": recipe.runtime.identity(),
    }
    settings |= tracked(recipe, point.mixture)
    settings |= {"from_step": point.from_step} if point.from_step is not None and point.arm is None else {}
    parents = graph.fingerprints(checkpoint=checkpoint, **tests)
    spec = Spec("evaluate", settings, EVALUATE_VERSION, parents, graph.modules)

    def run(folder: Path, runtime: "Runtime") -> None:
        from ..rollout.sample_and_grade import Labels
        from ..stages import evaluate, prepare, shortcut_baselines

        sets = {label: prepare.read_problems(graph.folder(node)) for label, node in tests.items()}
        labels = Labels(point.arm or "base", point.seed)
        evaluate.evaluate(config, targets(), sets, folder, runtime, labels)
        if point.arm is None and runtime.ranks.is_main:
            outside = outside_sets(graph, tests.values())
            found = {name: prepare.read_problems(graph.folder(node)) for name, node in outside.items()}
            shortcut_baselines.score_sets(graph.folder(checkpoint), found, recipe.fixed_data_seed, folder)

    return graph.add(point.node("evaluate", spec, (checkpoint, *tests.values()), run))


def add_probe(
    graph: StageGraph, point: GridPoint, checkpoint: str, reference: str | None, tests: dict[str, str]
) -> None:
    """Probe a last checkpoint, compared with the base it came from (`reference`)."""
    recipe, point = graph.recipe, scored_once(graph, point)
    assert recipe.probe is not None
    outer = {
        "max_new_tokens": recipe.evaluate.max_new_tokens,
        "prompt_suffix": recipe.prompt_suffix,
        "prompt": recipe.prompt.resolved(),
    }
    config = ProbeConfig.parse(recipe.probe.settings() | outer, "probe")
    settings: dict[str, object] = {
        "probe": config.identity(),
        "openings": config.forced(),
        "arm": point.arm,
        "seed": point.seed,
        "runtime": recipe.runtime.identity(),
    }
    settings |= tracked(recipe, point.mixture)
    settings |= {"from_step": point.from_step} if point.from_step is not None else {}
    roles = {"checkpoint": checkpoint} | ({"reference": reference} if reference else {})
    spec = Spec("probe", settings, PROBE_VERSION, graph.fingerprints(**roles, **tests))

    def run(folder: Path, runtime: "Runtime") -> None:
        from ..rollout.sample_and_grade import Labels
        from ..stages import prepare, probe

        sets = {label: prepare.read_problems(graph.folder(node)) for label, node in tests.items()}
        trained = graph.folder(checkpoint)
        if point.arm is None:
            scored = probe.Checkpoint(0, checkpoint_at(trained, point.from_step))
        else:
            scored = probe.Checkpoint(max(checkpoints_of(trained)), checkpoint_at(trained, None))
        base = checkpoint_at(graph.folder(reference), point.from_step) if reference else None
        compared = probe.Checkpoint(0, base) if base else None
        labels = Labels(point.arm or "base", point.seed)
        probe.probe(config, scored, compared, [], sets, folder, runtime, labels)

    graph.add(point.node("probe", spec, (*roles.values(), *tests.values()), run))
