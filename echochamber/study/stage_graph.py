"""The graph of a study: its stages, in an order in which they can run."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.artifacts import Spec, Store
from .recipe import Recipe
from .user_modules import load_user_modules

if TYPE_CHECKING:
    from ..model.runtime import Runtime

WritePayload = Callable[[Path, "Runtime"], None]
"""Writes a stage's payload into the given folder. It loads the stage's code, which a graph does without."""


@dataclass(frozen=True)
class StageNode:
    """One stage of the study."""

    id: str
    """Readable path: `rl/tg_omi1_omi2/nano-0.8m/grpo/seed0`."""
    spec: Spec
    parents: tuple[str, ...]
    run: WritePayload
    mixture: str | None = None
    size: str | None = None
    arm: str | None = None
    seed: int | None = None
    evaluation: str | None = None
    """Name in `also_evaluate`; None: the study's own evaluation."""
    from_step: int | None = None
    """Pretraining step that RL starts from, or that a base is evaluated at; None: the last."""

    @property
    def kind(self) -> str:
        """The stage: tokenizer, problems, tokens, shards, overlaps, contamination, base, pretrain, ..."""
        return self.spec.kind


@dataclass(frozen=True)
class GridPoint:
    """Mixture, size and seed of a stage; for RL and evaluations also the arm and where it starts."""

    mixture: str
    size: str
    seed: int
    arm: str | None = None
    from_step: int | None = None
    evaluation: str | None = None
    of_all_seeds: bool = False
    """One stage for all seeds of the study; `seed` is what it draws with."""

    def node(self, kind: str, spec: Spec, parents: tuple[str, ...], run: WritePayload) -> StageNode:
        """A stage named after this point: `evaluate@cold/tg/nano-0.8m/base@400/seed0`."""
        label = self.arm or ("base" if self.from_step is None else f"base@{self.from_step}")
        name = kind + (f"@{self.evaluation}" if self.evaluation else "")
        end = "" if self.of_all_seeds else f"/seed{self.seed}"
        return StageNode(
            f"{name}/{self.mixture}/{self.size}/{label}{end}",
            spec,
            parents,
            run,
            self.mixture,
            self.size,
            self.arm,
            None if self.of_all_seeds else self.seed,
            self.evaluation,
            self.from_step,
        )


class StageGraph:
    """The stages of a recipe by id; stages with equal specs share one artifact."""

    def __init__(self, recipe: Recipe, store: Store) -> None:
        self.recipe, self.store = recipe, store
        self.modules = load_user_modules(recipe.modules)
        """Content hashes of the user's modules: what they grade or reward depends on them."""
        self.nodes: dict[str, StageNode] = {}
        self.data_label = ""
        """Ends the ids of stages whose documents and problems belong to one seed."""

    def at_seed(self, seed: int) -> "StageGraph":
        """This graph, for adding the stages of one seed; with `data_seed: seed` their data are its own."""
        if self.recipe.data_seed != "seed":
            return self
        view = copy(self)
        view.recipe = self.recipe.model_copy(update={"data_seed": seed})
        view.data_label = f"/seed{seed}"
        return view

    def add(self, node: StageNode) -> str:
        """Add a stage; returns its id."""
        self.nodes[node.id] = node
        return node.id

    def folder(self, node_id: str) -> Path:
        """Where a stage's artifact is, once it is there."""
        return self.store.path(self.nodes[node_id].spec)

    def fingerprints(self, **roles: str) -> dict[str, str]:
        """Role -> fingerprint, from role -> id."""
        return {role: self.nodes[node_id].spec.fingerprint for role, node_id in roles.items()}
