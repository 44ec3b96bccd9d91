"""Do the problems that RL trains on occur in a set that is evaluated?

contamination.json    how many problems of each evaluated set occur
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..core.errors import UserError
from ..core.files import write_json
from ..core.progress import say
from ..core.types import Problem
from ..data.contamination import words_of
from .check_contamination import CONTAMINATION


def check_training_problems(
    name: str,
    train: Sequence[Problem],
    evaluated: Mapping[str, Sequence[Problem]],
    limit: float,
    folder: Path,
) -> None:
    """Write what set `name` holds of each evaluated set; `UserError` above `limit`, a share of that set.

    Only whole questions count, by their words: problems made from one template share long runs of words.
    """
    known = {tuple(words_of(problem.question)): problem.id for problem in train}
    rows = []
    for label, problems in evaluated.items():
        pairs = [(known.get(tuple(words_of(problem.question))), problem.id) for problem in problems]
        found = [f"training problem {mine} and problem {its}" for mine, its in pairs if mine is not None]
        share = len(found) / len(problems)
        line = f"RL's problems {name!r} hold {len(found)} of the {len(problems)} problems of {label!r}"
        if share > limit:
            raise UserError(
                f"{line} ({share:.1%}, allowed {limit:.1%}); first: {found[0]}; evaluate problems that RL "
                "does not train on, or raise rl.ARM.problems.max_overlap"
            )
        if found:
            say(f"{line} ({share:.1%}); first: {found[0]}")
        rows.append(
            {"problem_set": label, "problems": len(problems), "problems_found": len(found)}
            | {"share_found": round(share, 6), "examples": found[:5]}
        )
    write_json(folder / CONTAMINATION, {"sources": [{"name": f"RL: {name}", "contamination": rows}]})
