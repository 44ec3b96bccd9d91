"""Stages that train: pretraining and RL arms."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.artifacts import Spec
from ..rl.config import RL_VERSION, RLConfig
from ..stages.settings import PRETRAIN_VERSION, PretrainConfig
from .checkpoints import checkpoint_at
from .contamination_stages import add_training_check
from .data_stages import add_problems, outside_sets
from .stage_graph import GridPoint, StageGraph, StageNode
from .stage_inputs import arm_source

if TYPE_CHECKING:
    from ..model.runtime import Runtime


def add_pretrain(
    graph: StageGraph, point: GridPoint, shards: str, tokenizer: str, searched: str | None = None
) -> str:
    """A base of one mixture, size and seed; returns the stage's id.

    `searched`: a stage that it waits for and does not read, the search for evaluation problems.
    """
    recipe = graph.recipe
    config = PretrainConfig(**dict(recipe.pretrain), size=point.size)
    settings = {"pretrain": config.identity(), "seed": point.seed, "runtime": recipe.runtime.identity()}
    parents = graph.fingerprints(shards=shards, tokenizer=tokenizer)
    # An index holds no token ids; those of its sources are read here too.
    tokens = [id for id in graph.nodes[shards].parents if graph.nodes[id].kind == "tokens"]

    def run(folder: Path, runtime: "Runtime") -> None:
        from ..stages.pretrain import pretrain

        pretrain(config, point.seed, graph.folder(shards), graph.folder(tokenizer), folder, runtime)

    return graph.add(
        StageNode(
            f"pretrain/{point.mixture}/{point.size}/seed{point.seed}",
            Spec("pretrain", settings, PRETRAIN_VERSION, parents),
            (shards, tokenizer, *tokens, *([searched] if searched else [])),
            run,
            point.mixture,
            point.size,
            None,
            point.seed,
        )
    )


def add_rl(graph: StageGraph, point: GridPoint, base: str, config: RLConfig, tests: Sequence[str]) -> str:
    """An RL arm on a base, from the point's pretraining step; returns the stage's id.

    `tests`: ids of the problem sets of its evaluations. It waits for the search of its problems for theirs.
    """
    config, settings, inputs = arm_source(graph.recipe, config, point.seed, graph.modules, point.mixture)
    problems = add_problems(graph, config.problems.set, "train", config.problems.count)
    searched = add_training_check(graph, problems, config.problems, tests)
    settings |= {"from_step": point.from_step} if point.from_step is not None else {}
    spec = Spec("rl", settings, RL_VERSION, graph.fingerprints(base=base, problems=problems), inputs)

    def run(folder: Path, runtime: "Runtime") -> None:
        from ..rl import loop
        from ..stages import prepare, shortcut_baselines

        chosen = prepare.read_problems(graph.folder(problems))
        start = checkpoint_at(graph.folder(base), point.from_step)
        loop.rl(config, point.seed, start, chosen, folder, runtime)
        outside = dict.fromkeys(outside_sets(graph, [problems]), chosen) if runtime.ranks.is_main else {}
        shortcut_baselines.score_sets(graph.folder(base), outside, graph.recipe.fixed_data_seed, folder)

    waits = [searched] if searched else []
    return graph.add(point.node("rl", spec, (base, problems, *waits), run))
