"""The registry of rewards: named functions, families of them, and weighted sums."""

import inspect
import math
from collections.abc import Callable, Mapping

from ..core.errors import UserError
from ..core.formats import format_row
from ..core.types import Completion, Problem, Verdict
from .reward_value import Reward, RewardFunction, RewardValue, WeightedReward

RewardSpec = str | Mapping[str, float]
"""A reward's name, or name -> weight of the rewards whose weighted sum it is."""
BREVITY_TOKENS = 256
"""Length at which `brevity` is 0."""
VerdictFunction = Callable[[Verdict, float], RewardValue]
"""(verdict, uniform draw) -> reward, where question and text do not matter."""

_REGISTRY: dict[str, Reward] = {}


def register_reward(name: str, function: Callable[..., RewardValue]) -> Reward:
    """Add a reward; a taken name is refused.

    `function` takes (problem, completion, verdict), (problem, completion, verdict, draw) or (verdict, draw),
    where `draw` is uniform in [0, 1) and the rollout's own. It returns a number, named parts that are added,
    or None where nothing is known of the completion, which is then left out.
    """
    if name in _REGISTRY:
        raise UserError(f"reward {name!r} is registered already; choose another name")
    _REGISTRY[name] = Reward(name, _with_all_arguments(name, function))
    return _REGISTRY[name]


def _with_all_arguments(name: str, function: Callable[..., RewardValue]) -> RewardFunction:
    """The same function, taking (problem, completion, verdict, draw)."""
    takes = [count for count in (4, 3, 2) if _takes(function, count)]
    if not takes:
        raise UserError(
            f"reward {name!r}: the function must take (problem, completion, verdict), "
            "(problem, completion, verdict, draw) or (verdict, draw)"
        )
    if takes[0] == 4:
        return function
    if takes[0] == 3:
        return lambda problem, completion, verdict, _: function(problem, completion, verdict)
    return _of_verdict(function)


def _takes(function: Callable[..., RewardValue], count: int) -> bool:
    """Whether the function can be called with `count` positional arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True


def _of_verdict(function: VerdictFunction) -> RewardFunction:
    return lambda problem, completion, verdict, draw: function(verdict, draw)


def forget_reward(name: str) -> None:
    """Remove a reward from the registry."""
    del _REGISTRY[name]


def registered_rewards() -> dict[str, Reward]:
    """The rewards that have a name of their own, in the order of registration."""
    return dict(_REGISTRY)


def reward_of(spec: RewardSpec) -> Reward | WeightedReward:
    """The reward that a recipe means: a name, or name -> weight of those whose weighted sum it is.

    A part of weight 0 is logged only. `UserError` where a name is unknown, a weight is not finite, or no part
    has a weight.
    """
    if isinstance(spec, str):
        return reward_row(spec)
    if not any(spec.values()):
        raise UserError("reward: no part has a weight; expected a name, or NAME: WEIGHT for each part")
    for name, weight in spec.items():
        if not math.isfinite(weight):
            raise UserError(f"reward: the weight of {name!r} is {weight}; expected a finite number")
    return WeightedReward(tuple((reward_row(name), float(spec[name])) for name in sorted(spec)))


def reward_title(spec: RewardSpec) -> str:
    """A reward as one line of text: `correct`, or `1 correct + 0.1 brevity`."""
    if isinstance(spec, str):
        return spec
    return " + ".join(f"{weight:g} {name}" for name, weight in spec.items())


def reward_row(name: str) -> Reward:
    """The reward of that name; an unknown one is a `UserError` that lists what there is.

    Besides registered names there are four families:
    `format:NAME` rewards that format, right or wrong. `random:RATE` rewards a share RATE of all
    completions at random. `thinned:NAME:RATE` is like `correct`, but a correct answer in format
    NAME goes unrewarded with probability RATE. `brevity:TOKENS` falls linearly from 1 at no token to 0 at
    TOKENS and stays there; `brevity` is `brevity:256`.
    """
    if name == "brevity" or name.startswith("brevity:"):
        return Reward(name, _brevity(_tokens(name, name.partition(":")[2] or str(BREVITY_TOKENS))))
    if name.startswith("format:"):
        wanted = format_row(name.removeprefix("format:")).name
        return Reward(name, _of_verdict(lambda verdict, _: float(verdict.format == wanted)))
    if name.startswith("random:"):
        rate = _rate(name, name.removeprefix("random:"))
        return Reward(name, _of_verdict(lambda _, draw: float(draw < rate)))
    if name.startswith("thinned:"):
        format_name, _, rate_text = name.removeprefix("thinned:").partition(":")
        return Reward(name, _of_verdict(_thinned(format_row(format_name).name, _rate(name, rate_text))))
    if name not in _REGISTRY:
        raise UserError(
            f"reward {name!r} is not known; there are {', '.join(_REGISTRY)}, "
            "brevity:TOKENS, format:NAME, random:RATE, thinned:NAME:RATE"
        )
    return _REGISTRY[name]


def _brevity(limit: int) -> RewardFunction:
    def brevity(problem: Problem, completion: Completion, verdict: Verdict, draw: float) -> float:
        return max(0.0, 1.0 - len(completion.token_ids) / limit)

    return brevity


def _tokens(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise UserError(f"reward {name!r}: {text!r} is not a number of tokens, 1 or more")
    return int(text)


def _thinned(format_name: str, rate: float) -> VerdictFunction:
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


def _score(verdict: Verdict, _: float) -> float | None:
    """What the problem's environment gave; 1 or 0 by correctness for problems without one."""
    return verdict.score if verdict.score is not None else _correct(verdict, _)


def _random(_: Verdict, draw: float) -> float:
    """A fair coin that knows nothing of the completion: the null model (Shao et al. 2025)."""
    return float(draw < 0.5)


register_reward("correct", _correct)
register_reward("random", _random)
register_reward("score", _score)
