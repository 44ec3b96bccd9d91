"""Sections of a recipe that belong to the study itself; those of a stage stand beside the stage."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ..core.config import Config, Count, Duration
from ..core.resume import EVERY_SECONDS, ResumeSettings
from ..model.settings import PastPositions
from ..stages.settings import ProbeRecipe
from .grid import PointRule


class SampleCounts(Config):
    """Completions per problem at the base and the last checkpoint, and at those between."""

    ends: int = Field(default=16, gt=0)
    between: int = Field(default=8, ge=0)
    """0: only the ends are scored."""


class EvaluateRecipe(Config):
    """What every checkpoint is scored on."""

    sets: tuple[str, ...] = ("all",)
    """World sets (all, easy, medium, hard, ...), paths of files of problems, or `hub:NAME[@COMMIT]`."""
    split: Literal["dev", "test"] = "test"
    count: Count = Field(default=256, gt=0)
    """Problems per set."""
    samples: SampleCounts = SampleCounts()
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    stop: tuple[str, ...] = ()
    """Strings before which a completion's text ends."""
    max_new_tokens: int = Field(default=160, gt=0)
    past_positions: PastPositions = "error"
    """What becomes of prompts that leave no room for `max_new_tokens`: an error, or shorter completions."""


class AlsoEvaluate(EvaluateRecipe):
    """A further evaluation of some arms and their bases, with other sets, split, temperature or samples."""

    where: PointRule = {}
    """Which arms; empty: all."""


class ForecastRecipe(Config):
    """What a simulation from the base alone says of every arm, shown beside its outcome."""

    runs: int = Field(default=8, ge=0)
    """Simulated runs of an arm; 0: no forecast."""


class ProbeArms(ProbeRecipe):
    """What is probed, and at the end of which arms; the bases that those start from are probed as well."""

    where: PointRule = {}
    """Which arms; empty: all, and every base."""

    def settings(self) -> dict[str, object]:
        """The keys of the stage, which do not say where it stands."""
        return {name: value for name, value in dict(self).items() if name != "where"}


class ResumeConfig(Config):
    """When a training stage saves its state; no part of any fingerprint."""

    every: Duration = Field(default=EVERY_SECONDS, gt=0)
    """Time between two saves, in seconds or as `15m`: a kill loses at most what was trained since."""
    keep_last: int = Field(default=1, ge=1)
    """States that are kept; where the newest is damaged, a stage goes on from an older one."""
    asynchronous: bool = False
    """Write the state while training goes on, from a copy in memory."""

    @property
    def settings(self) -> ResumeSettings:
        """As a stage takes them."""
        return ResumeSettings(self.every, self.keep_last, self.asynchronous)


class StageLaunch(Config):
    """Which processes and GPUs each stage of one kind gets."""

    gpus: int | None = Field(default=None, ge=0)
    """GPUs of each node that are the stage's own; one process works on each.

    None: whatever the process finds; under Ray and SLURM one, where there are any.
    """
    nodes: int = Field(default=1, ge=1)
    """Machines, each with `gpus`; more than one needs Ray or SLURM."""
    ranks: int | None = Field(default=None, ge=1)
    """Processes on each node of a stage that works without GPUs; None: one."""
    retries: int | None = Field(default=None, ge=0)
    """As `launch.retries`, for this kind; None: that."""

    @model_validator(mode="after")
    def _one_process_per_gpu(self) -> Self:
        if self.gpus and self.ranks is not None:
            raise ValueError(
                f"ranks {self.ranks} beside gpus {self.gpus}: each GPU has one process; leave one of them out"
            )
        return self


class LaunchConfig(Config):
    """Where stages that train or sample run, and how often a lost one is restarted; in no fingerprint."""

    retries: int = Field(default=3, ge=0)
    """How often a stage that failed, or whose process or machine was lost, goes on from its resume state."""
    pretrain: StageLaunch = StageLaunch()
    rl: StageLaunch = StageLaunch()
    evaluate: StageLaunch = StageLaunch()
    probe: StageLaunch = StageLaunch()


class ClaimNames(Config):
    """What claims read here by names of their own, where the recipe calls it otherwise."""

    mixtures: dict[str, str] = {}
    """Name in the claims -> mixture of this recipe."""
    sets: dict[str, str] = {}
    """Name in the claims -> problem set of this recipe."""
