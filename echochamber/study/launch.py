"""What a stage runs on: GPUs, nodes and processes, as the recipe's `launch` section says."""

from dataclasses import dataclass

from .recipe import Recipe
from .recipe_sections import LaunchConfig, StageLaunch
from .stage_graph import StageNode

LAUNCHED = tuple(name for name in LaunchConfig.model_fields if name != "retries")
"""Kinds of stages that may have GPUs and several processes. Any other runs in one process."""


@dataclass(frozen=True)
class Resources:
    """What one stage asks for."""

    gpus: int | None = None
    """GPUs of its own on each node; None: it takes what it finds."""
    nodes: int = 1
    ranks: int = 1
    """Processes on each node."""

    @property
    def world_size(self) -> int:
        """Processes on all nodes."""
        return self.nodes * self.ranks

    @property
    def own_processes(self) -> bool:
        """Whether the stage is started by its command line; else the executor's own process runs it."""
        return self.gpus is not None or self.world_size > 1


def resources_of(node: StageNode, recipe: Recipe) -> Resources:
    """What the recipe says for a stage of this kind."""
    asked = _section(node, recipe)
    if asked.gpus:
        return Resources(asked.gpus, asked.nodes, asked.gpus)
    several = asked.ranks is not None or asked.nodes > 1
    return Resources(0 if several else asked.gpus, asked.nodes, asked.ranks or 1)


def retries_of(node: StageNode, recipe: Recipe) -> int:
    """How often a lost or failed stage is started again."""
    own = _section(node, recipe).retries
    return recipe.launch.retries if own is None else own


def key_of(node: StageNode, key: str) -> str:
    """A key of the stage's section, as messages name it."""
    return f"launch.{node.kind}.{key}"


def _section(node: StageNode, recipe: Recipe) -> StageLaunch:
    return getattr(recipe.launch, node.kind) if node.kind in LAUNCHED else StageLaunch()
