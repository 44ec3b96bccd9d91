"""Which combinations of mixture, size, arm and seed a study runs, and where an arm starts."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ..core.config import Config

PointKey = Literal["mixture", "size", "rl", "seed"]
PointRule = dict[PointKey, str | int | tuple[str | int, ...]]
"""`{rl: ppo, seed: [0, 1]}`: a point matches when each named key has (one of) the value(s)."""


def matches(rule: PointRule, point: Mapping[str, str | int], partial: bool = False) -> bool:
    """Whether a point meets a rule; `partial`: keys that the point does not have are taken as met."""
    for key, wanted in rule.items():
        if key not in point:
            if not partial:
                return False
        elif point[key] not in (wanted if isinstance(wanted, tuple) else (wanted,)):
            return False
    return True


def named(rule: PointRule, key: str) -> tuple[str | int, ...]:
    """The values a rule gives for a key."""
    found = next((value for name, value in rule.items() if name == key), ())
    return found if isinstance(found, tuple) else (found,)


class StartRule(Config):
    """Arms that start from an earlier pretraining checkpoint."""

    where: PointRule
    step: int = Field(gt=0)
    """A step that pretraining keeps: of `pretrain.keep_steps`, else of its log-spaced checkpoints."""


class GridConfig(Config):
    """All combinations, unless `include` names those that are run; less what `exclude` names."""

    include: tuple[PointRule, ...] = ()
    exclude: tuple[PointRule, ...] = ()
    from_step: tuple[StartRule, ...] = ()

    def skips(self, **point: str | int) -> bool:
        """True when the point is not run. A base (no `rl` in the point) is run if one of its arms may be."""
        if any(matches(rule, point) for rule in self.exclude):
            return True
        return bool(self.include) and not any(matches(rule, point, partial=True) for rule in self.include)

    def start(self, **point: str | int) -> int | None:
        """The pretraining step that an arm starts from; None: the last."""
        return next((rule.step for rule in self.from_step if matches(rule.where, point)), None)

    @property
    def rules(self) -> list[PointRule]:
        """Every rule, for checking the names in them."""
        return [*self.include, *self.exclude, *(rule.where for rule in self.from_step)]
