"""Rewards: one registered function from a verdict to a number, or None where nothing is known."""

import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

from ..core.errors import UserError
from ..core.formats import format_row
from ..core.types import Verdict

RewardFunction = Callable[[Verdict, float], float | None]
"""(verdict, uniform draw of this rollout's own stream) -> reward; None masks the sample."""


@dataclass(frozen=True, slots=True)
class Reward:
    """A named reward."""

    name: str
    function: RewardFunction

    def of(self, verdict: Verdict, draw: float) -> float | None:
        """The reward of one completion, checked: a finite number, or None where nothing is known.

        `UserError` where the function raises or returns something else: it names the reward, the line of the
        error and what was passed.
        """
        passed = f"on format {verdict.format!r}, outcome {verdict.outcome!r}, draw {draw:.3f}"
        try:
            value = self.function(verdict, draw)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename}, line {frame.lineno}"
            raise UserError(
                f"reward {self.name!r}: {type(error).__name__}: {error} ({place}) {passed}"
            ) from error
        if value is None:
            return None
        if not isinstance(value, Real) or not math.isfinite(value):
            raise UserError(
                f"reward {self.name!r} returned {value!r} {passed}; expected a finite number, or None"
            )
        return float(value)


_REGISTRY: dict[str, Reward] = {}


def register_reward(name: str, function: RewardFunction) -> Reward:
    """Add a reward; a taken name is refused."""
    if name in _REGISTRY:
        raise UserError(f"reward {name!r} is registered already; choose another name")
    _REGISTRY[name] = Reward(name, function)
    return _REGISTRY[name]


def forget_reward(name: str) -> None:
    """Remove a reward from the registry."""
    del _REGISTRY[name]


def registered_rewards() -> dict[str, Reward]:
    """The rewards that have a name of their own, in the order of registration."""
    return dict(_REGISTRY)


def reward_row(name: str) -> Reward:
    """The reward of that name; an unknown one is a `UserError` that lists what there is.

    Besides registered names there are three families:
    `format:NAME` rewards that format, right or wrong. `random:RATE` rewards a share RATE of all
    completions at random. `thinned:NAME:RATE` is like `correct`, but a correct answer in format
    NAME goes unrewarded with probability RATE.
    """
    if name.startswith("format:"):
        wanted = format_row(name.removeprefix("format:")).name
        return Reward(name, lambda verdict, _: float(verdict.format == wanted))
    if name.startswith("random:"):
        rate = _rate(name, name.removeprefix("random:"))
        return Reward(name, lambda _, draw: float(draw < rate))
    if name.startswith("thinned:"):
        format_name, _, rate_text = name.removeprefix("thinned:").partition(":")
        return Reward(name, _thinned(format_row(format_name).name, _rate(name, rate_text)))
    if name not in _REGISTRY:
        raise UserError(
            f"reward {name!r} is not known; there are {', '.join(_REGISTRY)}, "
            "format:NAME, random:RATE, thinned:NAME:RATE"
        )
    return _REGISTRY[name]


def _thinned(format_name: str, rate: float) -> RewardFunction:
    def thinned(verdict: Verdict, draw: float) -> float | None:
        correct = _correct(verdict, draw)
        return correct if correct is None or verdict.format != format_name else correct * float(draw >= rate)

    return thinned


def _rate(name: str, text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise UserError(f"reward {name!r}: {text!r} is not a share between 0 and 1")
    return rate


def _correct(verdict: Verdict, _: float) -> float | None:
    """1 for a correct answer; an infrastructure failure is no evidence against the completion."""
    return None if verdict.outcome == "infrastructure" else float(verdict.correct)


def _random(_: Verdict, draw: float) -> float:
    """A fair coin that knows nothing of the completion: the null model (Shao et al. 2025)."""
    return float(draw < 0.5)


register_reward("correct", _correct)
register_reward("random", _random)
