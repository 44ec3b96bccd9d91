"""Saving resume state where it is due: a file or a folder of parts, before training goes on or beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn

from ..core.resume import ResumePoint
from .optimizer import Optimizer
from .ranks import Ranks
from .state import Stateful, copied_state, save_state


@dataclass(frozen=True)
class TrainingState:
    """What training continues from."""

    trained: Sequence[tuple[nn.Module, Optimizer]]
    """Models with the optimizers that train them; of these a state in parts consists."""
    whole: dict[str, Stateful]
    """Name in the file -> part; of these a state in one file consists."""
    numbers: dict[str, float] = field(default_factory=dict)
    in_parts: bool = False
    """Every rank writes its part into a folder (`model.shard`)."""


def save_resume(resume: ResumePoint, step: int, state: TrainingState, ranks: Ranks) -> None:
    """Save the state after `step`; every rank calls it. Logs must be on disk as far as this step.

    The older state stays the one to continue from until the new one is whole, so a kill at any instant loses
    what was trained since then and nothing else.
    """
    resume.settle()
    if state.in_parts:
        _save_parts(resume, step, state, ranks)
    elif ranks.is_main:
        target = resume.state_after(step)
        if resume.settings.asynchronous:
            resume.record_later(step, copied_state(target, step, state.whole, state.numbers))
        else:
            save_state(target, step, state.whole, state.numbers)
            resume.record(step)


def _save_parts(resume: ResumePoint, step: int, state: TrainingState, ranks: Ranks) -> None:
    from .shard import save_sharded, save_sharded_later  # its imports take most of a second

    target = resume.sharded_after(step)
    if resume.settings.asynchronous:
        saving = save_sharded_later(target, state.trained, ranks, state.numbers)
        resume.record_later(step, saving.result, sharded=True, main=ranks.is_main)
        return
    save_sharded(target, state.trained, ranks, state.numbers)
    if ranks.is_main:
        resume.record(step, sharded=True)
