"""What a reward is: a function from a graded completion to a number, or a weighted sum of several."""

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real

from ..core.errors import UserError
from ..core.types import Completion, Problem, Verdict

RewardValue = float | Mapping[str, float | None] | None
"""A number, named parts that are added, or None where nothing is known of the completion."""
RewardFunction = Callable[[Problem, Completion, Verdict, float], RewardValue]
"""(problem, completion, verdict, uniform draw of this rollout's own stream) -> reward."""


@dataclass(frozen=True, slots=True)
class Earned:
    """What one completion earned."""

    total: float | None
    """What the loss sees. None: nothing is known, so the completion carries no signal."""
    parts: dict[str, float] = field(default_factory=dict)
    """Name -> value before its weight, where the reward has more than one part."""


@dataclass(frozen=True, slots=True)
class Reward:
    """A named reward."""

    name: str
    function: RewardFunction

    @property
    def num_draws(self) -> int:
        """Uniform draws that `of` takes."""
        return 1

    def of(
        self, problem: Problem, completion: Completion, verdict: Verdict, draws: Sequence[float]
    ) -> Earned:
        """The reward of one completion, checked: finite numbers, or None where nothing is known.

        `draws`: (1,) uniform. `UserError` where the function raises or returns something else: it names the
        reward, the line of the error and what was passed.
        """
        draw = draws[0]
        passed = f"on format {verdict.format!r}, outcome {verdict.outcome!r}, draw {draw:.3f}"
        try:
            value = self.function(problem, completion, verdict, draw)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename}, line {frame.lineno}"
            raise UserError(
                f"reward {self.name!r}: {type(error).__name__}: {error} ({place}) {passed}"
            ) from error
        if type(value) is float and math.isfinite(value):
            return Earned(value)  # what nearly every reward is: the general checks take longer than it does
        if isinstance(value, Mapping):
            if not value:
                raise UserError(f"reward {self.name!r} returned no part {passed}; expected at least one")
            parts = {
                f"{self.name}.{part}": self._checked(number, f" for {part!r}", passed)
                for part, number in value.items()
            }
            return added({name: (1.0, number) for name, number in parts.items()})
        return Earned(self._checked(value, "", passed))

    def _checked(self, value: object, part: str, passed: str) -> float | None:
        if value is None:
            return None
        if not isinstance(value, Real) or not math.isfinite(value):
            raise UserError(
                f"reward {self.name!r} returned {value!r}{part} {passed}; expected a finite number, or None"
            )
        return float(value)


@dataclass(frozen=True, slots=True)
class WeightedReward:
    """The weighted sum of several rewards; unknown where one of them is."""

    terms: tuple[tuple[Reward, float], ...]
    """In the order of their names, so that the order in a recipe changes nothing."""

    @property
    def num_draws(self) -> int:
        """Uniform draws that `of` takes: one per reward."""
        return len(self.terms)

    def of(
        self, problem: Problem, completion: Completion, verdict: Verdict, draws: Sequence[float]
    ) -> Earned:
        """The weighted sum, with every part; `draws`: (number of rewards,) uniform."""
        parts: dict[str, tuple[float, float | None]] = {}
        for index, (reward, weight) in enumerate(self.terms):
            earned = reward.of(problem, completion, verdict, draws[index : index + 1])
            own: Mapping[str, float | None] = earned.parts or {reward.name: earned.total}
            parts |= {name: (weight, value) for name, value in own.items()}
            if earned.total is None:
                parts[reward.name] = (weight, None)
        return added(parts)


def added(parts: Mapping[str, tuple[float, float | None]]) -> Earned:
    """Name -> (weight, value or None) as one reward; an unknown part makes the sum unknown.

    A part of weight 0 is logged and changes nothing, whether it is known or not.
    """
    known = {name: value for name, (_, value) in parts.items() if value is not None}
    terms = [(weight, value) for weight, value in parts.values() if weight]
    if any(value is None for _, value in terms):
        return Earned(None, known)
    return Earned(sum(weight * value for weight, value in terms if value is not None), known)
