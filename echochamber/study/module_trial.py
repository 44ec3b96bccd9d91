"""What a user's module registered, called once on made-up completions, before anything is trained.

An error that would end a study after its pretraining, or make every completion ungradable, is found here.
"""

import traceback
from collections.abc import Callable, Sequence
from itertools import product
from typing import get_args

from ..core.errors import UserError
from ..core.formats import Format, registered_formats
from ..core.traits import Trait
from ..core.types import Completion, Outcome, Problem, Verdict
from ..rollout.reward_value import Reward
from ..verify.answers import check_answer_rule

TEXTS = (
    "",
    "18",
    "def simple_math_problem() -> int:\n    boxes = 3\n    return boxes * 6\n",
    "Let's solve this.\n<llm-code>\nprint(3 * 6)\n</llm-code>\n\\boxed{18}",
    "3 * 6 = 18 \u2192 \\boxed{18}",
)
"""Completions to recognise: empty, short, a program, code in a block, prose that is not all ASCII."""
PROBLEM = Problem("trial", "Mia has 3 boxes of 6 pens. How many pens has she?", "18")
DRAWS = (0.0, 0.5, 0.999)


def try_out(
    formats: Sequence[Format], rewards: Sequence[Reward], where: str, traits: Sequence[Trait] = ()
) -> None:
    """Call each format, trait and reward; `UserError` that begins with `where` for the first refused one."""
    for row in formats:
        _try_format(row, where)
    for trait in traits:
        _try_rule(trait.holds, f"{where}: trait {trait.name!r}")
    for reward in rewards:
        for text, verdict in product(TEXTS, _verdicts()):
            completion = Completion(text, tuple(range(len(text))), (0.0,) * len(text), truncated=not text)
            for draw in DRAWS:
                try:
                    reward.of(PROBLEM, completion, verdict, [draw])
                except UserError as error:
                    raise UserError(f"{where}: tried on made-up completions: {error}") from error


def _try_format(row: Format, where: str) -> None:
    try:
        check_answer_rule(row)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    _try_rule(row.matches, f"{where}: format {row.name!r}")


def _try_rule(rule: Callable[[str], bool], what: str) -> None:
    for text in TEXTS:
        try:
            rule(text)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            raise UserError(
                f"{what}: {type(error).__name__}: {error} "
                f"({frame.filename}, line {frame.lineno}) on the completion {text!r}"
            ) from error


def _verdicts() -> list[Verdict]:
    """Every outcome in every registered format, with the answer that such a verdict has."""
    return [
        Verdict(name, "18" if outcome in ("correct", "wrong") else None, outcome)
        for name in registered_formats()
        for outcome in get_args(Outcome)
    ]
